"""One version of a catalog's table: its files of rows and its schema, as the log says.

The rule: a version is what the entries up to it come to, or the newest checkpoint before it and the entries after that.
Read by `Store`, not by Delta Lake's library, which knows no digests and holds Python's lock for as long as the store
takes to answer. Knows rows as tables; `mist_storage.catalog` knows what they mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

import polars as pl

from mist.errors import CatalogCorrupt, DatasetNotFound, StoreError
from mist_storage.catalog_files import read_file
from mist_storage.delta_checkpoint import read_checkpoint
from mist_storage.delta_entry import Action, LogEntry
from mist_storage.delta_log import listed_log, read_entries
from mist_storage.store import Store

_NAMES = {pl.String: "string", pl.Int64: "long", pl.Float64: "double", pl.Boolean: "boolean"}
"""Types of columns, by Delta Lake's names."""

_TYPES: Mapping[str, Any] = {name: dtype for dtype, name in _NAMES.items()}

_READS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of the table, by its log."""

    version: int
    """-1 where there is none yet."""
    files: Mapping[str, Action] = field(default_factory=dict)
    """The files of rows, by name."""
    metadata: Action | None = None
    """The table's schema and identity."""

    @classmethod
    def of(cls, entries: Iterable[LogEntry]) -> Self:
        """What `entries`, from the first on, come to."""
        snapshot = cls(-1)
        for entry in entries:
            files = {name: file for name, file in snapshot.files.items() if name not in entry.removed}
            snapshot = cls(entry.version, {**files, **entry.added}, entry.metadata or snapshot.metadata)
        return snapshot

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns.

        Raises
        ------
        CatalogCorrupt
            It is none that MIST makes.
        """
        fields = _fields(self.metadata) if self.metadata else []
        return pl.Schema({each["name"]: type_of(each["type"]) for each in fields})


def read_snapshot(store: Store, version: int | None = None) -> Snapshot:
    """A version, the newest one where none is given; -1 and no files where there is none at all.

    Raises
    ------
    DatasetNotFound
        There are versions, but not this one.
    CatalogCorrupt
        The log is not whole.
    StoreError
        The store failed.
    """
    log = listed_log(store)
    if log.versions and version not in (None, *log.versions):
        raise DatasetNotFound(f"{store.url} has versions 0 to {log.versions[-1]}, not {version}")
    wanted = log.versions if version is None else log.versions[: version + 1]
    last = max((number for number in log.checkpoints if number in wanted), default=None)
    checkpoint = None if last is None else read_checkpoint(store, last)
    later = wanted if checkpoint is None else wanted[checkpoint.version + 1 :]
    return Snapshot.of([*([checkpoint] if checkpoint else []), *read_entries(store, later)])


def read_rows(store: Store, snapshot: Snapshot) -> pl.DataFrame:
    """All rows of a version, in no order.

    Raises
    ------
    StoreError
        The store failed, or files are missing.
    """
    with ThreadPoolExecutor(_READS_AT_ONCE) as threads:
        tables = threads.map(lambda name: read_file(store, name), snapshot.files)
        return joined(tables, snapshot.schema)


def joined(tables: Iterable[pl.DataFrame], schema: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of all tables, with the columns of `schema`: null where a table has none."""
    empty = pl.DataFrame(schema=schema)
    whole = [
        table.select(
            pl.col(name).cast(dtype) if name in table.columns else pl.lit(None, dtype).alias(name)
            for name, dtype in schema.items()
        )
        for table in tables
    ]
    return pl.concat([empty, *whole])


def _fields(metadata: Action) -> list[dict[str, Any]]:
    try:
        fields = json.loads(metadata["schemaString"])["fields"]
        return [{"name": str(each["name"]), "type": each["type"]} for each in fields]
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogCorrupt(f"the catalog's schema is none that MIST makes ({error!r})") from None


def name_of(dtype: Any) -> Any:  # noqa: ANN401 - a name, or a description of a list
    """Delta Lake's name of a type of column."""
    if isinstance(dtype, pl.List):
        return {"type": "array", "elementType": name_of(dtype.inner), "containsNull": True}
    return _NAMES[dtype.base_type() if isinstance(dtype, pl.DataType) else dtype]


def type_of(name: Any) -> Any:  # noqa: ANN401 - the reverse
    """The type of column of a name; `StoreError` where MIST makes none such."""
    if isinstance(name, Mapping) and "elementType" in name:
        return pl.List(type_of(name["elementType"]))
    if not isinstance(name, str) or name not in _TYPES:
        raise StoreError(f"the catalog has a column of type {name!r}, which MIST has not made")
    return _TYPES[name]
