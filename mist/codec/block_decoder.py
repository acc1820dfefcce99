"""The bytes of blocks into their values.

The rule: nothing is taken from the bytes that has not been checked against the block's own shape, so that hostile bytes
cost no more than a block, and every read and write lies where it should by construction. Frames are read first; then
the lanes of all blocks together.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numba
import numpy as np

from mist.codec import lane_reader
from mist.codec.frame import (
    ALL_FLAGS,
    CODED,
    EMPTY,
    HAS_EXTENTS,
    HAS_SHIFT,
    HELD,
    LARGEST_SHIFT,
    PREDICTED,
    RAW,
    take_varint,
    value_limit,
)
from mist.codec.lane_reader import read_lanes
from mist.codec.lanes import TILE_COLUMNS, TILE_ROWS, tile_grid, tile_of
from mist.codec.prediction import add_prediction

GOOD: Final = 0
BAD_LENGTH: Final = 1
"""The block is not as long as it says."""
BAD_FRAME: Final = 2
"""The frame contradicts itself, or the block that it should be."""
BAD_LANE: Final = 3
"""A lane ends too early or too late, or holds a number that no value has."""

# Where a block's values go: the columns of an int64 table with a row for each.
ARRAY: Final = 0
"""Where, in a flat array, an array (z, y, x) begins, of which the block is a part."""
ARRAY_SHAPE: Final = 1
"""The lengths of that array, in three columns."""
START: Final = 4
"""Where in it the block begins, in three columns."""
STOP: Final = 7
"""Where in it the block ends, in three columns; what more it holds is padding, and zeros."""
PLACE_FIELDS: Final = 10
"""The number of columns."""


class Frame(NamedTuple):
    """What a block says of itself, up to where its kind decides what comes; compiled code hands it on."""

    status: int
    """`GOOD`, or all else means nothing."""
    flags: int
    extents: tuple[int, int, int]
    """(z, y, x) of what is held."""
    at: int
    """Where what comes begins."""
    end: int
    """Where the block ends."""


@numba.njit(nogil=True, cache=True)
def decode_blocks(data, spans, tables, shape, out, places):
    """Fill parts of `out`, flat, int32 or int64, with blocks; unless all are good these parts then hold anything.

    `GOOD`, `BAD_LENGTH`, `BAD_FRAME` or `BAD_LANE` comes back, and of which block, or -1 where it may be any.

    Parameters
    ----------
    data, spans
        The bytes, uint8, and where in them each block begins and ends, int64 (blocks, 2).
    tables
        `mist.codec.tables.decoding_table`.
    shape
        (z, y, x) of a block, its padding included.
    places
        Where the blocks go: the columns above.
    """
    lanes, count = np.empty((spans.shape[0] * TILE_ROWS * TILE_COLUMNS, lane_reader.FIELDS), np.int64), 0
    predicted = np.zeros((spans.shape[0], 3), np.int64)
    for block in range(spans.shape[0]):
        frame = _read_frame(data, spans[block, 0], spans[block, 1], shape)
        status = frame.status
        if status == GOOD:
            status, count = _open(data, frame, tables.shape[0], out, places[block], lanes, count)
        if status != GOOD:
            return status, block
        if frame.flags & PREDICTED:
            predicted[block, 0], predicted[block, 1], predicted[block, 2] = frame.extents
    if not read_lanes(data, lanes[:count], tables.reshape(-1), out):
        return BAD_LANE, -1
    for block in range(spans.shape[0]):
        depth, height, width = predicted[block]
        if depth > 0 and not _restore(_box(out, places[block])[:depth, :height, :width]):
            return BAD_LANE, block
    return GOOD, -1


@numba.njit(nogil=True, cache=True)
def _box(out, place):
    """Where a block goes, as an array (z, y, x)."""
    depth, height, width = place[ARRAY_SHAPE], place[ARRAY_SHAPE + 1], place[ARRAY_SHAPE + 2]
    array = out[place[ARRAY] : place[ARRAY] + depth * height * width].reshape(depth, height, width)
    return array[place[START] : place[STOP], place[START + 1] : place[STOP + 1], place[START + 2] : place[STOP + 2]]


@numba.njit(nogil=True, cache=True)
def _read_frame(data, begin, end, shape):
    """The frame of the block of `shape` that the bytes [begin, end) are."""
    whole = np.int64(shape[0]), np.int64(shape[1]), np.int64(shape[2])
    length, at = take_varint(data, begin, end)
    if length < 1 or at + length != end:
        return Frame(BAD_LENGTH, 0, whole, at, end)
    flags, at = np.int64(data[at]), at + 1
    depth, height, width = whole
    if flags & HAS_EXTENTS:
        depth, at = take_varint(data, at, end)
        height, at = take_varint(data, at, end)
        width, at = take_varint(data, at, end)
    return Frame(BAD_FRAME if flags > ALL_FLAGS else GOOD, flags, (depth, height, width), at, end)


@numba.njit(nogil=True, cache=True)
def _open(data, frame, sets, out, place, lanes, count):
    """Fill what of a block needs no lanes, and append its lanes to the first `count`; a status and their number."""
    box, held = _box(out, place), frame.flags & HELD
    depth, height, width = frame.extents
    if held == EMPTY:
        box[:, :, :] = 0
        return GOOD if frame.flags == EMPTY and frame.at == frame.end else BAD_FRAME, count
    if not (1 <= depth <= box.shape[0] and 1 <= height <= box.shape[1] and 1 <= width <= box.shape[2]):
        return BAD_FRAME, count
    box[depth:] = 0
    box[:depth, height:] = 0
    box[:depth, :height, width:] = 0
    if held == RAW:
        return _decode_raw(data, frame, box[:depth, :height, :width]), count
    if held == CODED:
        return _open_lanes(data, frame, sets, place, lanes, count)
    return BAD_FRAME, count


@numba.njit(nogil=True, cache=True)
def _open_lanes(data, frame, sets, place, lanes, count):
    """Append the lanes of a block to the first `count`: from the table number that the frame ends with, and on."""
    at, end, table, shift = frame.at, frame.end, np.int64(-1), np.int64(0)
    if at < end:
        table, at = np.int64(data[at]), at + 1
    if frame.flags & HAS_SHIFT:
        if at < end:
            shift, at = np.int64(data[at]), at + 1
        if not 1 <= shift <= LARGEST_SHIFT:
            return BAD_FRAME, count
    if not 0 <= table < sets:
        return BAD_FRAME, count
    grid = tile_grid(frame.extents[0], frame.extents[1], frame.extents[2])
    more = count + grid[0] * grid[1]
    for lane in range(count, more - 1):
        lanes[lane, lane_reader.END], at = take_varint(data, at, end)
        if lanes[lane, lane_reader.END] < 0:
            return BAD_FRAME, count
    for lane in range(count, more):
        lanes[lane, lane_reader.BEGIN] = at
        at = end if lane == more - 1 else at + lanes[lane, lane_reader.END]
        lanes[lane, lane_reader.END], lanes[lane, lane_reader.SHIFT], lanes[lane, lane_reader.SET] = at, shift, table
        _place_lane(lane - count, grid, frame.extents, place, lanes[lane])
    return (GOOD if lanes[more - 1, lane_reader.BEGIN] <= end else BAD_FRAME), more


@numba.njit(nogil=True, cache=True)
def _place_lane(tile, grid, extents, place, lane):
    """Fill in the shape of a `lane`, that tile of the `grid`, and where its values go."""
    depth, height, width = extents
    top, bottom, left, right = tile_of(tile, grid, height, width)
    array_height, array_width = place[ARRAY_SHAPE + 1], place[ARRAY_SHAPE + 2]
    lane[lane_reader.DEPTH] = depth
    lane[lane_reader.HEIGHT], lane[lane_reader.ROWS] = -(-height // grid[0]), bottom - top
    lane[lane_reader.WIDTH_OF_TILE], lane[lane_reader.COLUMNS] = -(-width // grid[1]), right - left
    row = (place[START] * array_height + place[START + 1] + top) * array_width
    lane[lane_reader.TARGET] = place[ARRAY] + row + place[START + 2] + left
    lane[lane_reader.ROW_STEP], lane[lane_reader.SLICE_STEP] = array_width, array_height * array_width


@numba.njit(nogil=True, cache=True)
def _decode_raw(data, frame, out):
    """Fill `out` (z, y, x) from the width at the frame's end and the numbers that follow it."""
    at, end = frame.at, frame.end
    if at >= end or frame.flags & HAS_SHIFT:
        return BAD_FRAME
    width, at = np.int64(data[at]), at + 1
    if not 1 <= width < 8 * out.itemsize or end - at != (width * out.size + 7) // 8:
        return BAD_FRAME
    held, count = np.uint64(0), 0
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                number, have = np.uint64(0), 0
                while have < width:
                    if count == 0:
                        held, count = np.uint64(data[at]), 8
                        at += 1
                    part = min(count, width - have)
                    number |= (held & np.uint64((1 << part) - 1)) << np.uint64(have)
                    held >>= np.uint64(part)
                    count -= part
                    have += part
                out[z, y, x] = np.int64(number >> np.uint64(1)) ^ -np.int64(number & np.uint64(1))
    return GOOD


@numba.njit(nogil=True, cache=True)
def _restore(out):
    """Turn residuals into values in place; False where a value is not below `value_limit`.

    The first one that is not shows, although sums wrap: residuals are at most 2^62 in magnitude, and predictions from
    values below 2^61 at most 2^61 + 2^62, so that a sum that wraps is beyond the limit still.
    """
    values = out.astype(np.int64)
    add_prediction(values)
    limit = value_limit(out.itemsize)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                if not -limit < values[z, y, x] < limit:
                    return False
                out[z, y, x] = values[z, y, x]
    return True
