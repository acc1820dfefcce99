from __future__ import annotations

import contextlib

import google_crc32c
import numpy as np
import pytest
from numcodecs import blosc

from mist.codec import BlockCorrupt, block_length, decode_block, encode_block
from mist.wavelet import Coefficients

SHAPE = (2, 8, 16)
BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.int32, np.int64])


def coefficients(dtype: type[np.signedinteger] = np.int32) -> Coefficients:
    return np.random.default_rng(0).integers(-999, 999, SHAPE).astype(dtype)


def decode(data: bytes) -> Coefficients:
    return decode_block(data, np.dtype(np.int32), SHAPE)


def sealed(compressed: bytes) -> bytes:
    """Bytes with a checksum that is right: damage that only the decoder itself can see."""
    return compressed + int(google_crc32c.value(compressed)).to_bytes(4, "little")


@BOTH_DTYPES
@pytest.mark.parametrize("content", ["noise", "constant", "extremes"])
def test_a_block_comes_back(content: str, dtype: type[np.signedinteger]) -> None:
    block = coefficients(dtype)
    if content == "constant":
        block[:] = 7
    elif content == "extremes":
        block[:, ::2], block[:, 1::2] = np.iinfo(dtype).min, np.iinfo(dtype).max
    back = decode_block(encode_block(block), np.dtype(dtype), SHAPE)
    np.testing.assert_array_equal(back, block)
    assert back.dtype == dtype


def test_a_block_is_decoded_from_a_view_of_a_prefix() -> None:
    data = b"xyz" + encode_block(coefficients()) + b"more"
    length = block_length(data, 3)
    np.testing.assert_array_equal(
        decode_block(memoryview(data)[3 : 3 + length], np.dtype(np.int32), SHAPE), coefficients()
    )


def test_a_block_that_is_not_contiguous_is_encoded_alike() -> None:
    wide = np.repeat(coefficients(), 2, axis=2)
    assert encode_block(wide[..., ::2]) == encode_block(coefficients())


def test_a_block_says_its_own_length() -> None:
    data = encode_block(coefficients())
    assert block_length(data, 0) == len(data)


def test_every_truncation_is_refused() -> None:
    data = encode_block(coefficients())
    for length in range(len(data)):
        with pytest.raises(BlockCorrupt):
            decode(data[:length])


def test_every_flipped_bit_is_refused() -> None:
    data = bytearray(encode_block(coefficients()[:1, :2].repeat(4, axis=1).repeat(2, axis=0)))
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BlockCorrupt):
            decode(bytes(data))
        data[bit // 8] ^= 1 << bit % 8


@pytest.mark.parametrize("extension", [b"\0", b"\0" * 100, b"\xff"])
def test_bytes_after_a_block_are_refused(extension: bytes) -> None:
    with pytest.raises(BlockCorrupt):
        decode(encode_block(coefficients()) + extension)


def test_a_block_of_another_size_is_refused() -> None:
    with pytest.raises(BlockCorrupt, match="declares"):
        decode(encode_block(coefficients()[:, :, :8].copy()))


def test_a_block_of_another_dtype_is_refused() -> None:
    with pytest.raises(BlockCorrupt, match="declares"):
        decode(encode_block(coefficients(np.int64)))


@pytest.mark.parametrize("size", [0, 1, 1023, 1025, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_lie_about_the_decoded_size_is_refused_before_anything_is_decoded(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    compressed = bytearray(encode_block(coefficients())[:-4])
    compressed[4:8] = size.to_bytes(4, "little")
    monkeypatch.delattr(blosc, "decompress")
    with pytest.raises(BlockCorrupt, match="declares"):
        decode(sealed(bytes(compressed)))


@pytest.mark.parametrize("length", [0, 1, 15, 16, 2**31, 2**32 - 1])
def test_a_lie_about_the_encoded_length_is_refused(length: int) -> None:
    data = bytearray(encode_block(coefficients()))
    data[12:16] = length.to_bytes(4, "little")
    with pytest.raises(BlockCorrupt):
        decode(bytes(data))


def test_two_blocks_with_their_lengths_swapped_are_refused() -> None:
    one, other = bytearray(encode_block(coefficients())), bytearray(encode_block(coefficients() // 100))
    one[12:16], other[12:16] = other[12:16], one[12:16]
    for data in (one, other):
        with pytest.raises(BlockCorrupt):
            decode(bytes(data))


def test_damage_under_a_right_checksum_never_is_another_error() -> None:
    compressed = encode_block(coefficients())[:-4]
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(compressed)
        for at in rng.integers(16, len(damaged), rng.integers(1, 5)):
            damaged[at] = rng.integers(256)
        with contextlib.suppress(BlockCorrupt):
            assert decode(sealed(bytes(damaged))).shape == SHAPE


def test_nothing_is_no_block() -> None:
    with pytest.raises(BlockCorrupt):
        decode(b"")
