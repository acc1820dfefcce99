"""The subbands of a level into the bytes of its blocks.

The rule: blocks are encoded a few in one call, straight from the arrays that the subbands lie in, in order of storage.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

from mist.blocks import Block, BlockLayout
from mist.codec import Table, block_parts, encode_blocks_from
from mist.pyramid import Triple
from mist.subbands import Bands

_CHUNK_VALUES = 1 << 18
"""Of blocks that have so many values together, or of one alone, the bytes are made at a time."""


def encoded_level(layout: BlockLayout, level: int, bands: Bands) -> Iterator[memoryview]:
    """The bytes of each block of `level`, of which `bands` are the subbands to be stored."""
    flat = [bands[band].reshape(-1) for band in layout.bands(level)]
    for parts in level_parts(layout, level):
        yield from encode_blocks_from(flat, parts, layout.block_shape)


@lru_cache(maxsize=64)
def level_parts(layout: BlockLayout, level: int) -> tuple[Table, ...]:
    """Where the values of the blocks of `level` lie in its subbands, a few blocks together."""
    blocks, together = layout.blocks(level), max(1, _CHUNK_VALUES // math.prod(layout.block_shape))
    firsts = range(0, len(blocks), together)
    return tuple(block_parts(_place(layout, block) for block in blocks[first : first + together]) for first in firsts)


def _place(layout: BlockLayout, block: Block) -> tuple[int, int, Triple, Triple, Triple]:
    """Where a block lies in the subbands of its level: see `mist.codec.block_parts`."""
    shape = layout.band_shape(block.level, block.band)
    band = layout.bands(block.level).index(block.band)
    return band, block.plane * math.prod(shape), shape, block.start, block.stop
