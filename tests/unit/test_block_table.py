from __future__ import annotations

import hashlib

import numpy as np
import pytest

from mist.block_table import TABLE_ENTRY_BYTES, table_entry, walk_blocks
from mist.codec import BlockCorrupt, encode_block

BLOCKS = [encode_block(np.full((1, 4, 4), value, np.int32)) for value in (0, 1, 99)]


def test_an_entry_is_the_length_and_half_a_sha_256() -> None:
    entry = table_entry(b"block")
    assert entry == b"\x05\0\0\0" + hashlib.sha256(b"block").digest()[:16]
    assert len(entry) == TABLE_ENTRY_BYTES


def test_an_entry_is_that_of_the_bytes_however_they_are_held() -> None:
    assert table_entry(memoryview(b"a block b")[2:7]) == table_entry(b"block")


def test_a_prefix_is_cut_into_its_blocks() -> None:
    assert [bytes(block) for block in walk_blocks(memoryview(b"".join(BLOCKS)), 3)] == BLOCKS


def test_cutting_copies_nothing() -> None:
    data = bytearray(b"".join(BLOCKS))
    first = walk_blocks(memoryview(data), 3)[0]
    data[0] ^= 1
    assert first[0] == data[0]


def test_no_blocks_are_cut_from_nothing() -> None:
    assert walk_blocks(memoryview(b""), 0) == []


@pytest.mark.parametrize("missing", [1, 4, 17, len(BLOCKS[-1])])
def test_a_prefix_that_ends_within_a_block_is_refused(missing: int) -> None:
    with pytest.raises(BlockCorrupt, match="reaches beyond"):
        walk_blocks(memoryview(b"".join(BLOCKS)[:-missing]), 3)


def test_bytes_after_the_last_block_are_refused_and_counted() -> None:
    with pytest.raises(BlockCorrupt, match="7 bytes follow the last of 3 blocks"):
        walk_blocks(memoryview(b"".join(BLOCKS) + b"rubbish"), 3)
