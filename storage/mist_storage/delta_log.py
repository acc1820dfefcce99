"""The log of a catalog's Delta Lake table: which versions there are, and what each of them did.

The rule: the log is whole or an error. Entries count up from 0 without a gap, to the newest version that a writer has
noted down beside the log; a log that was emptied, cut short or thinned out is never taken for a smaller dataset. Reads
and writes by `Store` alone, so that it works on every kind of store and every write can be made to fail. Knows actions,
not rows.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from mist.errors import CatalogCorrupt, ObjectNotFound, StoreError
from mist_storage.keys import CATALOG, NEWEST_VERSION
from mist_storage.store import Store, WritableStore

LOG = f"{CATALOG}/_delta_log"
"""The folder of the log."""

RESTORE = f"restore {CATALOG}/ from a copy; until then the dataset is neither read nor changed"
"""What to do about a log that is not whole."""

Action = dict[str, Any]
"""One line of an entry, by the words of the Delta Lake protocol: `{"add": {...}}`."""

_ENTRY = re.compile(rf"{LOG}/(\d{{20}})\.json")
_FIRST_FILE = re.compile(rf"{CATALOG}/part-00000-[0-9a-f]{{16}}\.parquet")
"""What an interrupted first commit leaves: the only file of rows that may be there without a log."""

_GETS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One commit."""

    version: int
    actions: tuple[Action, ...]
    """What it did, in order."""

    @property
    def info(self) -> Action:
        """Who committed, when and why; empty where nobody said."""
        return next(iter(self._all("commitInfo")), {})

    @property
    def time(self) -> datetime:
        """When it was committed, by the writer's clock."""
        return datetime.fromtimestamp(self.info.get("timestamp", 0) / 1000, UTC)

    @property
    def metadata(self) -> Action | None:
        """The table's schema, where this entry sets it."""
        return next(iter(self._all("metaData")), None)

    @property
    def added(self) -> dict[str, Action]:
        """The files of rows that it adds, by their names in the folder of the catalog."""
        return {unquote(file["path"]): file for file in self._all("add")}

    @property
    def removed(self) -> list[str]:
        """The names of the files of rows that it takes out."""
        return [unquote(file["path"]) for file in self._all("remove")]

    def to_bytes(self) -> bytes:
        """The entry as it is stored."""
        return "".join(json.dumps(action, separators=(",", ":")) + "\n" for action in self.actions).encode()

    def _all(self, kind: str) -> list[Action]:
        return [action[kind] for action in self.actions if kind in action]


def entry_key(version: int) -> str:
    """The key of the entry of `version`."""
    return f"{LOG}/{version:020}.json"


def log_versions(store: Store) -> range:
    """The versions that there are; an empty range where there is no catalog yet.

    Raises
    ------
    CatalogCorrupt
        The log was emptied, has a gap or ends early.
    StoreError
        The store failed.
    """
    newest = _noted_version(store)  # before the log is listed: what was noted down by then must be in it
    sizes = dict(store.list(CATALOG))
    found = sorted(int(match[1]) for match in map(_ENTRY.fullmatch, sizes) if match)
    where = f"{store.url}/{LOG}"
    if not found and (newest is not None or any(map(_is_trace, sizes))):
        raise CatalogCorrupt(f"{where}: the log of the catalog is gone, though there are rows; {RESTORE}")
    first_missing = next((at for at, version in enumerate(found) if at != version), len(found))
    if first_missing < len(found):
        raise CatalogCorrupt(f"{where}: the log of the catalog lacks version {first_missing}; {RESTORE}")
    if newest is not None and newest >= len(found):
        raise CatalogCorrupt(
            f"{where}: the log of the catalog ends at version {len(found) - 1}, though there was {newest}; {RESTORE}"
        )
    for version in found:
        if not sizes[entry_key(version)]:  # which Delta Lake takes for a version that does nothing
            raise CatalogCorrupt(f"{store.url}/{entry_key(version)} is no entry of a log (it is empty); {RESTORE}")
    return range(len(found))


def read_log(store: Store) -> list[LogEntry]:
    """All entries, the oldest first; none where there is no catalog yet.

    Raises
    ------
    CatalogCorrupt
        The log is not whole.
    StoreError
        The store failed.
    """
    versions = log_versions(store)
    with ThreadPoolExecutor(_GETS_AT_ONCE) as threads:
        return list(threads.map(lambda version: _read_entry(store, version), versions))


def note_version(store: WritableStore, version: int) -> None:
    """Note down beside the log that `version` was committed, so that a log that loses it is found out.

    Best effort: the commit is made, and the next one notes more.
    """
    with suppress(StoreError):
        store.put(NEWEST_VERSION, json.dumps({"newest_version": version}).encode())


def parsed_entry(version: int, data: bytes) -> LogEntry:
    """The entry in `data`; `ValueError` where it is none."""
    actions = tuple(json.loads(line) for line in data.splitlines() if line.strip())
    if not actions or not all(map(_is_action, actions)):
        raise ValueError("there are no actions in it, or others than Delta Lake knows")
    return LogEntry(version, actions)


def _is_action(action: object) -> bool:
    """Whether a line of an entry is an action, and names a file where it adds or removes one."""
    if not isinstance(action, dict) or not all(isinstance(told, dict) for told in action.values()):
        return False
    return all(isinstance(action[kind].get("path"), str) for kind in ("add", "remove") if kind in action)


def _read_entry(store: Store, version: int) -> LogEntry:
    try:
        return parsed_entry(version, store.get(entry_key(version)))
    except (ValueError, ObjectNotFound) as error:
        raise CatalogCorrupt(f"{store.url}/{entry_key(version)} is no entry of a log ({error}); {RESTORE}") from None


def _noted_version(store: Store) -> int | None:
    try:
        return int(json.loads(store.get(NEWEST_VERSION))["newest_version"])
    except ObjectNotFound:
        return None
    except (ValueError, KeyError, TypeError):
        raise CatalogCorrupt(f"{store.url}/{NEWEST_VERSION} is damaged; {RESTORE}") from None


def _is_trace(key: str) -> bool:
    """Whether an object shows that there was a log."""
    return key.endswith((".parquet", ".json")) and not _FIRST_FILE.fullmatch(key)
