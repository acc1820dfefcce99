"""The files of rows of a catalog, as Parquet.

The rule: what a file says of itself in the log follows from its rows alone, so that it can be made again. Knows rows
as tables, and no log.
"""

from __future__ import annotations

import io
import json
from typing import Any

import polars as pl

from mist.errors import CatalogCorrupt, ObjectNotFound, StoreError
from mist_storage.keys import CATALOG
from mist_storage.sealed_parquet import SEAL_BYTES, require_whole, sealed
from mist_storage.store import Store


def file_key(name: str) -> str:
    """The key of the file of rows `name`."""
    return f"{CATALOG}/{name}"


def file_bytes(rows: pl.DataFrame, name: str) -> bytes:
    """`rows` as the file `name`, without statistics: the log has those that are used; nothing else repeats values."""
    return sealed(_unsealed_bytes(rows), name)


def _unsealed_bytes(rows: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd", statistics=False)
    return buffer.getvalue()


def file_bytes_of_size(rows: pl.DataFrame, name: str, size: int) -> bytes:
    """`rows` as the file `name`, of exactly `size` bytes: it takes the place of another, and the log stays as it is.

    Parquet's metadata stands at a file's end and says where the rows are, so bytes before it may be void.

    Raises
    ------
    StoreError
        The rows need more.
    """
    data = _unsealed_bytes(rows)
    needed = len(data) + SEAL_BYTES
    if needed > size:
        raise StoreError(f"{rows.height} rows take {needed} bytes, not {size}: the catalog cannot be rewritten")
    return sealed(data, name, size - needed)


def file_statistics(rows: pl.DataFrame) -> str:
    """What the log says of a file of `rows`: how many there are, and from which scan id to which."""
    found: dict[str, Any] = {"numRecords": rows.height}
    if rows.height:
        found["minValues"] = {"scan_id": rows["scan_id"].min()}
        found["maxValues"] = {"scan_id": rows["scan_id"].max()}
        found["nullCount"] = {"scan_id": 0}
    return json.dumps(found, separators=(",", ":"))


def read_file(store: Store, name: str, columns: list[str] | None = None) -> pl.DataFrame:
    """The rows of the file `name`, all columns or some.

    Raises
    ------
    CatalogCorrupt
        It is missing or damaged.
    StoreError
        The store failed.
    """
    where = f"{store.url}/{file_key(name)}"
    try:
        return parsed_file(store.get(file_key(name)), name, columns)
    except ObjectNotFound:
        raise CatalogCorrupt(f"{where}: a file of the catalog is missing; restore {CATALOG}/ from a copy") from None
    except (pl.exceptions.PolarsError, ValueError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise CatalogCorrupt(f"{where} is damaged ({reason}); restore {CATALOG}/ from a copy") from None


def parsed_file(data: bytes, name: str, columns: list[str] | None = None) -> pl.DataFrame:
    """The rows in the file `name`; `ValueError` or polars' errors where `data` is not that file."""
    require_whole(data, name)
    return pl.read_parquet(io.BytesIO(data), columns=columns)
