"""Bytes and headers from outside: typed refusals, never another error, never wrong voxels."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mist.block_table import table_entry, walk_blocks
from mist.codec import BlockCorrupt, block_length, decode_block, encode_block
from mist.errors import InvalidRequest
from mist.geometry import geometry_from_spacing
from mist.pyramid import Triple
from mist.samples import to_integers
from mist.scan import ScanHeader, canonical_json
from mist.subbands import Coefficients
from mist.volume import Volume
from tests.encoded_scan import EncodedScan, encode_scan
from tests.strategies import block_shapes, encoded_scans

INT32 = np.dtype(np.int32)


@st.composite
def blocks(draw: st.DrawFn) -> Coefficients:
    """Coefficients of one block, of few bits or as many as the coder takes."""
    dtype = draw(st.sampled_from([np.int32, np.int64]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    reach = 2 ** draw(st.integers(0, 8 * np.dtype(dtype).itemsize - 3))
    return rng.integers(-reach, reach, draw(block_shapes)).astype(dtype)


def shape_of(block: Coefficients) -> Triple:
    z, y, x = block.shape
    return z, y, x


@given(blocks())
@settings(max_examples=100)
def test_a_block_comes_back(block: Coefficients) -> None:
    back = decode_block(encode_block(block), block.dtype, shape_of(block))
    np.testing.assert_array_equal(back, block)


@given(blocks(), st.data())
@settings(max_examples=200)
def test_a_level_with_a_damaged_block_has_another_digest_or_no_blocks(block: Coefficients, data: st.DataObject) -> None:
    encoded = encode_block(block)
    damage = data.draw(st.sampled_from(["flip", "cut", "extend", "drop"]))
    at = data.draw(st.integers(0, len(encoded) - 1))
    damaged = {
        "flip": encoded[:at] + bytes([encoded[at] ^ 1 << data.draw(st.integers(0, 7))]) + encoded[at + 1 :],
        "cut": encoded[:at],
        "extend": encoded + data.draw(st.binary(min_size=1, max_size=9)),
        "drop": encoded[:at] + encoded[at + 1 :],
    }[damage]
    assume(damaged != encoded)  # dropping one of two equal bytes
    try:
        (found,) = walk_blocks(memoryview(damaged), 1)
    except BlockCorrupt:
        return
    assert table_entry(found) != table_entry(encoded)


@given(st.binary(max_size=100), st.integers(0, 120))
def test_the_length_of_a_block_in_arbitrary_bytes_lies_within_them_or_is_refused(data: bytes, offset: int) -> None:
    try:
        length = block_length(data, offset)
    except BlockCorrupt:
        return
    assert 0 < length <= len(data) - offset


@given(st.binary(max_size=200), st.integers(0, 5))
def test_arbitrary_bytes_are_walked_to_their_end_or_refused(data: bytes, count: int) -> None:
    try:
        found = walk_blocks(memoryview(data), count)
    except BlockCorrupt:
        return
    assert b"".join(found) == data


@given(encoded_scans())
@settings(max_examples=60)
def test_every_header_comes_back_from_its_json(stored: tuple[Volume, EncodedScan]) -> None:
    _, scan = stored
    assert ScanHeader.from_json(json.loads(canonical_json(scan.header.to_json()))) == scan.header


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**31 - 2, 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["zyx", "yx", "lazy", "int16", "scaled", "patient"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def good_header() -> dict[str, Any]:
    voxels = np.arange(40 * 50).reshape(40, 50).astype(np.int16)
    header = encode_scan(Volume(voxels, "yx", geometry_from_spacing((1, 1, 1)))).header
    read: dict[str, Any] = json.loads(canonical_json(header.to_json()))
    return read


def changed_somewhere(value: object, data: st.DataObject) -> object:
    """`value` with one part of it, at any depth, replaced or removed."""
    if isinstance(value, dict | list) and value and data.draw(st.integers(0, 3)):
        key = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else list(range(len(value)))))
        copy = value.copy()
        if data.draw(st.integers(0, 5)):
            copy[key] = changed_somewhere(copy[key], data)
        else:
            del copy[key]
        return copy
    return data.draw(json_values)


@given(st.data())
@settings(max_examples=300)
def test_a_header_changed_anywhere_is_a_header_or_refused_and_takes_no_memory(data: st.DataObject) -> None:
    changed = changed_somewhere(good_header(), data)
    if not isinstance(changed, dict):
        return
    tracemalloc.start()
    try:
        header = ScanHeader.from_json(changed)
        assert ScanHeader.from_json(header.to_json()) == header
    except InvalidRequest:
        pass
    finally:
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak_bytes < 1_000_000


@given(st.lists(st.floats(width=32), min_size=1, max_size=50))
@settings(max_examples=200)
def test_any_float32_is_held_as_integers_of_32_bits(values: list[float]) -> None:
    integers, samples = to_integers(np.array(values, np.float32))
    assert integers.dtype == np.int32
    assert (samples.low, samples.high) == (integers.min(), integers.max())
