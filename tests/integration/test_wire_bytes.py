"""What crosses the wire for a level: its blocks, and nothing else.

The catalog, which says where a level ends, is read once for all scans of a dataset and is not counted here.
"""

from __future__ import annotations

import numpy as np
import pytest

from mist.block_table import TABLE_ENTRY_BYTES
from mist.geometry import geometry_from_spacing
from mist.request import Request
from mist.volume import Volume
from mist_eval.metered_store import MeteredStore
from mist_storage.zarr_shard import table_range
from tests.stored_scan import ScanAtRest, blobs, stored

THICK = geometry_from_spacing((5.0, 1.0, 1.0))


@pytest.fixture(
    scope="module",
    params=[
        blobs("yx", (1024, 1024), "uint16"),
        blobs("zyx", (24, 160, 192)),
        Volume(blobs("zyx", (9, 200, 200)).voxels, "zyx", THICK),
        blobs("tyxc", (2, 70, 90, 3), "uint8"),
        blobs("yx", (20, 30)),
    ],
    ids=["image of 1024 x 1024", "volume", "thick slices", "frames in colour", "one level"],
)
def scan(request: pytest.FixtureRequest) -> ScanAtRest:
    volume: Volume = request.param
    return stored(volume)


def payload(scan: ScanAtRest, level: int) -> int:
    """The lengths of the blocks that `level` is made of, its own and all coarser ones, as the block table says them."""
    header = scan.stored.header
    start, stop = table_range(header, range(header.layout.numbers(level).stop))
    entries = np.frombuffer(scan.object()[start:stop], np.uint8).reshape(-1, TABLE_ENTRY_BYTES)
    return int(np.ascontiguousarray(entries[:, :4]).view("<u4").sum())


def test_each_level_is_one_get_of_exactly_its_blocks(scan: ScanAtRest) -> None:
    for level in range(scan.stored.header.pyramid.coarsest + 1):
        store = MeteredStore(scan.store)
        scan.read(Request(level=level), store)
        assert (store.requests, store.bytes) == (1, payload(scan, level))


def test_refining_from_the_coarsest_level_to_full_resolution_fetches_each_block_once(scan: ScanAtRest) -> None:
    store = MeteredStore(scan.store)
    seen = [store.bytes for _ in scan.reader(store).refine(Request())]
    assert seen == [payload(scan, level) for level in range(scan.stored.header.pyramid.coarsest, -1, -1)]
    assert store.requests == len(seen)
