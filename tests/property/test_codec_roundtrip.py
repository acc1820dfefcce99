"""Whatever a block holds comes back; whatever bytes are given, what comes is a block or `BlockCorrupt`."""

from __future__ import annotations

import contextlib

import numpy as np
import numpy.typing as npt
from hypothesis import example, given
from hypothesis import strategies as st

from mist.codec import BlockCorrupt, block_length, decode_block, encode_block
from mist.pyramid import Triple
from mist.subbands import Coefficients
from tests.codec_blocks import DTYPES, LARGEST, body_of, decode_into_box, sealed

_MOST_VALUES = 9000

dtypes = st.sampled_from(DTYPES)
small_lengths = st.integers(1, 70)
long_lengths = st.integers(1, _MOST_VALUES)
shapes = st.one_of(
    st.tuples(st.integers(1, 9), small_lengths, small_lengths),
    st.tuples(st.just(1), st.just(1), long_lengths),
    st.tuples(st.just(1), long_lengths, st.integers(1, 2)),
    st.tuples(long_lengths, st.integers(1, 2), st.just(1)),
).filter(lambda shape: int(np.prod(shape)) <= _MOST_VALUES)
random_generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)

CONTENTS = ("constant", "noise", "details", "impulses", "ramp", "wide ramp", "full range", "edges", "corner")


@st.composite
def blocks(draw: st.DrawFn) -> Coefficients:
    """Blocks of any shape, all of whose values are of one kind."""
    dtype, shape, rng = draw(dtypes), draw(shapes), draw(random_generators)
    content, largest = draw(st.sampled_from(CONTENTS)), LARGEST[dtype]
    bits = draw(st.integers(0, largest.bit_length() - 1))
    values: Coefficients = _values(content, shape, rng, largest, bits).astype(dtype)
    return values


def _values(content: str, shape: Triple, rng: np.random.Generator, largest: int, bits: int) -> npt.NDArray[np.int64]:
    noise = rng.integers(-(2**bits), 2**bits, shape)
    index = np.arange(noise.size).reshape(shape)
    made: dict[str, npt.NDArray[np.int64]] = {
        "constant": np.full(shape, noise.flat[0]),
        "noise": noise,
        "details": np.round(rng.laplace(0, 2 ** (bits / 4), shape)).astype(np.int64),
        "impulses": np.where(rng.random(shape) < 0.01, noise, 0),
        "ramp": index + noise % 3,
        "wide ramp": index * (largest // noise.size),
        "full range": rng.integers(-largest, largest, shape, endpoint=True),
        "edges": rng.choice([-largest, largest], shape),
        "corner": np.where(index < rng.integers(0, noise.size + 1), noise, 0),
    }
    return made[content]


@given(blocks())
def test_a_block_comes_back_in_bytes_that_state_their_length(block: Coefficients) -> None:
    data = encode_block(block)
    assert block_length(data, 0) == len(data)
    np.testing.assert_array_equal(decode_block(data, block.dtype, block.shape), block, strict=True)


@given(blocks())
def test_a_block_never_takes_much_more_than_its_widest_value(block: Coefficients) -> None:
    width = 1 + int(np.abs(block.astype(np.int64)).max()).bit_length()
    assert len(encode_block(block)) <= width * block.size // 8 + 24


@given(blocks(), st.tuples(*[st.integers(0, 3)] * 3), st.integers(0, 3))
def test_a_block_decodes_into_part_of_a_larger_array_and_touches_nothing_else(
    block: Coefficients, start: Triple, beyond: int
) -> None:
    z, y, x = (first + length for first, length in zip(start, block.shape, strict=True))
    array = np.full((z + beyond, y + beyond, x + beyond), 77, block.dtype)
    depth, height, width = block.shape
    decode_into_box([encode_block(block)], (depth, height, width), array, start, (z, y, x))
    inside = array[start[0] : z, start[1] : y, start[2] : x]
    np.testing.assert_array_equal(inside, block)
    inside[:] = 77
    assert (array == 77).all()


@given(blocks(), st.data())
def test_a_truncated_block_is_refused(block: Coefficients, data: st.DataObject) -> None:
    body = body_of(encode_block(block))
    short = sealed(body[: data.draw(st.integers(0, len(body) - 1))])
    for damaged in (short, encode_block(block)[:-1]):
        assert not _decodes(damaged, block)


@given(blocks(), st.binary(min_size=1, max_size=9))
def test_an_extended_block_is_refused(block: Coefficients, more: bytes) -> None:
    data = encode_block(block)
    assert not _decodes(data + more, block)
    assert not _decodes(sealed(body_of(data) + more), block)


@given(blocks(), st.data())
def test_a_flipped_bit_is_refused_or_decodes(block: Coefficients, data: st.DataObject) -> None:
    damaged = bytearray(encode_block(block))
    bit = data.draw(st.integers(0, 8 * len(damaged) - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    _decodes(bytes(damaged), block)


@given(st.binary(max_size=200), dtypes, shapes)
@example(b"\0", np.dtype(np.int64), (1, 1, 1))
def test_arbitrary_bytes_are_refused_or_decode(data: bytes, dtype: np.dtype[np.signedinteger], shape: Triple) -> None:
    empty = np.empty(shape, dtype)
    for given_bytes in (data, sealed(data)):
        _decodes(given_bytes, empty)
    with contextlib.suppress(BlockCorrupt):
        assert block_length(data, 0) <= len(data)


def _decodes(data: bytes, block: Coefficients) -> bool:
    """Whether `data` is a block of this dtype and shape; nothing but `BlockCorrupt` may be raised."""
    try:
        decoded = decode_block(data, block.dtype, block.shape)
    except BlockCorrupt:
        return False
    assert (decoded.dtype, decoded.shape) == (block.dtype, block.shape)
    return True
