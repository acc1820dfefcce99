from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mist.errors import InvalidRequest
from mist.plan import make_plan
from mist.reconstruct import Reconstruction
from mist.request import Box, Request
from mist_storage.prefix_cache import PrefixCache
from mist_storage.scan_reader import MAX_GAP_BYTES
from mist_storage.spans import coalesce
from mist_storage.zarr_shard import level_span, table_range
from tests.scans_at_rest import ct, levels_of, small, spans_of_blocks
from tests.stored_scan import CountingStore, ScanAtRest

REGIONS = (
    Box((0, 0, 0), (1, 1, 1)),
    Box((10, 100, 120), (11, 130, 150)),
    Box((0, 0, 0), (24, 300, 320)),
    Box((23, 299, 319), (24, 300, 320)),
    Box((5, 0, 0), (6, 300, 320)),
    Box((0, 63, 64), (24, 65, 66)),
)


def counted(scan: ScanAtRest) -> CountingStore:
    return CountingStore(scan.store)


@pytest.mark.parametrize("scan", [ct, small])
def test_a_level_is_one_range_from_the_first_byte_to_the_levels_end(scan: Callable[[], ScanAtRest]) -> None:
    for level in levels_of(scan()):
        store = counted(scan())
        scan().read(Request(level=level), store)
        assert store.requests == ["get_range"]
        assert store.ranges == [(0, scan().stored.header.levels[level].end_byte)]


def test_refining_reads_each_byte_once() -> None:
    store = counted(ct())
    list(ct().reader(store).refine(Request()))
    ends = [level.end_byte for level in reversed(ct().stored.header.levels)]
    assert store.ranges == list(zip([0, *ends], ends, strict=False))


def test_refining_gives_every_level_as_reading_does() -> None:
    volumes = list(ct().reader().refine(Request()))
    assert len(volumes) == len(levels_of(ct()))
    for level, volume in zip(reversed(levels_of(ct())), volumes, strict=True):
        read = ct().reader().read(Request(level=level))
        np.testing.assert_array_equal(volume.voxels, read.voxels)
        assert volume.geometry == read.geometry


def test_a_finer_level_after_a_coarser_one_costs_only_the_bytes_beyond() -> None:
    store, ends = counted(ct()), [level.end_byte for level in ct().stored.header.levels]
    cache = PrefixCache(store, 1 << 24)
    for level in (2, 1, 1, 2, 0):
        ct().read(Request(level=level), cache)
    assert store.ranges == [(0, ends[2]), (ends[2], ends[1]), (ends[1], ends[0])]


@pytest.mark.parametrize("region", REGIONS, ids=str)
def test_a_region_is_the_crop_of_the_whole(region: Box) -> None:
    whole = ct().read(Request())
    np.testing.assert_array_equal(ct().read(Request(region=region)), whole[region.slices()])


@pytest.mark.parametrize("region", REGIONS, ids=str)
def test_a_region_that_is_refined_ends_as_the_crop_of_the_whole(region: Box) -> None:
    *_, last = ct().reader().refine(Request(region=region))
    np.testing.assert_array_equal(last.voxels, ct().read(Request())[region.slices()])


def test_a_region_of_one_plane_of_several_is_its_crop() -> None:
    region = Box((0, 3, 5), (1, 11, 30))
    crop = small().read(Request())[:, 3:11, 5:30]
    np.testing.assert_array_equal(small().read(Request(region=region)), crop)


def test_a_small_region_costs_a_small_part_of_the_scan() -> None:
    store = counted(ct())
    ct().read(Request(region=Box((0, 0, 0), (1, 20, 20))), store)
    assert store.bytes_read < ct().stored.header.levels[0].end_byte / 5


def wanted_spans(scan: ScanAtRest, request: Request, level: int) -> list[tuple[int, int]]:
    """Where the blocks of `level` lie that `request` needs."""
    header = scan.stored.header
    blocks = Reconstruction(header, make_plan(header, request)).wanted(level)
    return [spans_of_blocks(scan)[block.number] for block in blocks]


@pytest.mark.parametrize("region", [REGIONS[0], REGIONS[1], REGIONS[3], REGIONS[5]], ids=str)
def test_a_region_reads_the_blocks_that_it_needs_and_only_small_gaps_between_them(region: Box) -> None:
    store, request = counted(ct()), Request(region=region)
    ct().read(request, store)
    start, stop = level_span(ct().stored.header, 0)
    of_level = [span for span in store.ranges if start <= span[0] < stop]
    assert of_level == coalesce(wanted_spans(ct(), request, 0), MAX_GAP_BYTES)


def test_a_region_takes_the_table_entries_of_its_levels_alone() -> None:
    store, header = counted(ct()), ct().stored.header
    ct().read(Request(region=Box((10, 100, 120), (11, 130, 150))), store)
    tables = {table_range(header, header.layout.numbers(level)) for level in levels_of(ct())}
    beyond = [span for span in store.ranges if span[0] >= header.levels[0].end_byte]
    assert beyond
    assert set(beyond) <= tables


def test_nothing_is_fetched_for_a_request_that_cannot_be_answered() -> None:
    store = counted(ct())
    for request in (Request(level=9), Request(max_bytes=1), Request(region=Box((0, 0, 0), (1, 1, 999)))):
        with pytest.raises(InvalidRequest):
            ct().read(request, store)
    assert store.requests == []
