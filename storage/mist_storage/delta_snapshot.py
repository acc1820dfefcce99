"""One version of a catalog's table: its files of rows and its schema, as the log says.

The rule: a version is what the entries up to it come to. Knows rows as tables; `mist_storage.catalog` knows what they
mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

import polars as pl

from mist.errors import StoreError
from mist_storage.catalog_files import read_file
from mist_storage.delta_log import Action, LogEntry, read_log
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
        """Names and types of the columns."""
        fields = json.loads(self.metadata["schemaString"])["fields"] if self.metadata else []
        return pl.Schema({each["name"]: type_of(each["type"]) for each in fields})


def newest(store: Store) -> Snapshot:
    """The newest version; -1 and no files where there is none.

    Raises
    ------
    StoreError
        The log is not whole, or the store failed.
    """
    return Snapshot.of(read_log(store))


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


def name_of(dtype: Any) -> Any:  # noqa: ANN401 - a name, or a description of a list
    """Delta Lake's name of a type of column."""
    if isinstance(dtype, pl.List):
        return {"type": "array", "elementType": name_of(dtype.inner), "containsNull": True}
    return _NAMES[dtype.base_type() if isinstance(dtype, pl.DataType) else dtype]


def type_of(name: Any) -> Any:  # noqa: ANN401 - the reverse
    """The type of column of a name; `StoreError` where MIST makes none such."""
    if isinstance(name, Mapping):
        return pl.List(type_of(name["elementType"]))
    if name not in _TYPES:
        raise StoreError(f"the catalog has a column of type {name!r}, which MIST has not made")
    return _TYPES[name]
