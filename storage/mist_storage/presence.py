"""Whether the objects of stored scans are there, by a listing alone: one request for a thousand of them.

The rule: what should be there follows from the catalog's rows. What is wrong is listed, not raised. An object that has
its size may still be altered: see `mist_storage.verify`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mist.errors import InvalidRequest, ScanCorrupt
from mist_storage.address import Address
from mist_storage.catalog import Catalog
from mist_storage.catalog_row import CatalogRow
from mist_storage.keys import BLOCKS, KEPT, SCANS, SOURCE, ZARR_JSON, scan_key
from mist_storage.problem import Problem
from mist_storage.store import Store
from mist_storage.zarr_shard import shard_bytes, zarr_json

Sizes = Mapping[str, int]
"""Bytes of each object of a scan that is there, by its name."""

_ALWAYS = (ZARR_JSON, SOURCE, BLOCKS)


def absent_objects(store: Store, catalog: Catalog, *, sized: bool) -> Iterator[tuple[str, list[Problem]]]:
    """The id of each scan of `catalog`, and which of its objects are missing; with `sized`, or of another size.

    Raises
    ------
    InvalidRequest
        The store is a web server, which lists nothing.
    StoreError
        The store failed.
    """
    if Address.parse(store.url).scheme in ("http", "https"):
        raise InvalidRequest(f"{store.url}: a web server lists no objects; ask for --depth digest or decode")
    stored = dict(store.list(SCANS))
    for scan_id in catalog.scan_ids:
        try:
            row = catalog.row(scan_id)
        except ScanCorrupt as error:
            yield scan_id, [Problem(scan_id, error.level, error.reason)]
            continue
        keys = {name: scan_key(row.scan_id, row.digest, name) for name in (*_ALWAYS, KEPT)}
        sizes = {name: stored[key] for name, key in keys.items() if key in stored}
        found = [*_missing(row, sizes)]
        if sized and not found:
            found = [*_misfits(row, sizes)]
        yield scan_id, [Problem(scan_id, None, reason) for reason in found]


def _missing(row: CatalogRow, sizes: Sizes) -> Iterator[str]:
    absent = [name for name in _ALWAYS if name not in sizes]
    if not absent and KEPT not in sizes and sum(sizes.values()) < row.stored_bytes:
        absent = [KEPT]  # of which the row only tells by what all objects have together
    yield from (f"{name} is missing" for name in absent)


def _misfits(row: CatalogRow, sizes: Sizes) -> Iterator[str]:
    expected = {ZARR_JSON: len(zarr_json(row.header)), BLOCKS: shard_bytes(row.header)}
    wrong = [f"{name} has {sizes[name]} bytes, not {size}" for name, size in expected.items() if sizes[name] != size]
    if not wrong and (total := sum(sizes.values())) != row.stored_bytes:
        wrong = [f"{total} bytes are stored, the catalog says {row.stored_bytes}"]
    yield from wrong
