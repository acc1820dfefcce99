"""A dataset: its store and one version of its catalog, together.

The rule: opening reads the catalog once; a scan is then one `ScanReader`. Client, server and commands come here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mist.errors import InvalidRequest
from mist_storage.address import Address, require_folder
from mist_storage.catalog import Catalog, open_catalog
from mist_storage.prefix_cache import PrefixCache
from mist_storage.scan_reader import ScanReader
from mist_storage.store import ObjectStore, Store, open_store


@dataclass(frozen=True, slots=True)
class Dataset:
    """One version of a dataset."""

    url: str
    """The address, canonical and without a version."""
    store: Store
    """Its objects."""
    catalog: Catalog
    """Its scans."""

    def reader(self, scan_id: str) -> ScanReader:
        """The reader of a scan; `ScanNotFound` where there is none."""
        row = self.catalog.row(scan_id)
        return ScanReader(self.store, row.scan_id, row.digest, row.header)


def open_dataset(url: str, version: int | None = None, cache_bytes: int = 0) -> Dataset:
    """The dataset at `url`, which may end in `@N` for version N; as it is now without a version.

    Parameters
    ----------
    url
        `file://`, `s3://`, `https://`, `http://`, `memory://`, or a path of a local folder.
    version
        A version of the catalog; other than in `url` it is not given.
    cache_bytes
        How many bytes of scans' prefixes to keep in memory, so that refining fetches only what is new.

    Raises
    ------
    DatasetNotFound
        There is no dataset there, or not in that version.
    StoreError
        The store failed.
    """
    url, named = split_version(url)
    if None not in (version, named):
        raise InvalidRequest(f"version {version} was asked for beside @{named} in the address; give one of them")
    address = Address.parse(url)
    require_folder(address)
    store = ObjectStore(address)
    catalog = open_catalog(store, named if version is None else version)
    return Dataset(address.url, PrefixCache(store, cache_bytes) if cache_bytes else store, catalog)


def split_version(url: str) -> tuple[str, int | None]:
    """An address and the version that it names: `s3://bucket/cxr@12` is `s3://bucket/cxr` and 12."""
    match = re.fullmatch(r"(.*[^/])@(\d+)", url)
    return (match[1], int(match[2])) if match else (url, None)


__all__ = ["Dataset", "open_dataset", "open_store", "split_version"]
