"""What became of a dataset, version by version, and which objects its versions name.

The rule: it is read from the files of rows, not from what a commit said of itself, so a withdrawn scan is in no
version; that it was withdrawn is in the records of withdrawals. Every version that the log has can be read, so every
one keeps its objects alive. Knows no voxels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from mist.errors import DatasetNotFound
from mist_storage.catalog_files import read_file
from mist_storage.delta_commit import INGEST, WITHDRAWAL
from mist_storage.delta_entry import LogEntry
from mist_storage.delta_log import read_log
from mist_storage.keys import CATALOG
from mist_storage.store import Store

Digests = Mapping[str, str]
"""The digest under which each scan's objects lie, by scan id."""

_READS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Version:
    """One version, compared with the one before."""

    number: int
    time: datetime
    """When it was committed, by the writer's clock."""
    did: str
    """What was done: `ingest` or `withdrawal`."""
    writer: str
    """The program that committed it, with its version."""
    scans: int
    """How many scans it has."""
    added: tuple[str, ...]
    """Scans that are new."""
    replaced: tuple[str, ...]
    """Scans whose objects are others."""
    removed: tuple[str, ...]
    """Scans that it no longer has; those withdrawn are named by the withdrawals alone."""
    relabelled: int
    """How many scans got other labels or masks."""


def whole_log(store: Store) -> list[LogEntry]:
    """All entries of a dataset's log, the oldest first; at least one.

    Raises
    ------
    DatasetNotFound
        There is no catalog.
    StoreError
        The log is not whole, or the store failed.
    """
    entries = read_log(store)
    if not entries:
        raise DatasetNotFound(f"{store.url}: there is no dataset here (no {CATALOG}/)")
    return entries


def history(store: Store) -> list[Version]:
    """All versions of the dataset in `store`, the oldest first.

    Raises
    ------
    DatasetNotFound
        There is no catalog.
    StoreError
        The log is not whole, files of the catalog are missing, or the store failed.
    """
    entries = whole_log(store)
    by_file = scans_by_file(store, entries)
    versions, files, before = [], dict[str, None](), dict[str, str]()
    for entry in entries:
        files = dict.fromkeys(name for name in [*files, *entry.added] if name not in entry.removed)
        scans = {scan_id: digest for name in files for scan_id, digest in by_file[name].items()}
        versions.append(_version(entry, before, scans))
        before = scans
    return versions


def reachable(store: Store, entries: Iterable[LogEntry]) -> set[tuple[str, str]]:
    """Scan ids and digests that any version names.

    Raises
    ------
    StoreError
        Files of the catalog are missing or damaged, or the store failed.
    """
    return {pair for scans in scans_by_file(store, entries).values() for pair in scans.items()}


def scans_by_file(store: Store, entries: Iterable[LogEntry]) -> dict[str, Digests]:
    """The scans in each file of rows that any version has."""
    names = sorted({name for entry in entries for name in entry.added})
    with ThreadPoolExecutor(_READS_AT_ONCE) as threads:
        tables = threads.map(lambda name: read_file(store, name, ["scan_id", "digest"]), names)
        return {name: dict(table.iter_rows()) for name, table in zip(names, tables, strict=True)}


def _version(entry: LogEntry, before: Digests, scans: Digests) -> Version:
    said = entry.info.get("mist", {})
    return Version(
        number=entry.version,
        time=entry.time,
        did=said.get("did") or (WITHDRAWAL if entry.info.get("operation") == "DELETE" else INGEST),
        writer=str(entry.info.get("engineInfo", "")),
        scans=len(scans),
        added=tuple(sorted(scans.keys() - before.keys())),
        replaced=tuple(sorted(name for name in scans.keys() & before.keys() if scans[name] != before[name])),
        removed=tuple(sorted(before.keys() - scans.keys())),
        relabelled=int(said.get("relabelled", 0)),
    )
