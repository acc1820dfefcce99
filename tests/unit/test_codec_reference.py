"""The decoder made from docs/format.md alone agrees with `mist.codec` on every block, good or damaged."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from mist.codec import BlockCorrupt, block_parts, decode_block, encode_block
from mist.codec.block_encoder import MOST_BANDS, encode_blocks
from mist.codec.frame import CODED, EMPTY, HAS_EXTENTS, HAS_SHIFT, HELD, PREDICTED, RAW
from mist.codec.tables import encoding_tables
from mist.subbands import Coefficients
from tests.codec_blocks import DTYPES, MAKERS, body_of, make_block, mutants
from tests.reference import mist_block

BOTH_DTYPES = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@BOTH_DTYPES
@pytest.mark.parametrize("name", MAKERS)
def test_both_decode_what_was_encoded(name: str, dtype: np.dtype[np.signedinteger]) -> None:
    block = make_block(name, dtype)
    data = encode_block(block)
    np.testing.assert_array_equal(decode_block(data, dtype, block.shape), block)
    np.testing.assert_array_equal(mist_block.decode(data, dtype, block.shape), block)


@pytest.mark.parametrize("part", [CODED, HAS_EXTENTS, PREDICTED, HAS_SHIFT])
def test_the_blocks_have_every_part_of_a_frame(part: int) -> None:
    assert any(flags & part for flags in all_flags())


def test_the_blocks_are_held_in_every_way() -> None:
    assert {flags & HELD for flags in all_flags()} == {EMPTY, CODED, RAW}
    assert PREDICTED | RAW in all_flags()


def all_flags() -> list[int]:
    return [body_of(encode_block(make_block(name, dtype)))[0] for name in MAKERS for dtype in DTYPES]


@pytest.mark.parametrize("table", range(16))
def test_both_decode_with_every_table_set(table: int) -> None:
    block = make_block("unequal lanes", np.dtype(np.int32)) + make_block("unequal lanes", np.dtype(np.int32)) ** 3
    data = encoded_with(table, block)
    np.testing.assert_array_equal(decode_block(data, block.dtype, block.shape), block)
    np.testing.assert_array_equal(mist_block.decode(data, block.dtype, block.shape), block)


def encoded_with(table: int, block: Coefficients) -> bytes:
    """A block that the encoder makes where one table set is cheaper than all others."""
    costs = np.full_like(encoding_tables().costs, 1000)
    costs[table] = 1
    parts, values = block_parts([(0, 0, block.shape, (0, 0, 0), block.shape)]), block.reshape(-1)
    values.setflags(write=False)
    data, _ = encode_blocks((values,) * MOST_BANDS, parts, block.shape, encoding_tables()._replace(costs=costs))
    assert body_of(bytes(data))[1] == table
    return bytes(data)


@BOTH_DTYPES
def test_both_refuse_the_same_damage_and_make_the_same_of_the_rest(dtype: np.dtype[np.signedinteger]) -> None:
    blocks = [block for name in MAKERS if (block := make_block(name, dtype)).size <= 700]
    for data, block in islice(mutants(blocks, np.random.default_rng(0)), 1200):
        ours, theirs = decoded(data, block), decoded_by_reference(data, block)
        assert (ours is None) == (theirs is None), (data.hex(), block.shape)
        if ours is not None and theirs is not None:
            np.testing.assert_array_equal(ours, theirs, err_msg=data.hex())


def decoded(data: bytes, block: Coefficients) -> Coefficients | None:
    try:
        return decode_block(data, block.dtype, block.shape)
    except BlockCorrupt:
        return None


def decoded_by_reference(data: bytes, block: Coefficients) -> Coefficients | None:
    try:
        return mist_block.decode(data, block.dtype, block.shape)
    except ValueError:
        return None
