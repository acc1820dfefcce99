"""How a block's numbers are dealt out to its lanes, and what both sides of a lane agree on.

The rule: a lane is a tile of the block's rows and columns through all of its slices, and stands alone: its low bits
first, at a fixed width; then the rANS state and words, read forwards; then the raw bits, read backwards from the lane's
end. All tiles have one shape: what reaches beyond the block is 0.

rANS: Duda, arXiv:1311.2540 (2013); interleaving of streams: Giesen, arXiv:1402.3392 (2014).
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from mist.codec.context import COLUMNS_OUTSIDE
from mist.codec.tables import FREQUENCY_BITS, FREQUENCY_TOTAL

TILE_ROWS: Final = 4
TILE_COLUMNS: Final = 2
"""The grid of tiles of a block that is large enough: eight lanes."""

SMALLEST_TILED: Final = 8192
"""A block of fewer numbers has two lanes, one above the other, or one: each costs six bytes or so."""

SMALLEST_HALVED: Final = 4096
"""A block of fewer numbers has one lane."""

STATE_BYTES: Final = 4
"""A lane's rANS state comes first, little-endian; words are 16 bits, little-endian."""

LOWEST_STATE: Final = np.uint32(1 << 16)
"""A state below this takes a word; the state with which an encoder begins and a decoder ends."""

SLOT_MASK: Final = np.uint32(FREQUENCY_TOTAL - 1)
STATE_SHIFT: Final = np.uint32(FREQUENCY_BITS)
WORD_BITS: Final = np.uint32(16)


@numba.njit(nogil=True, cache=True)
def tile_grid(depth, height, width):
    """How many tiles a block of these extents has along y and x."""
    if depth * height * width >= SMALLEST_TILED and height >= TILE_ROWS and width >= TILE_COLUMNS:
        return TILE_ROWS, TILE_COLUMNS
    if depth * height * width >= SMALLEST_HALVED and height >= 2:
        return 2, 1
    return 1, 1


@numba.njit(nogil=True, cache=True)
def empty_codes(depth, height, width):
    """Room for the codes of a block of these extents: see `mist.codec.context`."""
    rows, columns = tile_grid(depth, height, width)
    return np.empty((depth, -(-height // rows), -(-width // columns) + COLUMNS_OUTSIDE, rows * columns), np.uint8)


@numba.njit(nogil=True, cache=True)
def tile_of(lane, grid, height, width):
    """Where in the rows and columns of a block a lane's tile of the `grid` lies: first row, end, first column, end."""
    rows, columns = grid
    tile_height, tile_width = -(-height // rows), -(-width // columns)
    y, x = lane // columns * tile_height, lane % columns * tile_width
    return min(y, height), min(y + tile_height, height), min(x, width), min(x + tile_width, width)


@numba.njit(nogil=True, cache=True)
def lane_numbers(codes):
    """How many numbers each lane holds, those beyond the block included."""
    return codes.shape[0] * codes.shape[1] * (codes.shape[2] - COLUMNS_OUTSIDE)
