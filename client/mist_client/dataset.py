"""A dataset, or a part of one: its scans, chosen from one version of its catalog.

The rule: opening reads the catalog and nothing else; nothing more is fetched before a scan's `read`. A label mask is
part of its scan: it is reached by `scan.mask`, or by its own id, and is not counted among the scans. Knows nothing of
frameworks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from mist.errors import InvalidRequest, ScanNotFound
from mist_client.scan import Scan
from mist_client.scan_uri import ScanUri
from mist_storage.catalog import RESERVED_COLUMNS, Catalog, CatalogRow, Label
from mist_storage.dataset import Dataset as StoredDataset
from mist_storage.dataset import open_dataset
from mist_storage.scan_reader import ScanReader

CACHE_BYTES = 256 * 1024 * 1024
"""Memory for prefixes of scans that have been read: a thousand X-rays at 512 pixels, or some whole CTs."""

_NO_MASKS = "mask_of IS NULL"


@dataclass(frozen=True, slots=True)
class Source:
    """How a dataset is opened, here or in another process."""

    url: str
    version: int | None
    """The version of its catalog; None for the newest."""
    cache_bytes: int

    def open(self) -> StoredDataset:
        """The dataset's store and catalog; errors as of `mist_client.open`."""
        return open_dataset(self.url, self.version, self.cache_bytes)


class Dataset:
    """The scans of one version of a dataset for which all `conditions` hold, in order of their ids.

    Pickles by address, version and conditions: another process reads the catalog anew, when it first needs it.

    Parameters
    ----------
    source
        How it is opened.
    conditions
        SQL conditions over the catalog's columns.
    stored
        The dataset where it is open already.
    """

    def __init__(self, source: Source, conditions: tuple[str, ...] = (), stored: StoredDataset | None = None) -> None:
        self._source = source
        self._conditions = conditions
        self._given = stored

    def __reduce__(self) -> tuple[type[Dataset], tuple[Source, tuple[str, ...]]]:
        pinned = replace(self._source, url=self.url, version=self.version)
        return type(self), (pinned, self._conditions)

    def __repr__(self) -> str:
        chosen = "".join(f" where {condition}" for condition in self._conditions)
        return f"<Dataset {self.url}@{self.version}{chosen}: {len(self)} scans>"

    @property
    def url(self) -> str:
        """The address, without a version."""
        return self._stored.url

    @property
    def version(self) -> int:
        """The version of the catalog that was opened."""
        return self._stored.catalog.version

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that `where` and `column` take: the catalog's own, then the labels."""
        return tuple(self._chosen.frame.columns)

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns that came with the scans' labels."""
        return tuple(name for name in self.columns if name not in RESERVED_COLUMNS)

    @cached_property
    def scan_ids(self) -> tuple[str, ...]:
        """The ids of the scans, in order."""
        return tuple(self._chosen.scan_ids)

    def __len__(self) -> int:
        return len(self._chosen)

    def __iter__(self) -> Iterator[Scan]:
        return (self._scan(scan_id) for scan_id in self.scan_ids)

    def __contains__(self, scan_id: object) -> bool:
        """Whether there is a scan of that id, or one whose mask it is."""
        return scan_id in self._chosen or self._image_of(scan_id) in self._chosen

    def __getitem__(self, scan_id: str) -> Scan:
        """The scan of that id, or the mask.

        Raises
        ------
        ScanNotFound
            There is none among the chosen scans.
        """
        if scan_id not in self:
            raise ScanNotFound(f"no scan is called {scan_id!r} in {self!r}")
        return self._scan(scan_id)

    def where(self, condition: str) -> Dataset:
        """Those of the scans for which a SQL condition holds, such as `modality = 'CT' AND age > 60`.

        Raises
        ------
        InvalidRequest
            It is not a condition over the columns of the catalog.
        """
        chosen = Dataset(self._source, (*self._conditions, condition), self._stored)
        _ = chosen._chosen
        return chosen

    def column(self, name: str) -> list[Label]:
        """The scans' values of a column, in order.

        Raises
        ------
        InvalidRequest
            There is no such column.
        """
        self._require_column(name)
        return self._chosen.frame[name].to_list()

    def classes(self, name: str) -> tuple[str | int | float, ...]:
        """The distinct values of a column, sorted, over this whole version of the dataset.

        Scans that `where` left out count too, so that a training and a validation part number their classes alike.

        Raises
        ------
        InvalidRequest
            There is no such column.
        """
        self._require_column(name)
        return tuple(self._stored.catalog.frame[name].drop_nulls().unique().sort().to_list())

    def _require_column(self, name: str) -> None:
        if name not in self.columns:
            known = ", ".join(self.label_columns) or "none"
            raise InvalidRequest(f"{self.url} has no column {name!r}; its label columns are: {known}")

    @cached_property
    def _stored(self) -> StoredDataset:
        return self._given or self._source.open()

    @cached_property
    def _chosen(self) -> Catalog:
        chosen = self._stored.catalog.where(_NO_MASKS)
        for condition in self._conditions:
            chosen = chosen.where(condition)
        return chosen

    def _image_of(self, scan_id: object) -> str | None:
        """The scan whose mask is called `scan_id`, if any."""
        catalog = self._stored.catalog
        return catalog.row(scan_id).mask_of if isinstance(scan_id, str) and scan_id in catalog else None

    def _scan(self, scan_id: str) -> Scan:
        row = self._stored.catalog.row(scan_id)
        mask_id = row.mask if row.mask in self._stored.catalog else None
        return self._scan_of(row, None if mask_id is None else self._scan_of(self._stored.catalog.row(mask_id), None))

    def _scan_of(self, row: CatalogRow, mask: Scan | None) -> Scan:
        reader = ScanReader(self._stored.store, row.scan_id, row.digest, row.header)
        return Scan(row, reader, str(ScanUri(f"{self.url}@{self.version}", row.scan_id)), mask)


def open(url: str, *, version: int | None = None, cache_bytes: int = CACHE_BYTES) -> Dataset:  # noqa: A001 - see __init__
    """The dataset at an address, as it is now or at a version.

    Parameters
    ----------
    url
        `file://`, `s3://`, `https://`, `http://`, `memory://`, or a path of a local folder; it may end in `@N` for
        version N. S3 is configured by the usual AWS environment variables.
    version
        A version of the catalog, from 0; None for the newest.
    cache_bytes
        Memory, in each process, for what has been read, so that reading finer fetches only what is new; 0 for none.

    Raises
    ------
    DatasetNotFound
        There is no dataset, or not in that version.
    InvalidRequest
        The address is none, or names another version too.
    StoreError
        The store failed.
    """
    source = Source(url, version, cache_bytes)
    stored = source.open()
    return Dataset(replace(source, url=stored.url, version=stored.catalog.version), (), stored)
