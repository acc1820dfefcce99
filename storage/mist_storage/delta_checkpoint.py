"""Checkpoints of a catalog's log: what the entries up to a version come to, in one file.

The rule: a checkpoint says again what the entries say, so that readers need not fetch every entry; it can be removed at
any time. Delta Lake makes it; it is sealed as files of rows are (`mist_storage.sealed_parquet`), and one without a seal
is damaged. The hint at the newest one is for other readers of Delta Lake: MIST finds checkpoints by their names.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from deltalake import DeltaTable

from mist.errors import CatalogCorrupt, ObjectNotFound, StoreError
from mist_storage.delta_entry import LogEntry
from mist_storage.delta_log import LOG, checkpoint_key, entry_key, read_entries
from mist_storage.fork_guard import refuse_after_fork
from mist_storage.sealed_parquet import require_whole, sealed
from mist_storage.store import Store, WritableStore

LAST_CHECKPOINT = f"{LOG}/_last_checkpoint"
"""Says where the last checkpoint is."""

_REMEDY = "remove it: the log's entries say all that it does"


def write_checkpoint(store: WritableStore, version: int) -> None:
    """Sum up the log to `version`.

    Made aside by Delta Lake and put in place by the store, the hint at it last: it is on the disk before it is used.

    Raises
    ------
    StoreError
        The log is not whole, Delta Lake cannot read it, or the store failed.
    OSError
        There is no room for it aside.
    """
    data = sealed(_made(store, version), _name(version))
    store.put(checkpoint_key(version), data)
    store.put(LAST_CHECKPOINT, _hint(version, data))


def read_checkpoint(store: Store, version: int) -> LogEntry | None:
    """The checkpoint of `version`, as if one commit had done it all; None where it has been removed.

    Raises
    ------
    CatalogCorrupt
        It is damaged.
    StoreError
        The store failed.
    """
    try:
        data = store.get(checkpoint_key(version))
        require_whole(data, _name(version))
        return _parsed(version, data)
    except ObjectNotFound:
        return None  # a withdrawal has just removed it
    except (pl.exceptions.PolarsError, ValueError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise CatalogCorrupt(f"{store.url}/{checkpoint_key(version)} is damaged ({reason}); {_REMEDY}") from None


def hint_problem(store: Store, versions: Sequence[int]) -> str | None:
    """What is wrong with the hint at the last checkpoint, where those of `versions` are there; None where nothing is.

    Raises
    ------
    StoreError
        The store failed.
    """
    try:
        found = store.get(LAST_CHECKPOINT)
    except ObjectNotFound:
        return None
    if any(found == _hint_at(store, version) for version in reversed(versions)):
        return None
    return f"{store.url}/{LAST_CHECKPOINT} is damaged (it is the hint at no checkpoint here); {_REMEDY}"


def _hint_at(store: Store, version: int) -> bytes | None:
    """The hint at a checkpoint; None where that is damaged, or has gone."""
    try:
        data = store.get(checkpoint_key(version))
        require_whole(data, _name(version))
    except (ObjectNotFound, ValueError):
        return None
    return _hint(version, data)


def _hint(version: int, data: bytes) -> bytes:
    actions = pl.scan_parquet(io.BytesIO(data)).select(pl.len()).collect().item()
    return json.dumps({"version": version, "size": actions, "sizeInBytes": len(data)}).encode()


def _name(version: int) -> str:
    return Path(checkpoint_key(version)).name


def _made(store: Store, version: int) -> bytes:
    """The checkpoint of `version`, without its seal."""
    refuse_after_fork()
    entries = read_entries(store, range(version + 1))
    with TemporaryDirectory(prefix="mist-log-") as folder:
        log = Path(folder) / "_delta_log"
        log.mkdir()
        for entry in entries:
            (log / Path(entry_key(entry.version)).name).write_bytes(entry.to_bytes())
        try:
            DeltaTable(folder).create_checkpoint()
        except Exception as error:  # noqa: BLE001 - Delta Lake raises bare `Exception` for much
            reason = str(error).split("\n", 1)[0]
            raise StoreError(f"{store.url}/{checkpoint_key(version)}: Delta Lake cannot make it: {reason}") from None
        (file,) = log.glob("*.checkpoint.parquet")
        return file.read_bytes()


def _parsed(version: int, data: bytes) -> LogEntry:
    """The files of rows and the schema in `data`; what else there is means nothing to MIST."""
    table = pl.read_parquet(io.BytesIO(data), columns=["add", "metaData"])
    files = table.select(pl.col("add").struct.field("path", "stats")).drop_nulls("path")
    told = table.select(pl.col("metaData").struct.field("id", "createdTime", "schemaString")).drop_nulls("id")
    actions = [*({"metaData": each} for each in told.to_dicts()), *({"add": file} for file in files.to_dicts())]
    return LogEntry(version, tuple(actions))
