"""The log of a catalog's Delta Lake table: which versions there are, and what each of them did.

The rule: the log is whole or an error. Entries count up from 0 without a gap, to the newest version that a writer has
noted down beside the log, and each fits its own digest; a log that was emptied, cut short or thinned out is never taken
for a smaller dataset. Reads and writes by `Store` alone, so that it works on every kind of store and every write can be
made to fail. Knows entries, not rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from mist.errors import CatalogCorrupt, ObjectNotFound, StoreError
from mist_storage.delta_entry import LogEntry, entry_name, parsed_entry
from mist_storage.keys import CATALOG, NEWEST_VERSION
from mist_storage.store import Store, WritableStore

LOG = f"{CATALOG}/_delta_log"
"""The folder of the log."""

RESTORE = f"restore {CATALOG}/ from a copy; until then the dataset is neither read nor changed"
"""What to do about a log that is not whole."""

_ENTRY = re.compile(rf"{LOG}/(\d{{20}})\.json")
_FIRST_FILE = re.compile(rf"{CATALOG}/part-00000-[0-9a-f]{{16}}\.parquet")
"""What an interrupted first commit leaves: the only file of rows that may be there without a log."""

_GETS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class LogListing:
    """What there is of a log."""

    versions: range
    """The versions; empty where there is no catalog yet."""
    checkpoints: tuple[int, ...]
    """Those of them that have a checkpoint."""


def entry_key(version: int) -> str:
    """The key of the entry of `version`."""
    return f"{LOG}/{entry_name(version)}"


def checkpoint_key(version: int) -> str:
    """The key of the checkpoint of `version`."""
    return f"{LOG}/{version:020}.checkpoint.parquet"


def log_versions(store: Store) -> range:
    """The versions that there are, as in `listed_log`."""
    return listed_log(store).versions


def listed_log(store: Store) -> LogListing:
    """Which versions there are, and of which of them a checkpoint.

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
    return LogListing(range(len(found)), tuple(at for at in found if checkpoint_key(at) in sizes))


def read_log(store: Store) -> list[LogEntry]:
    """All entries, the oldest first; none where there is no catalog yet.

    Raises
    ------
    CatalogCorrupt
        The log is not whole.
    StoreError
        The store failed.
    """
    return read_entries(store, log_versions(store))


def read_entries(store: Store, versions: Iterable[int]) -> list[LogEntry]:
    """The entries of some versions, in their order.

    Raises
    ------
    CatalogCorrupt
        One is missing, or does not fit its digest.
    StoreError
        The store failed.
    """
    with ThreadPoolExecutor(_GETS_AT_ONCE) as threads:
        return list(threads.map(lambda version: read_entry(store, version), versions))


def read_entry(store: Store, version: int) -> LogEntry:
    """The entry of one version; raises as `read_entries` does."""
    try:
        return parsed_entry(version, store.get(entry_key(version)))
    except (ValueError, ObjectNotFound) as error:
        raise CatalogCorrupt(f"{store.url}/{entry_key(version)} is no entry of a log ({error}); {RESTORE}") from None


def note_version(store: WritableStore, version: int) -> None:
    """Note down beside the log that `version` was committed, so that a log that loses it is found out.

    Best effort: the commit is made, and the next one notes more.
    """
    with suppress(StoreError):
        store.put(NEWEST_VERSION, json.dumps({"newest_version": version}).encode())


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
