from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import pytest

from mist.errors import InvalidRequest, ScanCorrupt
from mist.plan import make_plan
from mist.reconstruct import Reconstruction
from mist.request import Box, Request
from mist.volume import Volume
from mist_storage.keys import BLOCKS
from mist_storage.prefix_cache import PrefixCache
from mist_storage.scan_reader import MAX_GAP_BYTES, BytesReader
from mist_storage.spans import coalesce
from mist_storage.zarr_shard import level_span, table_range
from tests.stored_scan import CountingStore, ScanAtRest, blobs, memory_store, stored, tiny

REGIONS = (
    Box((0, 0, 0), (1, 1, 1)),
    Box((10, 100, 120), (11, 130, 150)),
    Box((0, 0, 0), (24, 300, 320)),
    Box((23, 299, 319), (24, 300, 320)),
    Box((5, 0, 0), (6, 300, 320)),
    Box((0, 63, 64), (24, 65, 66)),
)


@lru_cache
def ct() -> ScanAtRest:
    """A volume of many blocks, whose finest level is several times larger than what is read whole."""
    return stored(blobs("zyx", (24, 300, 320)))


@lru_cache
def small(seed: int = 0) -> ScanAtRest:
    return stored(tiny(seed), f"small-{seed}")


def counted(scan: ScanAtRest) -> CountingStore:
    return CountingStore(scan.store)


def levels_of(scan: ScanAtRest) -> range:
    return range(len(scan.stored.header.levels))


def spans_of_blocks(scan: ScanAtRest) -> list[tuple[int, int]]:
    """Where each block of the scan lies."""
    header, data = scan.stored.header, scan.object()
    start, stop = table_range(header, range(header.layout.count))
    ends = np.cumsum([int.from_bytes(data[at : at + 4], "little") for at in range(start, stop, 20)]).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True))


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


def outcome(scan: ScanAtRest, data: bytes, request: Request) -> Volume | ScanCorrupt:
    """What comes of reading `scan` with `data` for its blocks."""
    reader = scan.reader()
    try:
        return type(reader)(BytesReader(memoryview(data)), reader.scan_id, reader.digest, reader.header).read(request)
    except ScanCorrupt as error:
        return error


def assert_detected(scan: ScanAtRest, data: bytes, level: int, damaged: range) -> None:
    """Reading `level` fails where its prefix is damaged, naming scan and a level at fault, and is exact otherwise."""
    found = outcome(scan, data, Request(level=level))
    if damaged.start < scan.stored.header.levels[level].end_byte:
        assert isinstance(found, ScanCorrupt)
        assert found.scan_id == scan.stored.scan_id
        assert found.level in levels_of(scan)
        assert f"scan '{scan.stored.scan_id}', level " in str(found)
    else:
        assert isinstance(found, Volume)
        np.testing.assert_array_equal(found.voxels, scan.read(Request(level=level)))


def test_every_flipped_bit_of_a_level_is_found_when_it_is_read() -> None:
    data, bits = small().object(), random.Random(0)  # noqa: S311 - any bits will do
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << bits.randrange(8)
        for level in levels_of(small()):
            assert_detected(small(), bytes(flipped), level, range(at, at + 1))


def test_a_damaged_level_is_the_one_that_is_named() -> None:
    for level in levels_of(small()):
        start, stop = level_span(small().stored.header, level)
        for at in (start, (start + stop) // 2, stop - 1):
            data = bytearray(small().object())
            data[at] ^= 1
            found = outcome(small(), bytes(data), Request())
            assert isinstance(found, ScanCorrupt)
            assert found.level == level


def test_every_truncation_is_found_when_what_is_cut_off_is_read() -> None:
    data = small().object()
    for length in range(0, len(data), 3):
        for level in levels_of(small()):
            assert_detected(small(), data[:length], level, range(length, len(data)))


def test_every_flipped_bit_of_a_large_scan_is_found_or_harmless_to_a_region() -> None:
    data, bits = ct().object(), random.Random(1)  # noqa: S311 - any bits will do
    request = Request(region=Box((10, 100, 120), (11, 130, 150)))
    expected, found = ct().read(request), set()
    for _ in range(120):
        flipped = bytearray(data)
        flipped[bits.randrange(len(data))] ^= 1 << bits.randrange(8)
        result = outcome(ct(), bytes(flipped), request)
        found.add(type(result))
        assert isinstance(result, ScanCorrupt) or np.array_equal(result.voxels, expected)
    assert found == {ScanCorrupt, Volume}


def test_every_flipped_bit_of_the_tables_that_a_region_reads_is_found() -> None:
    request, header = Request(region=Box((10, 100, 120), (11, 130, 150))), ct().stored.header
    start, stop = table_range(header, header.layout.numbers(0))
    for at in range(start, stop, 13):
        flipped = bytearray(ct().object())
        flipped[at] ^= 1 << at % 8
        found = outcome(ct(), bytes(flipped), request)
        assert isinstance(found, ScanCorrupt)
        assert found.level == 0


def swaps(scan: ScanAtRest) -> Iterator[bytes]:
    """The object of blocks with every two different blocks exchanged."""
    data, spans = scan.object(), spans_of_blocks(scan)
    for number, (a, b) in enumerate(spans):
        for c, d in spans[number + 1 :]:
            if data[a:b] != data[c:d]:
                yield data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def test_every_two_blocks_that_change_places_are_found() -> None:
    found = [outcome(small(), data, Request()) for data in swaps(small())]
    assert len(found) > 20
    assert all(isinstance(each, ScanCorrupt) for each in found)


def test_blocks_of_equal_length_that_change_places_are_found() -> None:
    scan = stored(blobs("tyx", (2, 20, 36), "uint8"))
    frames = Volume(scan.volume.voxels[::-1].copy(), "tyx", scan.volume.geometry)
    other = stored(frames, "scan")
    lengths = [b - a for a, b in spans_of_blocks(scan)]
    assert sorted(lengths) == sorted(b - a for a, b in spans_of_blocks(other))
    assert isinstance(outcome(scan, other.object(), Request()), ScanCorrupt)


def test_a_block_given_twice_is_found() -> None:
    (a, b), (c, d) = spans_of_blocks(small())[:2]
    data = small().object()
    assert isinstance(outcome(small(), data[:c] + data[a:b] + data[d:], Request()), ScanCorrupt)


def test_the_blocks_of_another_scan_are_found() -> None:
    for level in levels_of(small()):
        found = outcome(small(), small(1).object(), Request(level=level))
        assert isinstance(found, ScanCorrupt)
        assert found.scan_id == "small-0"


@pytest.mark.parametrize("request_", [Request(), Request(level=1), Request(region=Box((0, 0, 0), (1, 2, 2)))], ids=str)
def test_a_missing_object_is_a_corrupt_scan(request_: Request) -> None:
    scan = stored(tiny())
    scan.store.delete([scan.key(BLOCKS)])
    with pytest.raises(ScanCorrupt, match=r"scan 'scan', level .*: the object of blocks is missing"):
        scan.read(request_)


def test_an_empty_object_is_a_corrupt_scan() -> None:
    scan = stored(tiny())
    scan.store.put(scan.key(BLOCKS), b"")
    with pytest.raises(ScanCorrupt, match="0 bytes came"):
        scan.read(Request())


def test_a_corrupt_prefix_is_not_made_good_by_a_cache() -> None:
    scan = stored(tiny())
    cache = PrefixCache(scan.store, 1 << 20)
    scan.store.put(scan.key(BLOCKS), bytes(len(scan.object())))
    for _ in range(2):
        with pytest.raises(ScanCorrupt):
            scan.read(Request(), cache)


@pytest.mark.parametrize("way", ["read", "refine"])
def test_bytes_that_turned_out_bad_are_not_read_from_the_cache_again(way: str) -> None:
    scan = stored(tiny(3), store=memory_store())
    cached = PrefixCache(scan.store, 1 << 20)
    good = scan.object()

    def read() -> None:
        reader = scan.reader(cached)
        list(reader.refine(Request())) if way == "refine" else [reader.read(Request())]

    scan.store.put(scan.key(), bytes([good[0] ^ 1]) + good[1:])
    with pytest.raises(ScanCorrupt):
        read()
    scan.store.put(scan.key(), good)
    read()
