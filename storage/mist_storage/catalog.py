"""The catalog of a dataset: one row a scan, in a Delta Lake table or in one published Parquet file.

The rule: a scan exists when its row does, and every commit is a version that can be read again (`catalog_commit.py`
makes them). Knows rows, not objects.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from mist.errors import CatalogCorrupt, DatasetNotFound, InvalidRequest, ObjectNotFound, ScanNotFound, StoreDenied
from mist_storage.address import WRITABLE_SCHEMES, Address
from mist_storage.catalog_commit import commit_rows
from mist_storage.catalog_row import RESERVED_COLUMNS, SCHEMA, CatalogRow, Label
from mist_storage.condition import checked_condition
from mist_storage.connection import is_unsigned
from mist_storage.delta_snapshot import Snapshot, read_rows, read_snapshot
from mist_storage.keys import CATALOG, PUBLISHED_CATALOG, SCANS
from mist_storage.sealed_parquet import require_whole, sealed
from mist_storage.store import ObjectStore, Store

__all__ = [
    "RESERVED_COLUMNS",
    "Catalog",
    "CatalogRow",
    "Label",
    "commit_rows",
    "open_catalog",
    "publish_catalog",
    "published_bytes",
    "published_version",
]


@dataclass(frozen=True)
class Catalog:
    """One version of a catalog, read into memory.

    Parameters
    ----------
    frame
        One row a scan, sorted by `scan_id`; the columns of `RESERVED_COLUMNS`, then the labels.
    version
        The Delta version, which grows with every commit.
    """

    frame: pl.DataFrame
    version: int

    def __len__(self) -> int:
        """How many scans there are."""
        return self.frame.height

    @cached_property
    def _places(self) -> dict[str, int]:
        return {scan_id: place for place, scan_id in enumerate(self.frame["scan_id"])}

    @property
    def scan_ids(self) -> list[str]:
        """The ids of all scans, sorted."""
        return list(self._places)

    def __contains__(self, scan_id: object) -> bool:
        """Whether there is a scan of that id."""
        return scan_id in self._places

    def row(self, scan_id: str) -> CatalogRow:
        """The row of a scan.

        Raises
        ------
        ScanNotFound
            There is none.
        ScanCorrupt
            The row does not fit its digest.
        """
        if scan_id not in self._places:
            raise ScanNotFound(f"no scan is called {scan_id!r} among the {len(self)} of this dataset")
        return CatalogRow.from_columns(self.frame.row(self._places[scan_id], named=True))

    def where(self, condition: str) -> Catalog:
        """The scans for which a SQL condition holds, such as `modality = 'CT' AND age > 60`.

        Raises
        ------
        InvalidRequest
            It is not a condition over the catalog's columns.
        """
        try:
            chosen = self.frame.filter(pl.sql_expr(checked_condition(condition)))
        except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, InvalidRequest):
                raise
            reason = str(error).strip().split("\n", 1)[0]
            raise InvalidRequest(f"{condition!r} is not a condition over this catalog: {reason}") from None
        return Catalog(chosen, self.version)


def open_catalog(store: ObjectStore, version: int | None = None) -> Catalog:
    """The catalog of the dataset in `store`, as it is now or at `version`.

    Folders and buckets hold a Delta Lake table; what cannot list a folder (`https://`, `memory://`, a bucket that is
    read without credentials), or has no table, holds a published file.

    Raises
    ------
    DatasetNotFound
        There is no catalog, or not in that version.
    CatalogCorrupt
        What is stored of it is damaged.
    StoreError
        The store failed.
    """
    snapshot = _snapshot(store, version) if Address.parse(store.url).scheme in WRITABLE_SCHEMES else None
    if snapshot is None:
        return _published(store, version)
    return Catalog(_ordered(read_rows(store, snapshot)), snapshot.version)


def _snapshot(store: ObjectStore, version: int | None) -> Snapshot | None:
    """A version of the table; None where there is none, or where a reader without credentials may not look for it."""
    try:
        snapshot = read_snapshot(store, version)
    except StoreDenied:
        if store.url.startswith("s3://") and is_unsigned():
            return None
        raise
    return snapshot if snapshot.version >= 0 else None


def publish_catalog(store: Store, catalog: Catalog) -> None:
    """Write `catalog` as the one file that readers of plain web hosting use."""
    store.put(PUBLISHED_CATALOG, published_bytes(catalog))


def published_version(store: ObjectStore) -> int | None:
    """The version that is published; None where there is none.

    Raises
    ------
    CatalogCorrupt
        The published file is damaged.
    StoreError
        The store failed.
    """
    try:
        return _published(store, None).version
    except DatasetNotFound:
        return None


def published_bytes(catalog: Catalog) -> bytes:
    """`catalog` as a Parquet file; its version is kept in the file's metadata."""
    buffer = io.BytesIO()
    catalog.frame.write_parquet(buffer, metadata={"mist_version": str(catalog.version)})
    return sealed(buffer.getvalue(), PUBLISHED_CATALOG)


def _published(store: ObjectStore, version: int | None) -> Catalog:
    try:
        data = store.get(PUBLISHED_CATALOG)
    except ObjectNotFound:
        raise DatasetNotFound(f"{store.url}: there is no dataset here ({_what_there_is(store)})") from None
    except StoreDenied as error:
        raise StoreDenied(f"{error}; or nothing is published there, which stores do not tell strangers") from None
    try:
        require_whole(data, PUBLISHED_CATALOG)
        found = int(pl.read_parquet_metadata(io.BytesIO(data))["mist_version"])
        frame = _ordered(pl.read_parquet(io.BytesIO(data)))
    except (pl.exceptions.PolarsError, KeyError, ValueError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise CatalogCorrupt(
            f"{store.url}/{PUBLISHED_CATALOG} is damaged ({reason}); publish the dataset again, or ask who publishes it"
        ) from None
    if version not in (None, found):
        raise DatasetNotFound(f"{store.url} is published in version {found} alone, not {version}")
    return Catalog(frame, found)


def _what_there_is(store: ObjectStore) -> str:
    """What lies where no catalog does."""
    if Address.parse(store.url).scheme in WRITABLE_SCHEMES and next(store.list(SCANS), None) is not None:
        return (
            f"there are objects in {SCANS}/ but no {CATALOG}/: if an ingest was interrupted, run it again; "
            f"if the catalog was lost, restore it from a copy"
        )
    return f"no {CATALOG}/, no {PUBLISHED_CATALOG}"


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    labels = sorted(set(frame.columns) - RESERVED_COLUMNS)
    return frame.select(*SCHEMA, *labels).sort("scan_id")
