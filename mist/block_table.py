"""The block table: how long each stored block is, and a digest of its bytes.

The rule: a level's digest is taken of its blocks' entries, so that one block can be checked without the others. Knows
how long a block says it is, not what lies in it.
"""

from __future__ import annotations

import hashlib

from mist.codec import BlockCorrupt, block_length

TABLE_ENTRY_BYTES = 20
"""A block's entry in the block table: its length as u32le, then the first 16 bytes of its SHA-256."""


def table_entry(block: bytes | memoryview) -> bytes:
    """A block's entry in the block table, which level digests are taken of."""
    return len(block).to_bytes(4, "little") + hashlib.sha256(block).digest()[:16]


def entry_length(entry: bytes | memoryview) -> int:
    """The length of the block that a table entry is of."""
    return int.from_bytes(entry[:4], "little")


def walk_blocks(data: memoryview, count: int) -> list[memoryview]:
    """`data` cut into its `count` blocks, each of which says its own length.

    Raises
    ------
    BlockCorrupt
        `data` ends within a block, or goes on after the last one.
    """
    blocks, offset = [], 0
    for _ in range(count):
        length = block_length(data, offset)
        blocks.append(data[offset : offset + length])
        offset += length
    if offset != len(data):
        raise BlockCorrupt(f"{len(data) - offset} bytes follow the last of {count} blocks")
    return blocks
