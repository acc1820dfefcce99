"""The catalog of a dataset: one row a scan, in a Delta Lake table or in one published Parquet file.

The rule: a scan exists when its row does. Rows are committed after the objects, many in one atomic commit, and a row
replaces the one of the same scan. Every commit is a version that can be read again. Knows rows, not objects.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import polars as pl
import tenacity
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from mist.errors import (
    DatasetNotFound,
    InvalidRequest,
    MistError,
    ObjectNotFound,
    ScanNotFound,
    StoreUnavailable,
)
from mist.scan import ScanHeader, canonical_json
from mist_storage.keys import CATALOG, PUBLISHED_CATALOG
from mist_storage.store import Address, ObjectStore, Store, s3_options, translate_failure

Label = str | int | float | bool | None
"""A value of a label column."""

_SCHEMA: dict[str, Any] = {
    "scan_id": pl.String,
    "digest": pl.String,
    "modality": pl.String,
    "body_part": pl.String,
    "axes": pl.String,
    "shape": pl.List(pl.Int64),
    "spacing_mm": pl.List(pl.Float64),
    "dtype": pl.String,
    "level_shapes": pl.List(pl.List(pl.Int64)),
    "level_end_bytes": pl.List(pl.Int64),
    "mask": pl.String,
    "mask_of": pl.String,
    "source_sha256": pl.String,
    "source_bytes": pl.Int64,
    "stored_bytes": pl.Int64,
    "header": pl.String,
}

RESERVED_COLUMNS = frozenset(_SCHEMA)
"""The catalog's own columns, which labels must not be called."""

_COMMIT_ATTEMPTS = 12
"""How often a commit that lost a race against another writer is made anew on what that one wrote."""


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """What the catalog says of a scan."""

    scan_id: str
    digest: str
    """The digest under which the scan's objects lie."""
    header: ScanHeader
    modality: str
    """DICOM's Modality, such as `CT`; empty where the source is silent."""
    body_part: str
    """DICOM's Body Part Examined, such as `CHEST`; empty where the source is silent."""
    mask: str | None
    """The scan that is this scan's label mask."""
    mask_of: str | None
    """The scan whose label mask this scan is."""
    source_sha256: str
    """Digest over the source files, by which an unchanged source is known again."""
    source_bytes: int
    stored_bytes: int
    labels: Mapping[str, Label] = field(default_factory=dict)

    def to_columns(self) -> dict[str, object]:
        """The row as columns."""
        header = self.header
        infos = [header.level_info(level) for level in range(len(header.levels))]
        return {
            "scan_id": self.scan_id,
            "digest": self.digest,
            "modality": self.modality,
            "body_part": self.body_part,
            "axes": header.axes,
            "shape": list(header.shape),
            "spacing_mm": infos[0].spacing_mm and list(infos[0].spacing_mm),
            "dtype": header.samples.dtype,
            "level_shapes": [list(info.shape) for info in infos],
            "level_end_bytes": [info.end_byte for info in infos],
            "mask": self.mask,
            "mask_of": self.mask_of,
            "source_sha256": self.source_sha256,
            "source_bytes": self.source_bytes,
            "stored_bytes": self.stored_bytes,
            "header": canonical_json(header.to_json()).decode(),
            **self.labels,
        }

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> Self:
        """The row that `to_columns` made."""
        own = ("scan_id", "digest", "modality", "body_part", "mask", "mask_of", "source_sha256", "source_bytes", "stored_bytes")
        labels = {name: value for name, value in columns.items() if name not in RESERVED_COLUMNS}
        header = ScanHeader.from_json(json.loads(columns["header"]))
        return cls(header=header, labels=labels, **{name: columns[name] for name in own})


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
        """The row of a scan; `ScanNotFound` where there is none."""
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
        if _SUBQUERY.search(_QUOTED.sub("", condition)):
            raise InvalidRequest(f"a condition compares columns; queries inside it are not taken: {condition!r}")
        try:
            chosen = self.frame.filter(pl.sql_expr(condition))
        except (pl.exceptions.PolarsError, TypeError) as error:
            reason = str(error).strip().split("\n", 1)[0]
            raise InvalidRequest(f"{condition!r} is not a condition over this catalog: {reason}") from None
        return Catalog(chosen, self.version)


_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_SUBQUERY = re.compile(r"\b(select|from|with|table|values|join)\b", re.IGNORECASE)
"""Words that would begin a query inside a condition, which could read files of the machine."""


def open_catalog(store: ObjectStore, version: int | None = None) -> Catalog:
    """The catalog of the dataset in `store`, as it is now or at `version`.

    Folders and buckets hold a Delta Lake table; what cannot list a folder (`https://`, `memory://`), or has no table,
    holds a published file.

    Raises
    ------
    DatasetNotFound
        There is no catalog, or not in that version.
    StoreError
        The store failed.
    """
    address = Address.parse(store.url)
    if address.scheme in ("file", "s3"):
        table = _table(address, version)
        if table is not None:
            return _read(table)
    return _published(store, version)


def commit_rows(url: str, rows: Sequence[CatalogRow]) -> int:
    """Add `rows` in one atomic commit, each in place of the row of the same scan; the new version is returned.

    Raises
    ------
    InvalidRequest
        A label column holds another type of value than it does in the dataset, or the address cannot be written to.
    StoreError
        The store failed, or other writers kept winning; nothing of `rows` is visible then.
    """
    address = Address.parse(url)
    if address.scheme not in ("file", "s3"):
        raise InvalidRequest(f"{url}: a dataset is written to file:// or s3://")
    try:
        return _commit(address, rows)
    except CommitFailedError as error:
        raise StoreUnavailable(f"{url}: other writers kept committing: {error}; run it again") from None


def publish_catalog(store: Store, catalog: Catalog) -> None:
    """Write `catalog` as the one file that readers of plain web hosting use."""
    store.put(PUBLISHED_CATALOG, published_bytes(catalog))


def published_bytes(catalog: Catalog) -> bytes:
    """`catalog` as a Parquet file; its version is kept in the file's metadata."""
    buffer = io.BytesIO()
    catalog.frame.write_parquet(buffer, metadata={"mist_version": str(catalog.version)})
    return buffer.getvalue()


def _table(address: Address, version: int | None) -> DeltaTable | None:
    """The Delta table at `version`, or None where there is no table."""
    try:
        table = DeltaTable(address.joined(CATALOG).url, storage_options=_options(address))
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        failure = translate_failure(error, address.url, CATALOG)
        if isinstance(failure, ObjectNotFound):
            return None
        raise failure from None
    if version is not None:
        _load_version(table, address, version)
    return table


def _load_version(table: DeltaTable, address: Address, version: int) -> None:
    if not 0 <= version <= table.version():
        raise DatasetNotFound(f"{address.url} has versions 0 to {table.version()}, not {version}")
    table.load_as_version(version)


def _options(address: Address) -> dict[str, str]:
    if address.scheme != "s3":
        return {}
    options = s3_options()
    extra = {"aws_conditional_put": "etag", "allow_http": str(options.get("endpoint", "").startswith("http://")).lower()}
    return {**{f"aws_{name}": value for name, value in options.items()}, **extra}


def _read(table: DeltaTable) -> Catalog:
    rows = QueryBuilder().register("catalog", table).execute("SELECT * FROM catalog").read_all()
    frame = pl.DataFrame(rows)
    return Catalog(_ordered(frame), table.version())


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    labels = sorted(set(frame.columns) - RESERVED_COLUMNS)
    return frame.select(*_SCHEMA, *labels).sort("scan_id")


def _published(store: ObjectStore, version: int | None) -> Catalog:
    try:
        data = store.get(PUBLISHED_CATALOG)
    except ObjectNotFound:
        raise DatasetNotFound(f"{store.url}: there is no dataset here (neither {CATALOG}/ nor {PUBLISHED_CATALOG})") from None
    try:
        found = int(pl.read_parquet_metadata(io.BytesIO(data))["mist_version"])
        frame = _ordered(pl.read_parquet(io.BytesIO(data)))
    except (pl.exceptions.PolarsError, KeyError, ValueError) as error:
        raise MistError(f"{store.url}/{PUBLISHED_CATALOG} is not a catalog: {error}") from None
    if version not in (None, found):
        raise DatasetNotFound(f"{store.url} is published in version {found} alone, not {version}")
    return Catalog(frame, found)


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(CommitFailedError),
    stop=tenacity.stop_after_attempt(_COMMIT_ATTEMPTS),
    wait=tenacity.wait_random_exponential(multiplier=0.05, max=2),
    reraise=True,
)
def _commit(address: Address, rows: Sequence[CatalogRow]) -> int:
    url, options = address.joined(CATALOG).url, _options(address)
    try:
        table = _table(address, None)
        if table is None:
            write_deltalake(url, _frame(rows), mode="error", storage_options=options)
            return 0
        frame = _fitted(_frame(rows), pl.DataFrame(_read(table).frame.head(0)))
        merge = table.merge(frame, "old.scan_id = new.scan_id", source_alias="new", target_alias="old", merge_schema=True)
        merge.when_matched_update_all().when_not_matched_insert_all().execute()
        return table.version()
    except CommitFailedError:
        raise
    except (DeltaError, OSError) as error:
        if "already exists" in str(error):  # another writer made the table just now
            raise CommitFailedError(str(error)) from None
        raise translate_failure(error, address.url, CATALOG) from None


def _frame(rows: Sequence[CatalogRow]) -> pl.DataFrame:
    """`rows` as a frame; a label that is nowhere given a value is taken for text."""
    labels = sorted({name for row in rows for name in row.labels})
    columns = [row.to_columns() for row in rows]
    known = pl.DataFrame(columns, schema=_SCHEMA, strict=True)
    values = {name: [row.get(name) for row in columns] for name in labels}
    found = [_label_column(name, column) for name, column in values.items()]
    return known.with_columns(found)


def _label_column(name: str, values: Sequence[object]) -> pl.Series:
    if name in RESERVED_COLUMNS:
        raise InvalidRequest(f"label column {name!r} has the name of one of the catalog's own columns; rename it")
    try:
        column = pl.Series(name, values, strict=True)
    except TypeError as error:
        raise InvalidRequest(f"label column {name!r} mixes types of values: {error}") from None
    return column.cast(pl.String) if column.dtype == pl.Null else column


def _fitted(frame: pl.DataFrame, existing: pl.DataFrame) -> pl.DataFrame:
    """`frame` with all columns of the `existing` one, in its types."""
    for name, dtype in existing.schema.items():
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, dtype).alias(name))
        elif frame.schema[name] != dtype:
            frame = frame.with_columns(_cast(frame[name], dtype))
    return frame


def _cast(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    number = dtype.is_numeric() and column.dtype.is_numeric()
    if column.null_count() == len(column) or (number and column.cast(dtype).cast(column.dtype).equals(column)):
        return column.cast(dtype)
    raise InvalidRequest(f"label column {column.name!r} holds {dtype} in this dataset, not {column.dtype}; rename it")
