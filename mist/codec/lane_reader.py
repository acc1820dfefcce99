"""The bytes of lanes into values, for any number of lanes of any blocks.

The rule: a lane stands alone, so those of one shape are read together, whichever blocks they are of: first the codes of
all, then the numbers and values of each.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from mist.codec.code_reader import WORDS_BYTES, read_codes, slack
from mist.codec.context import COLUMNS_OUTSIDE, CONTEXTS
from mist.codec.lanes import STATE_BYTES
from mist.codec.number_reader import put_low_bits, put_raw_bits, spread_codes
from mist.codec.simd import WIDTH
from mist.codec.tables import FREQUENCY_TOTAL

# What must be known of a lane: the columns of an int64 table with a row for each.
BEGIN: Final = 0
"""Its first byte."""
END: Final = 1
"""The byte behind its last."""
SHIFT: Final = 2
"""How many low bits of each number are held apart."""
SET: Final = 3
"""Its table set."""
DEPTH: Final = 4
"""Slices of its tile."""
HEIGHT: Final = 5
"""Rows of its tile."""
WIDTH_OF_TILE: Final = 6
"""Columns of its tile."""
ROWS: Final = 7
"""How many of the rows lie in the block."""
COLUMNS: Final = 8
"""How many of the columns do."""
TARGET: Final = 9
"""Where its first value goes, in a flat array."""
ROW_STEP: Final = 10
"""How much further the next row's first value goes."""
SLICE_STEP: Final = 11
"""How much further the next slice's does."""
FIELDS: Final = 12
"""The number of columns."""

_MOST_TOGETHER: Final = 2 * WIDTH
"""Lanes that are read together at most."""

_FEWEST_FOR_TWO: Final = 12
"""Fewer than so many lanes are read as one vector, and the others with those that follow."""

_LOOK_AHEAD: Final = 64
"""Among so many lanes are those sought that have the same shape."""

_MOST_BYTES: Final = WORDS_BYTES + 8
"""What a number takes at most: words, and 62 raw bits."""

_SET_ENTRIES: Final = CONTEXTS * FREQUENCY_TOTAL


@numba.njit(nogil=True, cache=True)
def read_lanes(data, lanes, tables, out):
    """Fill `out`, flat, int32 or int64, from `lanes`; False where the bytes are no such lanes.

    Parameters
    ----------
    data
        The bytes, uint8.
    lanes
        Which of them are lanes, and where their values go: the columns above.
    tables
        `mist.codec.tables.decoding_table`, flat.
    """
    left = np.ones(lanes.shape[0], np.bool_)
    batch = np.empty(_MOST_TOGETHER, np.int64)
    for first in range(lanes.shape[0]):
        while left[first]:
            count = _next_batch(lanes, left, first, batch)
            if not _read_batch(data, lanes, batch[:count], tables, out):
                return False
    return True


@numba.njit(nogil=True, cache=True)
def _next_batch(lanes, left, first, batch):
    """Fill `batch` with lanes of one shape, from `first` on, and take them from those that are left; their number."""
    count = 0
    for lane in range(first, min(first + _LOOK_AHEAD, lanes.shape[0])):
        if left[lane] and count < _MOST_TOGETHER and _alike(lanes[lane], lanes[first]):
            batch[count] = lane
            count += 1
    if WIDTH < count < _FEWEST_FOR_TWO:
        count = WIDTH
    for i in range(count):
        left[batch[i]] = False
    return count


@numba.njit(nogil=True, cache=True)
def _alike(one, other):
    """Whether two lanes have the same shape."""
    return one[DEPTH] == other[DEPTH] and one[HEIGHT] == other[HEIGHT] and one[WIDTH_OF_TILE] == other[WIDTH_OF_TILE]


@numba.njit(nogil=True, cache=True)
def _read_batch(data, lanes, batch, tables, out):
    """Fill `out` from the lanes numbered in `batch`, all of one shape; False where one is none.

    Several lanes are those of one vector or two; what is left of the last vector repeats the first lane.
    """
    first, together = lanes[batch[0]], 1 if batch.shape[0] == 1 else WIDTH
    depth, height, width = first[DEPTH], first[HEIGHT], first[WIDTH_OF_TILE]
    vectors = -(-batch.shape[0] // together)
    fronts, ends = np.empty(vectors * together, np.uint32), np.empty(vectors * together, np.uint32)
    states, bases = np.empty(vectors * together, np.uint32), np.empty(vectors * together, np.uint32)
    streams = _open_streams(data, lanes, batch, fronts, ends, states, bases)
    codes = np.empty((vectors, depth, height, width + COLUMNS_OUTSIDE, together), np.uint8)
    if streams.shape[0] == 0 or not read_codes(streams, fronts, ends, states, bases, tables, codes):
        return False
    numbers = np.empty((together, depth * height * width), out.dtype)
    marks = np.empty((depth * height, together), np.uint32)
    for i in range(batch.shape[0]):
        lane, number = lanes[batch[i]], i % together
        if number == 0:
            spread_codes(codes[i // together], numbers, marks)
        front, end = np.int64(fronts[i]), np.int64(ends[i])
        if not put_raw_bits(streams, front, end, lane[SHIFT], marks[:, number], numbers[number]):
            return False
        if lane[SHIFT] > 0:
            put_low_bits(data, lane[BEGIN], lane[SHIFT], numbers[number])
        _unfold(numbers[number], lane, out)
    return True


@numba.njit(nogil=True, cache=True)
def _open_streams(data, lanes, batch, fronts, ends, states, bases):
    """The streams of some lanes, each followed by its slack; empty where one is none.

    A stream is what follows the low bits: state, words, raw bits. `fronts` to `bases` are filled: where words begin,
    where streams end, states, and where table sets begin; what they have more than `batch` repeats the first.
    """
    numbers = lanes[batch[0], DEPTH] * lanes[batch[0], HEIGHT] * lanes[batch[0], WIDTH_OF_TILE]
    behind, size = slack(lanes[batch[0], WIDTH_OF_TILE]), 0
    for lane in batch:
        held = _stream_begin(lanes[lane], numbers), lanes[lane, END]
        if not STATE_BYTES <= held[1] - held[0] <= STATE_BYTES + _MOST_BYTES * numbers:
            return np.empty(0, np.uint8)
        size += held[1] - held[0] + behind
    streams, at = np.empty(size, np.uint8), 0
    for i in range(batch.shape[0]):
        lane = lanes[batch[i]]
        begin, end = _stream_begin(lane, numbers), lane[END]
        for place in range(end - begin):  # one slice from another takes three seconds more to compile
            streams[at + place] = data[begin + place]
        states[i] = np.uint32(data[begin]) | np.uint32(data[begin + 1]) << np.uint32(8)
        states[i] |= np.uint32(data[begin + 2]) << np.uint32(16) | np.uint32(data[begin + 3]) << np.uint32(24)
        fronts[i], ends[i], bases[i] = at + STATE_BYTES, at + end - begin, lane[SET] * _SET_ENTRIES
        at += end - begin + behind
        streams[at - behind : at] = 0
    for i in range(batch.shape[0], fronts.shape[0]):
        fronts[i], ends[i], states[i], bases[i] = fronts[0], ends[0], states[0], bases[0]
    return streams


@numba.njit(nogil=True, cache=True)
def _stream_begin(lane, numbers):
    """Where in the bytes a lane's low bits end."""
    return lane[BEGIN] + (lane[SHIFT] * numbers + 7) // 8


@numba.njit(nogil=True, cache=True)
def _unfold(numbers, lane, out):
    """Put the values of a lane's `numbers`, flat, to where they belong in `out`."""
    for z in range(lane[DEPTH]):
        for y in range(lane[ROWS]):
            source = np.uint64((z * lane[HEIGHT] + y) * lane[WIDTH_OF_TILE])
            target = np.uint64(lane[TARGET] + z * lane[SLICE_STEP] + y * lane[ROW_STEP])
            for x in range(np.uint64(lane[COLUMNS])):
                number = numbers[source + x]
                out[target + x] = number >> 1 ^ -(number & 1)
