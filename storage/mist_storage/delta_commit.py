"""One more version of a catalog: what changes, decided from the log, then put in place by one write.

The rule: a commit is a file of rows, then one entry of the log, which is created by one writer alone. What an entry
replaces is read from the version before, so whoever loses a race decides anew. An entry names no scan and no label but
in the range of scan ids of its file, since withdrawals must be able to rewrite it. Old entries and files are never
removed: each version stays readable. Knows rows as tables; `mist_storage.catalog` knows what they mean.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import polars as pl

from mist.errors import MistError, ScanConflict, StoreError
from mist_storage.catalog_files import file_bytes, file_key, file_statistics, read_file
from mist_storage.delta_checkpoint import write_checkpoint
from mist_storage.delta_entry import READER_VERSION, Action, LogEntry
from mist_storage.delta_log import entry_key, note_version
from mist_storage.delta_snapshot import Snapshot, joined, name_of
from mist_storage.label_columns import fitted
from mist_storage.store import Store, WritableStore

INGEST = "ingest"
WITHDRAWAL = "withdrawal"

CHECKPOINT_VERSIONS = 100
"""Versions from one checkpoint to the next, as is Delta Lake's custom."""

_READS_AT_ONCE = 8


class LostRace(MistError):
    """Another writer has made the version that was to be made."""


@dataclass(frozen=True, slots=True)
class Change:
    """What the next version does."""

    did: str
    """`INGEST` or `WITHDRAWAL`."""
    rows: pl.DataFrame
    """Rows that are added, those of removed files that stay included; all columns of the table to be."""
    removed: tuple[str, ...] = ()
    """Files of rows that are taken out."""
    relabelled: int = 0
    """How many rows take the place of one with the same objects."""


def merge(store: Store, snapshot: Snapshot, rows: pl.DataFrame, known: Mapping[str, str] | None = None) -> Change:
    """`rows` put in, each in place of the row of the same `scan_id`.

    Parameters
    ----------
    known
        `source_sha256` by `scan_id` of the rows that may be replaced by others than of the same source; None: all may.

    Raises
    ------
    ScanConflict
        A row of another source is there, which is not known.
    InvalidRequest
        A column holds another type of value than it does in the table.
    StoreError
        The store failed.
    """
    new = fitted(rows, snapshot.schema) if snapshot.version >= 0 else rows
    touched = _files_with(store, snapshot, set(new["scan_id"]))
    old = joined(touched.values(), new.schema)
    if known is not None:
        _require_known(old, new, known)
    same = old.select("scan_id", "digest").join(new.select("scan_id", "digest"), on=["scan_id", "digest"])
    kept = old.filter(~pl.col("scan_id").is_in(new["scan_id"].to_list()))
    return Change(INGEST, pl.concat([kept, new.select(kept.columns)]), tuple(touched), same.height)


def _require_known(old: pl.DataFrame, new: pl.DataFrame, known: Mapping[str, str]) -> None:
    """Refuse to replace what another writer has made of other files since this one looked."""
    columns = ("scan_id", "source_sha256")
    pairs = old.select(columns).join(new.select(columns), on="scan_id")
    for scan_id, there, ours in pairs.iter_rows():
        if there not in (ours, known.get(scan_id)):
            raise ScanConflict(
                f"another writer has just stored scan {scan_id!r} from other content; run it again, which refuses that "
                "scan and stores the others"
            )


def withdraw(store: Store, snapshot: Snapshot, scan_ids: set[str]) -> Change | None:
    """The rows of some scans taken out, and those that name one as their mask without it; None where there are none.

    Raises
    ------
    StoreError
        The store failed.
    """
    tables = {name: read_file(store, name) for name in snapshot.files}
    touched = {name: rows for name, rows in tables.items() if names_any(rows, scan_ids)}
    kept = without_scans(joined(touched.values(), snapshot.schema), scan_ids)
    return Change(WITHDRAWAL, kept, tuple(touched)) if touched else None


def names_any(rows: pl.DataFrame, scan_ids: set[str]) -> bool:
    """Whether a row is that of one of the scans, or names one as its mask."""
    return any(not scan_ids.isdisjoint(rows[name].to_list()) for name in ("scan_id", "mask", "mask_of"))


def without_scans(rows: pl.DataFrame, scan_ids: set[str]) -> pl.DataFrame:
    """`rows` without those of some scans and of their masks; images whose mask is one of them have none."""
    chosen = sorted(scan_ids)
    masked = pl.when(pl.col("mask").is_in(chosen)).then(None).otherwise(pl.col("mask")).alias("mask")
    gone = pl.col("scan_id").is_in(chosen) | pl.col("mask_of").is_in(chosen).fill_null(value=False)
    return rows.filter(~gone).with_columns(masked)


def commit(store: WritableStore, snapshot: Snapshot, change: Change) -> int:
    """Make `change` the version after `snapshot`; the new version is returned.

    Raises
    ------
    LostRace
        Another writer has made that version. Nothing of this one is left.
    StoreError
        The store failed; the version is there, or it is not, and nothing in between.
    """
    number = snapshot.version + 1
    name = f"part-{number:05}-{uuid.uuid4().hex[:16]}.parquet"
    data = file_bytes(change.rows, name)
    if change.rows.height:
        store.put(file_key(name), data)
    store.flush()  # the objects of the rows included: a row never names bytes that a power cut can take away
    added = _added(name, data, change.rows) if change.rows.height else []
    entry = LogEntry(number, (*_opening(snapshot, change), *_removed(change.removed), *added))
    if not _is_placed(store, entry_key(number), entry.to_bytes()):
        with suppress(StoreError):  # what is left of a lost race is garbage, and no failure
            store.delete([file_key(name)])
        raise LostRace(f"{store.url}: version {number} has just been made by another writer")
    note_version(store, number)
    if number and number % CHECKPOINT_VERSIONS == 0:
        with suppress(OSError):  # of the store, or aside; the version is made, the checkpoint only makes reading faster
            write_checkpoint(store, number)
    return number


def _files_with(store: Store, snapshot: Snapshot, scan_ids: set[str]) -> dict[str, pl.DataFrame]:
    """The files that hold a row of one of the scans, with all their rows."""
    likely = [name for name, file in snapshot.files.items() if scan_ids and _may_hold(file, scan_ids)]
    with ThreadPoolExecutor(_READS_AT_ONCE) as threads:
        read = dict(zip(likely, threads.map(lambda name: read_file(store, name), likely), strict=True))
    return {name: rows for name, rows in read.items() if not scan_ids.isdisjoint(rows["scan_id"])}


def _may_hold(file: Action, scan_ids: set[str]) -> bool:
    """Whether a file may hold a row of one of the scans, by what the log says of it."""
    statistics = json.loads(file.get("stats") or "{}")
    low = statistics.get("minValues", {}).get("scan_id")
    high = statistics.get("maxValues", {}).get("scan_id")
    return low is None or high is None or any(low <= scan_id <= high for scan_id in scan_ids)


def _opening(snapshot: Snapshot, change: Change) -> list[Action]:
    """The actions that say who commits, and what the table is where that is new."""
    info: Action = {
        "timestamp": time.time_ns() // 1_000_000,
        "operation": "WRITE" if snapshot.version < 0 else "MERGE" if change.did == INGEST else "DELETE",
        "operationParameters": {},
        "engineInfo": f"mist-streaming {_mist_version()}",
        "txnId": str(uuid.uuid4()),
        "mist": {"did": change.did, "relabelled": change.relabelled},
    }
    first: list[Action] = [{"protocol": {"minReaderVersion": READER_VERSION, "minWriterVersion": 2}}]
    is_new = dict(snapshot.schema) != dict(change.rows.schema)
    metadata = [{"metaData": _metadata(snapshot, change.rows.schema)}] if is_new else []
    return [{"commitInfo": info}, *(first if snapshot.version < 0 else []), *metadata]


def _metadata(snapshot: Snapshot, schema: Mapping[str, Any]) -> Action:
    fields = [
        {"name": name, "type": name_of(dtype), "nullable": True, "metadata": {}} for name, dtype in schema.items()
    ]
    fresh: Action = {
        "id": str(uuid.uuid4()),
        "name": None,
        "description": None,
        "format": {"provider": "parquet", "options": {}},
        "partitionColumns": [],
        "createdTime": time.time_ns() // 1_000_000,
        "configuration": {},
    }
    known = snapshot.metadata or {}  # of a checkpoint, not all of it
    return {**fresh, **known, "schemaString": json.dumps({"type": "struct", "fields": fields})}


def _added(name: str, data: bytes, rows: pl.DataFrame) -> list[Action]:
    return [
        {
            "add": {
                "path": name,
                "partitionValues": {},
                "size": len(data),
                "modificationTime": time.time_ns() // 1_000_000,
                "dataChange": True,
                "stats": file_statistics(rows),
            }
        }
    ]


def _removed(names: Sequence[str]) -> list[Action]:
    now = time.time_ns() // 1_000_000
    return [{"remove": {"path": name, "deletionTimestamp": now, "dataChange": True}} for name in names]


def _is_placed(store: WritableStore, key: str, data: bytes) -> bool:
    """Whether `data` is the object of `key` now, written by us; also where the acknowledgement was lost."""
    try:
        if store.create(key, data):
            return True
    except StoreError:
        with suppress(MistError):
            if store.get(key) == data:
                return True
        raise
    # Where our write's acknowledgement was lost, its repetition finds the entry there: ours, nevertheless.
    return store.get(key) == data


def _mist_version() -> str:
    try:
        return version("mist-streaming")
    except PackageNotFoundError:  # run from its folder
        return "of no release"
