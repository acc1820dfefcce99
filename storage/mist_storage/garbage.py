"""Objects that no version of a dataset names: what interrupted ingests and commits have left.

The rule: what any version of the log names stays, however old the version, since each can be read. The rest goes once
it is older than a grace period, for a running ingest writes its objects before their row. Objects are listed first and
the log is read after, so that a row committed in between is seen; each folder is listed again before it is emptied, so
that an object written anew in the meantime stays. What has no key as MIST makes them is somebody else's, and is left
alone: a system's own files, or a dataset in the folder of another. Found first, removed second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from mist_storage.delta_entry import LogEntry
from mist_storage.history import reachable, whole_log
from mist_storage.keys import CATALOG, SCANS, is_of_rows, scan_of_key
from mist_storage.store import StoredObject, WritableStore

OnProgress = Callable[[int, int, str], None]
"""Told how many objects are done, of how many, and the last one's key."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """What can be removed."""

    objects: tuple[StoredObject, ...]
    """The orphans, by key."""
    before: datetime
    """All of them were last written before this time."""
    younger: int
    """How many orphans were written later, and stay for now."""

    @property
    def bytes(self) -> int:
        """The size of the objects."""
        return sum(each.bytes for each in self.objects)


def find_garbage(store: WritableStore, before: datetime) -> Garbage:
    """The objects that no version names, last written before a time (with a time zone).

    Raises
    ------
    DatasetNotFound
        There is no catalog; nothing is known to be garbage then.
    StoreError
        The catalog is not whole, or the store failed.
    """
    listed = [*store.inventory(SCANS), *store.inventory(CATALOG)]
    entries = whole_log(store)
    orphans = _orphans(listed, entries, reachable(store, entries))
    old = tuple(sorted((each for each in orphans if each.modified < before), key=lambda each: each.key))
    return Garbage(old, before, len(orphans) - len(old))


def remove_garbage(store: WritableStore, garbage: Garbage, on_progress: OnProgress | None = None) -> int:
    """Remove it, and what interrupted writes have left beside; how many bytes were freed.

    Raises
    ------
    StoreError
        The store failed; what was not removed is found again.
    """
    freed = done = 0
    for folder, objects in groupby(garbage.objects, key=lambda each: each.key.rpartition("/")[0]):
        keys = {each.key for each in objects}
        now = [each for each in store.inventory(folder) if each.key in keys and each.modified < garbage.before]
        store.delete([each.key for each in now])
        freed += sum(each.bytes for each in now)
        done += len(keys)
        if on_progress is not None:
            on_progress(done, len(garbage.objects), folder)
    return freed + sum(store.remove_staged(folder, garbage.before) for folder in (SCANS, CATALOG))


def _orphans(
    listed: Sequence[StoredObject], entries: Iterable[LogEntry], live: set[tuple[str, str]]
) -> list[StoredObject]:
    """Those of the objects that no version names: of scans, and files of rows."""
    files = {f"{CATALOG}/{name}" for entry in entries for name in entry.added}
    return [each for each in listed if _is_orphan(each.key, files, live)]


def _is_orphan(key: str, files: set[str], live: set[tuple[str, str]]) -> bool:
    scan = scan_of_key(key)
    return scan not in live if scan is not None else is_of_rows(key) and key not in files
