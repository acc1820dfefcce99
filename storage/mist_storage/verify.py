"""Whether a stored scan is whole: every object, every byte, every block.

The rule: nothing is believed. The header comes from the catalog's row; every other byte of the scan must follow from
it or fit a digest in it, and the blocks must decode and give voxels in the scan's range. What is wrong is listed, not
raised; a store that fails is no finding about a scan, and is raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mist.block_table import table_entry, walk_blocks
from mist.blocks import LOW_PASS, scatter
from mist.codec import BlockCorrupt, decode_block
from mist.colour import restored
from mist.errors import ObjectNotFound, ScanCorrupt
from mist.scan import ScanHeader
from mist.subbands import Bands, Coefficients
from mist.wavelet import inverse
from mist.words import joined
from mist_storage.catalog import Catalog
from mist_storage.catalog_row import CatalogRow
from mist_storage.kept_source import kept_problems, may_be_withheld, said_bytes
from mist_storage.keys import BLOCKS, KEPT, SOURCE, ZARR_JSON, scan_key
from mist_storage.presence import absent_objects
from mist_storage.problem import Depth, Problem
from mist_storage.store import Store
from mist_storage.zarr_shard import level_digest, level_span, scan_digest, shard_bytes, shard_index, zarr_json

Blocks = dict[int, Sequence[memoryview]]
"""The blocks of each level that are whole."""


def verify_scans(store: Store, catalog: Catalog, depth: Depth = Depth.DECODE) -> Iterator[tuple[str, list[Problem]]]:
    """The id of each scan of `catalog`, and all that is wrong with it, its catalog row included.

    Raises
    ------
    InvalidRequest
        The store lists nothing, and `depth` asks for no more than a listing.
    StoreError
        The store failed.
    """
    if depth in (Depth.PRESENT, Depth.SIZE):
        yield from absent_objects(store, catalog, sized=depth is Depth.SIZE)
        return
    for scan_id in catalog.scan_ids:
        try:
            row = catalog.row(scan_id)
        except ScanCorrupt as error:
            yield scan_id, [Problem(scan_id, error.level, error.reason)]
        else:
            yield scan_id, verify_scan(store, row, decoded=depth is Depth.DECODE)


def verify_scan(store: Store, row: CatalogRow, *, decoded: bool = True) -> list[Problem]:
    """All that is wrong with the objects of a scan; empty where it is whole.

    Parameters
    ----------
    store
        The dataset's store.
    row
        What the catalog says of the scan.
    decoded
        Whether blocks are decoded as well.

    Raises
    ------
    StoreError
        The store failed.
    """
    found = {name: _stored(store, row, name) for name in (ZARR_JSON, SOURCE, BLOCKS)}
    problems = [Problem(row.scan_id, None, f"{name} is missing") for name, data in found.items() if data is None]
    zarr, source, blocks = found[ZARR_JSON], found[SOURCE], found[BLOCKS]
    if zarr is not None:
        problems += _zarr_problems(row, zarr)
    if source is not None:
        problems += _digest_problems(row, source)
        problems += _kept_problems(store, row, source)
    if blocks is not None:
        problems += _block_problems(row, blocks, decoded=decoded)
    if not problems and (size := _size(found)) != row.stored_bytes:
        problems.append(Problem(row.scan_id, None, f"{size} bytes are stored, the catalog says {row.stored_bytes}"))
    return problems


def _size(found: Mapping[str, bytes | None]) -> int:
    """Size of all objects, `source.zst` included, whose size has been checked already."""
    return sum(len(data or b"") for data in found.values()) + said_bytes(found[SOURCE] or b"{}")


def _stored(store: Store, row: CatalogRow, name: str) -> bytes | None:
    try:
        return store.get(scan_key(row.scan_id, row.digest, name))
    except ObjectNotFound:
        return None


def _zarr_problems(row: CatalogRow, data: bytes) -> Iterator[Problem]:
    if data != zarr_json(row.header):
        yield Problem(row.scan_id, None, f"{ZARR_JSON} is not what the catalog's header gives")


def _digest_problems(row: CatalogRow, source: bytes) -> Iterator[Problem]:
    digest = scan_digest(row.header, source)
    if digest != row.digest:
        yield Problem(row.scan_id, None, f"its header and {SOURCE} have digest {digest}, not {row.digest}")


def _kept_problems(store: Store, row: CatalogRow, source: bytes) -> Iterator[Problem]:
    """What is wrong with the object that `source` vouches for, if there should be one."""
    if not said_bytes(source):
        return
    data = _stored(store, row, KEPT)
    if data is None and may_be_withheld(store):
        return
    yield from (Problem(row.scan_id, None, reason) for reason in kept_problems(source, data))


def _block_problems(row: CatalogRow, data: bytes, *, decoded: bool) -> Iterator[Problem]:
    """What is wrong with the object of blocks: its size, its levels, its block table and index, its voxels."""
    header, view = row.header, memoryview(data)
    if len(data) != shard_bytes(header):
        yield Problem(row.scan_id, None, f"{BLOCKS} has {len(data)} bytes, not {shard_bytes(header)}")
    blocks: Blocks = {}
    for level in header.layout.levels:
        try:
            blocks[level] = _checked_blocks(header, level, view[slice(*level_span(header, level))])
        except BlockCorrupt as error:
            yield Problem(row.scan_id, level, str(error))
    if len(blocks) == len(header.levels):
        yield from _tail_problems(row, [block for level in header.layout.levels for block in blocks[level]], view)
        yield from _voxel_problems(row, blocks) if decoded else ()


def _checked_blocks(header: ScanHeader, level: int, data: memoryview) -> Sequence[memoryview]:
    blocks = walk_blocks(data, len(header.layout.numbers(level)))
    digest, expected = level_digest(map(table_entry, blocks)), header.levels[level].digest
    if digest != expected:
        raise BlockCorrupt(f"its bytes have digest {digest[:16]}, not {expected[:16]}")
    return blocks


def _tail_problems(row: CatalogRow, blocks: Sequence[memoryview], data: memoryview) -> Iterator[Problem]:
    """What is wrong after the last block: the block table, then Zarr's index."""
    table, index = b"".join(map(table_entry, blocks)), shard_index(map(len, blocks))
    start = row.header.levels[0].end_byte
    if data[start : start + len(table)] != table:
        yield Problem(row.scan_id, None, "the block table does not fit the blocks")
    if data[start + len(table) :] != index:
        yield Problem(row.scan_id, None, "the Zarr index does not fit the blocks")


def _voxel_problems(row: CatalogRow, blocks: Blocks) -> Iterator[Problem]:
    samples = row.header.samples
    try:
        voxels = _voxels(row.header, blocks)
    except BlockCorrupt as error:
        yield Problem(row.scan_id, None, str(error))
        return
    low, high = int(voxels.min()), int(voxels.max())
    if (low, high) != (samples.low, samples.high):
        yield Problem(row.scan_id, 0, f"its voxels range over {low} to {high}, not {samples.low} to {samples.high}")


def _voxels(header: ScanHeader, blocks: Blocks) -> Coefficients:
    """The stored integers of level 0 (planes, z, y, x), not clamped, rebuilt without a plan."""
    pyramid = header.pyramid
    low = _bands(header, pyramid.coarsest, blocks)[LOW_PASS]
    for level in range(pyramid.coarsest - 1, -1, -1):
        bands = _bands(header, level, blocks)
        low = inverse({**bands, LOW_PASS: low}, pyramid.halved[level], header.lifting)
    low = restored(low, header.colour)
    return joined(low) if header.samples.is_wide else low


def _bands(header: ScanHeader, level: int, blocks: Blocks) -> Bands:
    layout, dtype = header.layout, header.coefficients
    bands = {band: np.empty((layout.planes, *layout.band_shape(level, band)), dtype) for band in layout.bands(level)}
    for block, data in zip(layout.blocks(level), blocks[level], strict=True):
        scatter(block, decode_block(data, dtype, header.block_shape), bands[block.band], (0, 0, 0))
    return bands
