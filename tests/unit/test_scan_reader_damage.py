"""Blocks that are altered, cut short, exchanged or gone: found by whoever reads them, and never read as an image."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from mist.errors import ScanCorrupt
from mist.request import Box, Request
from mist.volume import Volume
from mist_storage.keys import BLOCKS
from mist_storage.prefix_cache import PrefixCache
from mist_storage.scan_reader import BytesReader
from mist_storage.zarr_shard import level_span, table_range
from tests.scans_at_rest import ct, levels_of, small, spans_of_blocks
from tests.stored_scan import ScanAtRest, blobs, memory_store, stored, tiny


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
