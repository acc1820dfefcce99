"""What is stored, read by zarr-python, which knows nothing of MIST."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
import zarr

from mist.codec import decode_block
from mist.subbands import Coefficients
from mist.volume import Volume
from mist.wavelet import MASK_WAVELET
from mist_storage.keys import SOURCE, ZARR_JSON, scan_key
from mist_storage.scan_writer import encode_scan
from mist_storage.store import open_store
from mist_storage.zarr_shard import (
    header_digest,
    level_digest,
    level_span,
    scan_digest,
    shard_bytes,
    shard_index,
    table_range,
    zarr_json,
)
from tests.stored_scan import ScanAtRest, blobs, one_millimetre, stored, tiny

VOLUMES: dict[str, Callable[[], Volume]] = {
    "radiograph": lambda: blobs("yx", (150, 333), "uint16"),
    "ct": lambda: blobs("zyx", (20, 70, 90), "int16"),
    "wide range": lambda: Volume(np.array([[-(2**31), 2**31 - 1, 0, 5]], np.int32), "yx", one_millimetre()),
    "cine": tiny,
    "photograph": lambda: blobs("yxc", (40, 50, 3), "uint8"),
    "line": lambda: blobs("x", (5000,), "int16"),
    "one voxel": lambda: blobs("yx", (1, 1), "int16"),
}


@pytest.fixture(params=sorted(VOLUMES))
def scan(request: pytest.FixtureRequest, tmp_path: Path) -> ScanAtRest:
    """A scan of each kind, in a folder."""
    return stored(VOLUMES[request.param](), store=open_store(str(tmp_path)))


def opened(scan: ScanAtRest, tmp_path: Path) -> zarr.Array[Any]:
    return zarr.open_array(tmp_path / scan.key("")[:-1], mode="r")


def own_blocks(scan: ScanAtRest) -> list[Coefficients]:
    """All blocks in order, cut out by the block table and decoded by our codec."""
    header, data = scan.stored.header, scan.object()
    start, stop = table_range(header, range(header.layout.count))
    lengths = [struct.unpack_from("<I", data, at)[0] for at in range(start, stop, 20)]
    ends = np.cumsum(lengths)
    spans = zip(ends - lengths, ends, strict=True)
    return [decode_block(data[a:b], header.coefficients, header.block_shape) for a, b in spans]


def test_zarr_reads_the_blocks_that_we_decode(scan: ScanAtRest, tmp_path: Path) -> None:
    array = np.asarray(opened(scan, tmp_path)[:])
    np.testing.assert_array_equal(array, np.stack(own_blocks(scan)))


def test_zarr_reads_a_level_as_the_first_blocks(scan: ScanAtRest, tmp_path: Path) -> None:
    array, blocks = opened(scan, tmp_path), own_blocks(scan)
    for level in scan.stored.header.layout.levels:
        count = scan.stored.header.layout.numbers(level).stop
        np.testing.assert_array_equal(np.asarray(array[:count]), np.stack(blocks[:count]))


def test_zarr_finds_the_scans_attributes(scan: ScanAtRest, tmp_path: Path) -> None:
    header = scan.stored.header
    assert opened(scan, tmp_path).attrs.asdict() == {"mist": json.loads(json.dumps(header.to_json()))}


def test_zarr_sees_one_block_a_chunk_and_one_shard(scan: ScanAtRest, tmp_path: Path) -> None:
    array, header = opened(scan, tmp_path), scan.stored.header
    assert array.shape == (header.layout.count, *header.block_shape)
    assert (array.shards, array.chunks) == (array.shape, (1, *header.block_shape))


def test_zarr_needs_one_codec_of_ours_and_no_other(scan: ScanAtRest) -> None:
    codecs = json.loads(scan.object(ZARR_JSON))["codecs"][0]["configuration"]["codecs"]
    assert codecs == [{"name": "mist_block", "configuration": {"version": 1}}]


def test_a_mask_is_read_by_zarr_too(tmp_path: Path) -> None:
    mask = blobs("zyx", (9, 40, 41), "uint8")
    scan = stored(mask, store=open_store(str(tmp_path)), wavelet=MASK_WAVELET)
    np.testing.assert_array_equal(np.asarray(opened(scan, tmp_path)[:]), np.stack(own_blocks(scan)))


def test_the_object_is_as_long_as_the_header_says(scan: ScanAtRest) -> None:
    assert len(scan.object()) == shard_bytes(scan.stored.header)


def test_the_levels_lie_one_after_the_other_from_the_first_byte(scan: ScanAtRest) -> None:
    header = scan.stored.header
    spans = [level_span(header, level) for level in header.layout.levels]
    assert [start for start, _ in spans] == [0, *[stop for _, stop in spans[:-1]]]
    assert [stop for _, stop in spans] == [level.end_byte for level in reversed(header.levels)]


def test_a_levels_digest_is_that_of_its_part_of_the_table(scan: ScanAtRest) -> None:
    header, data = scan.stored.header, scan.object()
    parts = [slice(*table_range(header, header.layout.numbers(level))) for level in range(len(header.levels))]
    assert [level_digest([data[part]]) for part in parts] == [level.digest for level in header.levels]


def test_the_index_ends_in_a_checksum_of_its_entries() -> None:
    index = shard_index([3, 5])
    assert struct.unpack("<4Q", index[:32]) == (0, 3, 3, 5)
    assert int.from_bytes(index[32:], "little") == google_crc32c.value(index[:32])


def test_the_scans_key_holds_digests_of_its_header_and_its_source(scan: ScanAtRest) -> None:
    digest, header = scan.stored.digest, scan.stored.header
    assert digest == scan_digest(header, scan.object(SOURCE))
    assert digest.startswith(header_digest(header))
    assert digest != scan_digest(header, scan.object(SOURCE) + b" ")
    assert scan.key(ZARR_JSON) == scan_key("scan", digest, "zarr.json")


def test_equal_volumes_have_equal_bytes() -> None:
    first, second = encode_scan(tiny()), encode_scan(tiny())
    assert (first.blocks, zarr_json(first.header)) == (second.blocks, zarr_json(second.header))
