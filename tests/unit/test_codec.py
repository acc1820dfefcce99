from __future__ import annotations

import contextlib
from collections import Counter
from itertools import islice

import numpy as np
import pytest

from mist.codec import (
    BlockCorrupt,
    block_length,
    block_places,
    block_spans,
    decode_block,
    decode_blocks_into,
    encode_block,
)
from mist.errors import InvalidRequest
from mist.pyramid import Triple
from mist.subbands import Coefficients
from tests.codec_blocks import DTYPES, LARGEST, MAKERS, body_of, decode_into_box, make_block, mutants, sealed, varint

SHAPE = (2, 8, 16)
INT32 = np.dtype(np.int32)
BOTH_DTYPES = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def coefficients(dtype: np.dtype[np.signedinteger] = INT32, shape: Triple = SHAPE) -> Coefficients:
    return np.round(np.random.default_rng(0).laplace(0, 3, shape)).astype(dtype)


def decode(data: bytes) -> Coefficients:
    return decode_block(data, INT32, SHAPE)


@BOTH_DTYPES
@pytest.mark.parametrize("name", MAKERS)
def test_a_block_comes_back(name: str, dtype: np.dtype[np.signedinteger]) -> None:
    block = make_block(name, dtype)
    back = decode_block(encode_block(block), dtype, block.shape)
    np.testing.assert_array_equal(back, block, strict=True)


@BOTH_DTYPES
def test_values_of_the_largest_magnitude_come_back_and_larger_ones_are_refused(
    dtype: np.dtype[np.signedinteger],
) -> None:
    for value in (LARGEST[dtype], -LARGEST[dtype]):
        block = np.full(SHAPE, value, dtype)
        np.testing.assert_array_equal(decode_block(encode_block(block), dtype, SHAPE), block)
        block[1, 2, 3] += np.sign(value)
        with pytest.raises(InvalidRequest, match="magnitude"):
            encode_block(block)


@pytest.mark.parametrize("shape", [(0, 4, 4), (2, 0, 3), (2, 3, 0), (0, 0, 0)])
@pytest.mark.parametrize("flags", range(1, 32))
def test_a_block_without_values_is_an_empty_one_and_nothing_else(shape: Triple, flags: int) -> None:
    assert encode_block(np.empty(shape, np.int32)) == b"\1\0"
    assert decode_block(b"\1\0", INT32, shape).shape == shape
    with pytest.raises(BlockCorrupt):
        decode_block(sealed(bytes([flags]) + b"\1" * 40), INT32, shape)


@pytest.mark.parametrize("shape", [(8, 64, 64), (1, 1, 1), (3, 5, 7)])
def test_a_block_of_zeros_takes_two_bytes(shape: Triple) -> None:
    assert len(encode_block(np.zeros(shape, np.int32))) == 2


def test_values_around_a_block_that_is_decoded_in_place_stay_as_they_were() -> None:
    array = np.full([length + 3 for length in SHAPE], 5, np.int32)
    z, y, x = SHAPE
    decode_into_box([encode_block(coefficients())], SHAPE, array, (1, 1, 1), (z + 1, y + 1, x + 1))
    inside = array[1:-2, 1:-2, 1:-2]
    np.testing.assert_array_equal(inside, coefficients())
    inside[:] = 5
    assert (array == 5).all()


def test_padding_is_left_out_where_a_block_is_decoded_into_a_smaller_box() -> None:
    padded = np.zeros((8, 16, 16), np.int32)
    padded[:3, :5, :7] = 9
    out = np.empty((3, 5, 7), np.int32)
    decode_into_box([encode_block(padded)], (8, 16, 16), out, (0, 0, 0), (3, 5, 7))
    assert (out == 9).all()


@pytest.mark.parametrize("last", [(0, 0, 15), (7, 0, 0), (0, 15, 0)])
def test_a_block_that_holds_more_than_the_box_is_refused(last: Triple) -> None:
    block = np.zeros((8, 16, 16), np.int32)
    block[last] = 1
    with pytest.raises(BlockCorrupt, match="contradicts"):
        decode_into_box([encode_block(block)], (8, 16, 16), np.empty((4, 8, 8), np.int32), (0, 0, 0), (4, 8, 8))


@BOTH_DTYPES
@pytest.mark.parametrize("shape", [(1, 3, 5), (2, 64, 64)])
@pytest.mark.parametrize("count", [2, 3, 9, 17])
def test_blocks_that_are_decoded_together_are_those_that_are_decoded_one_by_one(
    count: int, shape: Triple, dtype: np.dtype[np.signedinteger]
) -> None:
    rng = np.random.default_rng(count)
    spreads = rng.choice([0, 0.3, 4, 60, 5000], count)
    blocks = [np.round(rng.laplace(0, 1, shape) * spread).astype(dtype) for spread in spreads]
    blocks[count // 2][:, shape[1] // 2 :] = 0  # of other extents than the others
    encoded = [encode_block(block) for block in blocks]
    out = np.empty(sum(block.size for block in blocks), dtype)
    places = block_places((number * blocks[0].size, shape, (0, 0, 0), shape) for number in range(count))
    decode_blocks_into(b"".join(encoded), block_spans(map(len, encoded)), shape, out, places)
    np.testing.assert_array_equal(out.reshape(-1, *shape), blocks)


def test_one_bad_block_among_many_is_told() -> None:
    blocks = [encode_block(coefficients())] * 3
    blocks[1] = sealed(body_of(blocks[1])[:-1])
    with pytest.raises(BlockCorrupt, match="one of 3 blocks"):
        decode_into_box(blocks, SHAPE, np.empty((3, *SHAPE), np.int32)[0], (0, 0, 0), SHAPE)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_block_decodes_from_any_kind_of_bytes(kind: type[bytes]) -> None:
    np.testing.assert_array_equal(decode(kind(encode_block(coefficients()))), coefficients())


def test_a_block_is_decoded_from_a_view_of_a_prefix() -> None:
    data = b"xyz" + encode_block(coefficients()) + b"more"
    length = block_length(data, 3)
    back = decode_block(memoryview(data)[3 : 3 + length], INT32, SHAPE)
    np.testing.assert_array_equal(back, coefficients())


def test_a_block_that_is_not_contiguous_is_encoded_alike() -> None:
    wide = np.repeat(coefficients(), 2, axis=2)
    assert encode_block(wide[..., ::2]) == encode_block(coefficients())


@BOTH_DTYPES
def test_both_dtypes_have_the_same_bytes(dtype: np.dtype[np.signedinteger]) -> None:
    assert encode_block(coefficients(dtype)) == encode_block(coefficients())


def test_a_block_says_its_own_length() -> None:
    data = encode_block(coefficients())
    assert block_length(data, 0) == len(data)


@pytest.mark.parametrize("name", ["two columns", "eight lanes", "unequal lanes", "a deep picture", "noise", "low bits"])
def test_every_truncation_is_refused(name: str) -> None:
    block = make_block(name, INT32)
    data = encode_block(block)
    body = body_of(data)
    for length in range(0, len(body), max(1, len(body) // 300)):
        for short in (data[:length], sealed(body[:length])):
            with pytest.raises(BlockCorrupt):
                decode_block(short, INT32, block.shape)


@pytest.mark.parametrize("name", ["two columns", "eight lanes", "a deep picture", "noise", "low bits", "zeros"])
@pytest.mark.parametrize("extension", [b"\0", b"\0" * 100, b"\xff"])
def test_bytes_after_a_block_are_refused(name: str, extension: bytes) -> None:
    block = make_block(name, INT32)
    data = encode_block(block)
    for long in (data + extension, sealed(body_of(data) + extension)):
        with pytest.raises(BlockCorrupt):
            decode_block(long, INT32, block.shape)


@pytest.mark.parametrize("name", ["two columns", "a small picture", "low bits in one lane", "noise", "escapes"])
def test_a_flipped_bit_is_refused_or_gives_a_block_of_the_same_shape(name: str) -> None:
    block = make_block(name, INT32)
    data = bytearray(encode_block(block))
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(BlockCorrupt):
            assert decode_block(bytes(data), INT32, block.shape).shape == block.shape
        data[bit // 8] ^= 1 << bit % 8


@BOTH_DTYPES
def test_damage_is_refused_or_gives_a_block_of_the_same_shape(dtype: np.dtype[np.signedinteger]) -> None:
    blocks = [make_block(name, dtype) for name in MAKERS if name != "a whole block"]
    outcomes: Counter[str] = Counter()
    for data, block in islice(mutants(blocks, np.random.default_rng(0)), 3000):
        try:
            assert decode_block(data, dtype, block.shape).shape == block.shape
            outcomes["decoded"] += 1
        except BlockCorrupt:
            outcomes["refused"] += 1
    assert outcomes["refused"] > outcomes["decoded"] > 0


@pytest.mark.parametrize("shape", [(2, 8, 15), (2, 8, 17), (1, 8, 16), (2, 7, 16), (3, 8, 16), (2, 16, 16)])
def test_a_block_of_another_size_is_refused(shape: Triple) -> None:
    for loudness in (1, 1000):  # coded, raw
        with pytest.raises(BlockCorrupt):
            decode(encode_block(loudness * coefficients(shape=shape) + 1))


@pytest.mark.parametrize("length", [0, 1, 15, 16, 127, 128, 2**31, 2**32 - 1, 2**35 - 1])
def test_a_lie_about_the_encoded_length_is_refused(length: int) -> None:
    data = varint(length) + body_of(encode_block(coefficients()))
    with pytest.raises(BlockCorrupt):
        decode(data)
    with contextlib.suppress(BlockCorrupt):
        assert block_length(data, 0) <= len(data)


@pytest.mark.parametrize("data", [b"", b"\0", b"\x80", b"\x80" * 5 + b"\0", b"\xff" * 20, b"\1", b"\1\1", b"\1\2"])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(BlockCorrupt):
        decode(data)


@pytest.mark.parametrize(
    "extents", [(0, 8, 16), (2, 0, 16), (2, 8, 0), (3, 8, 16), (2, 9, 16), (2, 8, 17), (2, 8, 2**34)]
)
def test_extents_that_are_not_within_the_block_are_refused(extents: Triple) -> None:
    with pytest.raises(BlockCorrupt):
        decode(sealed(b"\6" + b"".join(map(varint, extents)) + b"\1" + bytes(32)))


@pytest.mark.parametrize("width", [0, 32, 33, 64, 255])
def test_a_width_that_no_number_has_is_refused(width: int) -> None:
    with pytest.raises(BlockCorrupt):
        decode(sealed(bytes([2, width]) + bytes(width * 256 // 8)))


@pytest.mark.parametrize("shift", [0, 27, 32, 255])
def test_a_shift_that_no_block_has_is_refused(shift: int) -> None:
    with pytest.raises(BlockCorrupt):
        decode(sealed(bytes([17, 0, shift]) + bytes(shift * 256 // 8) + b"\0\0\1\0"))


def test_a_table_set_that_there_is_not_is_refused() -> None:
    body = bytearray(body_of(encode_block(coefficients())))
    body[1] = 16
    with pytest.raises(BlockCorrupt):
        decode(sealed(bytes(body)))


def test_two_blocks_with_their_lengths_swapped_are_refused() -> None:
    one, other = encode_block(coefficients()), encode_block(coefficients() * 9)
    for body, length in ((one, other), (other, one)):
        with pytest.raises(BlockCorrupt):
            decode(varint(len(body_of(length))) + body_of(body))


@BOTH_DTYPES
def test_residuals_that_add_up_beyond_the_largest_value_are_refused(dtype: np.dtype[np.signedinteger]) -> None:
    width = 8 * dtype.itemsize - 1
    body = bytes([8 | 2, width]) + ((1 << 4 * width) - 2).to_bytes(-(-4 * width // 8), "little")
    with pytest.raises(BlockCorrupt):
        decode_block(sealed(body), dtype, (1, 1, 4))
