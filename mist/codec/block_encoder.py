"""The values of blocks into their bytes."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from mist.codec.frame import (
    CODED,
    EMPTY,
    HAS_EXTENTS,
    HAS_SHIFT,
    PREDICTED,
    RAW,
    put_varint,
    value_limit,
)
from mist.codec.lane_writer import write_lane, write_words
from mist.codec.lanes import STATE_BYTES, TILE_COLUMNS, TILE_ROWS, tile_grid
from mist.codec.modelling import Part, extents, measure, model_block
from mist.codec.number_writer import put_low_bits

MOST_BANDS: Final = 7
"""Arrays that blocks may be parts of: the details of a level along three axes."""

PART_FIELDS: Final = 7
"""The columns of a table of parts: which array, and the fields of a `Part`."""

_MOST_BYTES: Final = 12
"""What a number takes at most: two words, and 62 other bits."""

_MOST_FRAME: Final = 128
"""What a block takes at most beside its numbers: its frame, and of each lane length, state and parts of two bytes."""


@numba.njit(nogil=True, cache=True)
def _cheapest(costs, counts):
    """The table set in which events that come as often as `counts` take the fewest bits."""
    best, least = 0, np.int64(-1)
    for table in range(costs.shape[0]):
        row, bits = costs[table], np.int64(0)
        for event in range(counts.shape[0]):
            bits += np.int64(row[event]) * np.int64(counts[event])
        if least < 0 or bits < least:
            best, least = table, bits
    return best


@numba.njit(nogil=True, cache=True)
def _encode_raw(numbers, part, width, out, at):
    """Write the numbers of all lanes in the order of the block, at a fixed `width` of bits."""
    out[at] = width
    at += 1
    rows, columns = tile_grid(part.depth, part.height, part.width)
    height, breadth = -(-part.height // rows), -(-part.width // columns)
    held, count = np.uint64(0), 0
    for z in range(part.depth):
        for y in range(part.height):
            for x in range(part.width):
                lane = y // height * columns + x // breadth
                number = np.uint64(numbers[lane, (z * height + y % height) * breadth + x % breadth])
                for first in range(0, width, 32):
                    held |= (number >> np.uint64(first) & np.uint64(0xFFFFFFFF)) << np.uint64(count)
                    count += min(width - first, 32)
                    while count >= 8:
                        out[at] = held & np.uint64(255)
                        at += 1
                        held >>= np.uint64(8)
                        count -= 8
    if count > 0:
        out[at] = held
        at += 1
    return at


@numba.njit(nogil=True, cache=True)
def _encode_lanes(model, ranges, escapes, out, at):
    """Write the lengths of all lanes but the last, then all lanes, to `out` from `at` on; where they end comes back."""
    lanes, numbers = model.numbers.shape
    words = np.empty((lanes, 2 * numbers), np.uint16)
    fronts, states = write_words(model.codes, model.events, ranges, escapes, words)
    fixed = (model.shift * numbers + 7) // 8 + STATE_BYTES
    for lane in range(lanes - 1):
        words_bytes = 2 * ((lane + 1) * words.shape[1] - np.int64(fronts[lane]))
        at = put_varint(out, at, fixed + words_bytes + model.raw.shape[1] - model.raw_begins[lane])
    for lane in range(lanes):
        if model.shift > 0:
            at = put_low_bits(model.numbers[lane], model.shift, out, at)
        own = words.reshape(-1)[np.int64(fronts[lane]) : (lane + 1) * words.shape[1]]
        at = write_lane(states[lane], own, model.raw[lane, model.raw_begins[lane] :], out, at)
    return at


@numba.njit(nogil=True, cache=True)
def _encode_body(source, part, shape, tables, out):
    """Write the body of a block of `shape` of which `part` holds all values other than 0.

    Where it ends comes back, or 0 if a value is not below `value_limit`.
    """
    if part.depth == 0:
        out[0] = EMPTY
        return 1
    measured = measure(source, part)
    if not -value_limit(source.itemsize) < measured.low <= measured.high < value_limit(source.itemsize):
        return 0
    model = model_block(source, part, measured)
    flags, start = PREDICTED if model.predicted else 0, 1
    if (part.depth, part.height, part.width) != shape:
        flags |= HAS_EXTENTS
        start = put_varint(out, put_varint(out, put_varint(out, start, part.depth), part.height), part.width)
    table = _cheapest(tables.costs, model.counts)
    out[start], at = table, start + 1
    if model.shift > 0:
        out[at], at = model.shift, at + 1
    end = _encode_lanes(model, tables.ranges[table], tables.escapes[table], out, at)
    if model.width * part.depth * part.height * part.width <= 8 * (end - at):
        out[0] = flags | RAW
        return _encode_raw(model.numbers, part, max(model.width, 1), out, start)
    out[0] = flags | CODED | (HAS_SHIFT if model.shift > 0 else 0)
    return end


@numba.njit(nogil=True, cache=True)
def encode_blocks(bands, parts, shape, tables):
    """The bytes of blocks of `shape`, one after the other, and where each ends; none if a value is too large.

    Parameters
    ----------
    bands
        Flat arrays, int32 or int64, as many in a tuple as `MOST_BANDS`.
    parts
        What lies in them of each block, int64 (blocks, `PART_FIELDS`).
    tables
        `mist.codec.tables.encoding_tables`.
    """
    most = _MOST_FRAME + _MOST_BYTES * shape[0] * (shape[1] + TILE_ROWS) * (shape[2] + TILE_COLUMNS)
    body, out = np.empty(most, np.uint8), np.empty(parts.shape[0] * most, np.uint8)
    ends, at = np.zeros(parts.shape[0], np.int64), 0
    for block in range(parts.shape[0]):
        source, row = bands[parts[block, 0]], parts[block]
        part = extents(source, Part(row[1], row[2], row[3], row[4], row[5], row[6]))
        size = _encode_body(source, part, shape, tables, body)
        if size == 0:
            return out[:0], ends[:0]
        at = put_varint(out, at, size)
        for i in range(size):
            out[at + i] = body[i]
        at += size
        ends[block] = at
    return out[:at], ends
