"""The datasets that a server has open.

The rule: a catalog is read once and kept; the latest version of a dataset is looked for again every few seconds, a
pinned one (`cxr@12`) hardly ever. One cache holds the beginnings of all datasets' scans. Safe to use from threads.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

from mist.errors import DatasetNotFound, InvalidRequest, ScanCorrupt
from mist.server.remembered import Clock, Remembered
from mist.server.reply import IMMUTABLE, REVALIDATE
from mist.server.root import DatasetRoot
from mist.server.settings import ServerSettings
from mist_storage.catalog import Catalog, CatalogRow, published_bytes
from mist_storage.dataset import open_dataset
from mist_storage.keys import BLOCKS, scan_key
from mist_storage.prefix_cache import PrefixCache
from mist_storage.store import ObjectStore

PINNED_AGE_S = 600.0
"""How long a pinned version is kept without a look at the store: it does not change, but it may be withdrawn."""


KEPT_ROWS = 4096
"""Parsed rows kept of a dataset, some kilobytes each: parsing and checking one takes longer than most of its uses."""


@dataclass(frozen=True, slots=True)
class FolderReader:
    """Reads the objects in one folder of a store."""

    store: ObjectStore | PrefixCache
    folder: str
    """Empty, or the folder's key with a slash at the end."""

    def get(self, key: str) -> bytes:
        """See `mist_storage.store.Store.get`."""
        return self.store.get(self.folder + key)

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """See `mist_storage.store.Store.get_range`."""
        return self.store.get_range(self.folder + key, start, stop)

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """See `mist_storage.store.Store.get_ranges`."""
        return self.store.get_ranges(self.folder + key, ranges)


@dataclass(frozen=True)
class OpenDataset:
    """One version of a dataset, ready to be read."""

    name: str
    """As asked for, with `@version` where the version is pinned."""
    catalog: Catalog
    cached: FolderReader
    """Reads through the cache of beginnings."""
    direct: FolderReader
    """Reads past the cache."""
    cache: PrefixCache

    @property
    def is_pinned(self) -> bool:
        """Whether the name fixes the version."""
        return "@" in self.name

    @property
    def cache_control(self) -> str:
        """How long answers about this dataset may be kept."""
        return IMMUTABLE if self.is_pinned else REVALIDATE

    @cached_property
    def published_catalog(self) -> bytes:
        """The catalog as the Parquet file that clients read."""
        return published_bytes(self.catalog)

    def row(self, scan_id: str) -> CatalogRow:
        """The row of a scan.

        Raises
        ------
        ScanNotFound
            This version has no such scan.
        ScanCorrupt
            What the catalog says of it cannot be read.
        """
        return self._rows(scan_id)

    @cached_property
    def _rows(self) -> Callable[[str], CatalogRow]:
        return lru_cache(KEPT_ROWS)(self._parsed_row)

    def _parsed_row(self, scan_id: str) -> CatalogRow:
        try:
            return self.catalog.row(scan_id)
        except InvalidRequest as error:
            raise ScanCorrupt(scan_id, None, f"its catalog row cannot be read: {error}") from None

    def forget(self, row: CatalogRow) -> None:
        """Drop what is cached of a scan that turned out damaged: the store may be mended while the server runs."""
        self.cache.forget([self.cached.folder + scan_key(row.scan_id, row.digest, BLOCKS)])


class Shelf:
    """All datasets below `root_url`, at most `settings.max_open_datasets` versions of them in memory."""

    def __init__(self, root_url: str, settings: ServerSettings, clock: Clock = time.monotonic) -> None:
        self.root = DatasetRoot(root_url, settings.refresh_s, clock)
        self._settings = settings
        self._clock = clock
        self._cache = PrefixCache(self.root.store, settings.cache_bytes)
        self._open: OrderedDict[str, Remembered[OpenDataset]] = OrderedDict()
        self._lock = threading.Lock()

    def dataset(self, name: str) -> OpenDataset:
        """The dataset `name`, as `cxr` or `cxr@12`.

        Raises
        ------
        DatasetNotFound
            There is none, or not in that version.
        StoreError
            The store failed.
        """
        with self._lock:
            held = self._open.get(name)
        found = held or self._remembered(name)
        try:
            dataset = found.get()
        except DatasetNotFound:
            self._drop(name)
            raise
        self._keep(name, found)
        return dataset

    def _remembered(self, name: str) -> Remembered[OpenDataset]:
        age_s = PINNED_AGE_S if "@" in name else self._settings.refresh_s
        return Remembered(partial(self._opened, name), age_s, self._clock)

    def _opened(self, name: str, before: OpenDataset | None) -> OpenDataset:
        plain, version = parse_name(name)
        folder = self.root.folder_of(plain)
        try:
            catalog = open_dataset(self.root.address_of(folder).url, version).catalog
        except DatasetNotFound:
            raise DatasetNotFound(self._what_is_missing(folder, plain, version)) from None
        if before is not None and _same(before.catalog, catalog):
            return before
        prefix = f"{folder}/" if folder else ""
        cached, direct = FolderReader(self._cache, prefix), FolderReader(self.root.store, prefix)
        return OpenDataset(name, catalog, cached, direct, self._cache)

    def _what_is_missing(self, folder: str, plain: str, version: int | None) -> str:
        """That there is no such dataset, or which versions it has."""
        if version is not None:
            with suppress(DatasetNotFound):
                last = open_dataset(self.root.address_of(folder).url).catalog.version
                return f"{plain!r} has versions 0 to {last}, not {version}"
        return f"no dataset is called {plain!r}"

    def _keep(self, name: str, found: Remembered[OpenDataset]) -> None:
        with self._lock:
            self._open.setdefault(name, found)
            self._open.move_to_end(name)
            while len(self._open) > self._settings.max_open_datasets:
                self._open.popitem(last=False)

    def _drop(self, name: str) -> None:
        with self._lock:
            self._open.pop(name, None)


def _same(one: Catalog, other: Catalog) -> bool:
    """Whether two catalogs say the same; a dataset that was made anew may have come to the version of the old one."""
    return one.version == other.version and one.frame.equals(other.frame)


def parse_name(name: str) -> tuple[str, int | None]:
    """A dataset's name and the version that it pins: `cxr@12` is `cxr` and 12.

    Raises
    ------
    InvalidRequest
        What follows the `@` is no version.
    """
    plain, at, version = name.partition("@")
    if not at:
        return name, None
    if not re.fullmatch(r"[0-9]{1,15}", version):
        raise InvalidRequest(f"a version is a whole number, as in cxr@12, not {version!r}")
    return plain, int(version)
