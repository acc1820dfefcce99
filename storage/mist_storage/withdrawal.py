"""Withdrawal: scans, and all that a dataset knows of them, taken out of every version.

The rule: after it, no stored object but the record of the withdrawal holds a withdrawn scan's id, labels or header, and
each version of the catalog can still be read, without the scan. Every step replaces or removes whole objects and can be
done twice, so a withdrawal that was interrupted is finished by asking for it again. In order:

1. a record, `withdrawals/<id>.json`: which scans, by whom, when, why, not finished;
2. a version of the catalog without the scans, so that nobody who opens the dataset finds them;
3. `catalog.parquet`, where there is one, without them;
4. every file of rows without them, in place and of the same size, so that no entry of the log becomes untrue;
5. the log's checkpoints removed, which repeat it, and what it says of its files made anew;
6. the scans' objects;
7. the record, finished.

A scan's masks go with it; an image whose mask is withdrawn has none. A scan may be ingested again later. Copies that
the store itself keeps (versions of a bucket, snapshots of a disk) are not reached from here.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import polars as pl

from mist.errors import ObjectNotFound, ScanNotFound, StoreError
from mist_storage.catalog import Catalog, published_bytes
from mist_storage.catalog_commit import commit_decided
from mist_storage.catalog_files import file_bytes_of_size, file_key, file_statistics, parsed_file, read_file
from mist_storage.delta_checkpoint import LAST_CHECKPOINT
from mist_storage.delta_commit import Change, names_any, withdraw, without_scans
from mist_storage.delta_entry import Action, LogEntry
from mist_storage.delta_log import LOG, entry_key, read_log
from mist_storage.delta_snapshot import Snapshot
from mist_storage.history import whole_log
from mist_storage.keys import CATALOG, PUBLISHED_CATALOG, WITHDRAWALS, checked_scan_id, is_record, scan_folder
from mist_storage.store import Store, WritableStore

OnProgress = Callable[[int, int, str], None]
"""Told how many steps are done, of how many, and what was done last."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A withdrawal, as it is recorded. It names scans by their ids, and says nothing else of them."""

    id: str
    scan_ids: tuple[str, ...]
    """The scans, their masks included; sorted."""
    who: str
    reason: str
    asked: str
    """When it was asked for: ISO 8601, UTC."""
    finished: str | None = None
    """When it was finished; None where it was interrupted."""
    version: int | None = None
    """The version that first lacked the scans; None where no current version had them, or before it is made."""

    @property
    def key(self) -> str:
        """The key of the record."""
        return f"{WITHDRAWALS}/{self.id}.json"

    def to_bytes(self) -> bytes:
        """The record as it is stored."""
        return json.dumps(asdict(self), indent=2).encode() + b"\n"


def plan_withdrawal(store: WritableStore, scan_ids: Sequence[str], who: str, reason: str) -> Withdrawal:
    """The withdrawal of scans and their masks; the one that was begun and not finished, where there is one of them.

    Where all of them have been withdrawn before and nothing is left of them, it is that withdrawal, which is finished.

    Raises
    ------
    ScanNotFound
        No version has a scan of that id, no objects are left of it, and it was not withdrawn.
    DatasetNotFound
        There is no catalog.
    StoreError
        The catalog is not whole, or the store failed.
    """
    asked = {checked_scan_id(scan_id) for scan_id in scan_ids}
    known, masks = _known_scans(store)
    left = {scan_id for scan_id in asked if scan_id in known or next(store.list(scan_folder(scan_id)), None)}
    records = [record for record in withdrawals(store) if asked & {*record.scan_ids}]
    begun = next((record for record in records if not record.finished), None)
    unknown = asked - left - {scan_id for record in records for scan_id in record.scan_ids}
    if unknown:
        names = ", ".join(map(repr, sorted(unknown)))
        raise ScanNotFound(f"{store.url}: no scan is called {names} in any version")
    if not left and begun is None:
        return records[-1]
    every = asked | {mask for mask, image in masks if image in asked}
    if begun is not None:
        return replace(begun, scan_ids=tuple(sorted(every | {*begun.scan_ids})))
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
    return Withdrawal(name, tuple(sorted(every)), who, reason, now.isoformat(timespec="seconds"))


def carry_out(store: WritableStore, withdrawal: Withdrawal, on_progress: OnProgress | None = None) -> Withdrawal:
    """Do it, unless it is finished; the finished record.

    Raises
    ------
    StoreError
        The store failed. Readers find the scans, or do not; asking again finishes what was begun.
    """
    if withdrawal.finished:
        return withdrawal
    gone = set(withdrawal.scan_ids)
    store.put(withdrawal.key, withdrawal.to_bytes())
    changes: list[Change | None] = []

    def decide(snapshot: Snapshot) -> Change | None:
        changes.append(withdraw(store, snapshot, gone))
        return changes[-1]

    version = commit_decided(store, decide)
    if changes[-1] is not None:
        withdrawal = replace(withdrawal, version=version)
    steps: list[tuple[str, Callable[[WritableStore, set[str]], None]]] = [
        ("published catalog", _scrub_published),
        ("catalog's rows", _scrub_files),
        ("catalog's log", _scrub_log),
        ("objects", _remove_objects),
    ]
    for done, (name, step) in enumerate(steps, start=1):
        step(store, gone)
        if on_progress is not None:
            on_progress(done, len(steps), name)
    store.flush()
    finished = replace(withdrawal, finished=datetime.now(UTC).isoformat(timespec="seconds"))
    store.put(finished.key, finished.to_bytes())
    return finished


def withdrawals(store: Store) -> list[Withdrawal]:
    """All withdrawals, the oldest first.

    Raises
    ------
    StoreError
        A record is damaged, or the store failed.
    """
    return [_record(store, key) for key in sorted(key for key, _ in store.list(WITHDRAWALS) if is_record(key))]


def _record(store: Store, key: str) -> Withdrawal:
    try:
        said = json.loads(store.get(key))
        return Withdrawal(**{**said, "scan_ids": tuple(said["scan_ids"])})
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{store.url}/{key} is no record of a withdrawal ({error}); restore it from a copy") from None


def _known_scans(store: Store) -> tuple[set[str], set[tuple[str, str]]]:
    """The ids of the scans of all versions, and which scan is the mask of which."""
    names = {name for entry in whole_log(store) for name in entry.added}
    tables = [read_file(store, name, ["scan_id", "mask_of"]) for name in names]
    rows = {row for table in tables for row in table.iter_rows()}
    return {scan_id for scan_id, _ in rows}, {(mask, image) for mask, image in rows if image is not None}


def _scrub_published(store: WritableStore, gone: set[str]) -> None:
    try:
        data = store.get(PUBLISHED_CATALOG)
    except ObjectNotFound:
        return
    try:
        rows = parsed_file(data, PUBLISHED_CATALOG)
        number = int(pl.read_parquet_metadata(io.BytesIO(data))["mist_version"])
        is_touched = names_any(rows, gone)
    except (pl.exceptions.PolarsError, KeyError, ValueError):
        store.delete([PUBLISHED_CATALOG])  # what cannot be read may hold anything
        return
    if is_touched:
        store.put(PUBLISHED_CATALOG, published_bytes(Catalog(without_scans(rows, gone), number)))


def _scrub_files(store: WritableStore, gone: set[str]) -> None:
    """Rewrite every file of rows there is, whether the log names it or an interrupted commit has left it."""
    named = {name for entry in read_log(store) for name in entry.added}
    for key, size in [*store.list(CATALOG)]:
        if key.startswith(f"{LOG}/") or not key.endswith(".parquet"):
            continue
        name = key.removeprefix(f"{CATALOG}/")
        rows = _rows_of(store, name, named)
        if rows is not None and names_any(rows, gone):
            store.put(key, file_bytes_of_size(without_scans(rows, gone), name, size))
    store.remove_staged(CATALOG, datetime.now(UTC))


def _rows_of(store: WritableStore, name: str, named: set[str]) -> pl.DataFrame | None:
    """The rows of a file; None where it was garbage that cannot be read, which is removed."""
    try:
        return read_file(store, name)
    except StoreError:
        if name in named:
            raise
    try:
        parsed_file(store.get(file_key(name)), name)
    except (pl.exceptions.PolarsError, ValueError):
        store.delete([file_key(name)])
    return None


def _scrub_log(store: WritableStore, _: set[str]) -> None:
    """Remove all but the log's entries, and make anew what these say of files."""
    entries = read_log(store)
    ours = {entry_key(entry.version) for entry in entries}
    others = [key for key, _ in store.list(LOG) if key not in ours]
    store.delete(sorted(others, key=lambda key: key != LAST_CHECKPOINT))  # the hint before what it hints at
    for entry in entries:
        scrubbed = LogEntry(entry.version, tuple(_scrubbed_action(store, action) for action in entry.actions))
        if scrubbed != entry:
            store.put(entry_key(entry.version), scrubbed.to_bytes())


def _scrubbed_action(store: Store, action: Action) -> Action:
    if "add" in action:
        name = next(iter(LogEntry(0, (action,)).added))
        return {"add": {**action["add"], "stats": file_statistics(read_file(store, name, ["scan_id"]))}}
    return action


def _remove_objects(store: WritableStore, gone: Iterable[str]) -> None:
    for scan_id in sorted(gone):
        store.delete([key for key, _ in store.list(scan_folder(scan_id))])
        store.remove_staged(scan_folder(scan_id), datetime.now(UTC))
