"""Rows as a table whose label columns fit those that a catalog has.

The rule: a label column holds one type of value in all of a dataset: text, whole numbers, numbers or truth values.
What does not fit is refused with the column's name, never converted in a way that loses something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from mist.errors import InvalidRequest
from mist_storage.catalog_row import RESERVED_COLUMNS, SCHEMA, CatalogRow

_KINDS: dict[type, Any] = {bool: pl.Boolean, int: pl.Int64, float: pl.Float64, str: pl.String}
"""Python types of label values, the narrower first, and the columns that hold them."""

_NAMES = {pl.Boolean: "truth values", pl.Int64: "whole numbers", pl.Float64: "numbers", pl.String: "text"}


def table_of(rows: Sequence[CatalogRow]) -> pl.DataFrame:
    """`rows` as a table; a label that none of them has a value for is left out.

    Raises
    ------
    InvalidRequest
        A label has a name that no column can have, or values of several types.
    """
    names = sorted({name for row in rows for name in row.labels})
    _check_names(names, RESERVED_COLUMNS)
    known = pl.DataFrame([row.to_columns() for row in rows], schema=SCHEMA, strict=True)
    values = {name: [row.labels.get(name) for row in rows] for name in names}
    return known.with_columns([_column(name, column) for name, column in values.items() if set(column) != {None}])


def fitted(table: pl.DataFrame, existing: pl.Schema) -> pl.DataFrame:
    """`table` with all columns of an `existing` one, in its types.

    Raises
    ------
    InvalidRequest
        A column holds another type of value there, or is there in another case of letters.
    """
    _check_names([name for name in table.columns if name not in existing], existing)
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in existing.items() if name not in table.columns]
    changed = [_cast(table[name], dtype) for name, dtype in existing.items() if name in table.columns]
    return table.with_columns(*missing, *changed)


def _check_names(names: Sequence[str], taken: Iterable[str]) -> None:
    """Delta Lake tells columns apart without regard to case, and cannot quote a backtick."""
    seen = {name.lower(): name for name in taken}
    for name in names:
        if not name.strip() or re.search(r"[`\x00-\x1f]", name):
            raise InvalidRequest(
                f"label column {name!r} needs a name without backticks and control characters; rename it"
            )
        if name.lower() in seen:
            raise InvalidRequest(f"label column {name!r} has the name of the column {seen[name.lower()]!r}; rename it")
        seen[name.lower()] = name


def _column(name: str, values: Sequence[object]) -> pl.Series:
    dtypes = {_dtype(name, value) for value in values if value is not None}
    is_mixed = dtypes == {pl.Int64, pl.Float64}
    if len(dtypes) > 1 and not is_mixed:
        kinds = " and ".join(sorted(_NAMES[dtype] for dtype in dtypes))
        raise InvalidRequest(f"label column {name!r} mixes {kinds}; give all its values one type")
    dtype = pl.Float64 if is_mixed else next(iter(dtypes))
    try:
        return pl.Series(name, values, dtype, strict=not is_mixed)
    except (OverflowError, TypeError):
        raise InvalidRequest(f"label column {name!r} holds a number that 64 bits cannot; make it text") from None


def _dtype(name: str, value: object) -> Any:  # noqa: ANN401 - polars' types of columns are classes
    for kind, dtype in _KINDS.items():
        if isinstance(value, kind):
            return dtype
    raise InvalidRequest(
        f"label column {name!r} holds a {type(value).__name__}; labels are text, numbers or truth values"
    )


def _cast(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    if column.dtype == dtype:
        return column
    if dtype.is_numeric() and column.dtype.is_numeric():
        cast = column.cast(dtype, strict=False)
        if cast.cast(column.dtype, strict=False).equals(column):
            return cast
    raise InvalidRequest(
        f"label column {column.name!r} holds {_NAMES.get(type(dtype), dtype)} in this dataset, not "
        f"{_NAMES.get(type(column.dtype), column.dtype)}; convert it or rename it"
    )
