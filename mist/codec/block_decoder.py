"""The bytes of a block into its values.

The rule: nothing is taken from the bytes that has not been checked against the block's own shape, so that hostile bytes
cost no more than a block, and every read and write lies where it should by construction.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

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
from mist.codec.lanes import tile_grid
from mist.codec.prediction import add_prediction

GOOD: Final = 0
BAD_LENGTH: Final = 1
"""The block is not as long as it says."""
BAD_FRAME: Final = 2
"""The frame contradicts itself, or the block that it should be."""
BAD_LANE: Final = 3
"""A lane ends too early or too late, or holds a number that no value has."""


@numba.njit(nogil=True, cache=True)
def decode_into(data, tables, shape, whole, start, stop):
    """Fill the box [start, stop) of `whole` (z, y, x), int32 or int64, with the block that `data` is.

    The block has `shape`, and holds nothing but zeros beyond the lengths of the box. `GOOD`, `BAD_LENGTH`, `BAD_FRAME`
    or `BAD_LANE` comes back; after the last two the box holds anything.
    """
    out, end = whole[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]], data.shape[0]
    length, at = take_varint(data, 0, end)
    if length < 1 or at + length != end:
        return BAD_LENGTH
    flags, at = np.int64(data[at]), at + 1
    if flags > ALL_FLAGS:
        return BAD_FRAME
    depth, height, width = np.int64(shape[0]), np.int64(shape[1]), np.int64(shape[2])
    if flags & HAS_EXTENTS:
        depth, at = take_varint(data, at, end)
        height, at = take_varint(data, at, end)
        width, at = take_varint(data, at, end)
    held = flags & HELD
    if held == EMPTY:
        if flags != EMPTY or at != end:
            return BAD_FRAME
        out[:, :, :] = 0
        return GOOD
    if not (1 <= depth <= out.shape[0] and 1 <= height <= out.shape[1] and 1 <= width <= out.shape[2]):
        return BAD_FRAME
    out[depth:] = 0
    out[:depth, height:] = 0
    out[:depth, :height, width:] = 0
    part = out[:depth, :height, :width]
    if held == RAW:
        status = BAD_FRAME if flags & HAS_SHIFT else _decode_raw(data, at, end, part)
    elif held == CODED:
        status = _decode_coded(data, at, end, flags, tables, whole, start, (depth, height, width))
    else:
        status = BAD_FRAME
    if status == GOOD and flags & PREDICTED:
        return _restore(part)
    return status


@numba.njit(nogil=True, cache=True)
def _decode_coded(data, at, end, flags, tables, out, start, lengths):
    """Fill the box of `lengths` from `start` on of `out` from the table number at `at` and what follows it."""
    table, shift = np.int64(-1), np.int64(0)
    if at < end:
        table, at = np.int64(data[at]), at + 1
    if flags & HAS_SHIFT:
        if at < end:
            shift, at = np.int64(data[at]), at + 1
        if not 1 <= shift <= LARGEST_SHIFT:
            return BAD_FRAME
    if not 0 <= table < tables.shape[0]:
        return BAD_FRAME
    rows, columns = tile_grid(lengths[0], lengths[1], lengths[2])
    ends = np.full(rows * columns + 1, end)
    for lane in range(1, rows * columns):
        ends[lane], at = take_varint(data, at, end)
        if ends[lane] < 0:
            return BAD_FRAME
    ends[0] = at
    for lane in range(1, rows * columns):
        ends[lane] += ends[lane - 1]
    if ends[-2] > end:
        return BAD_FRAME
    return GOOD if read_lanes(data, ends, shift, tables[table], out, start, lengths) else BAD_LANE


@numba.njit(nogil=True, cache=True)
def _decode_raw(data, at, end, out):
    """Fill `out` (z, y, x) from the width at `at` and the numbers that follow it."""
    if at >= end:
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
    """Turn residuals into values in place; `BAD_LANE` where a value is not below `value_limit`.

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
                    return BAD_LANE
                out[z, y, x] = values[z, y, x]
    return GOOD
