"""What a block's values become before they are coded: numbers, codes and events.

The rule: of everything that a block may choose (prediction, low bits held apart) the cheaper one is taken here; which
table set fits best is chosen from what comes out. Values become numbers of at least 0 by folding: 0, -1, 1, -2 are 0,
1, 2, 3.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from mist.codec.frame import LARGEST_SHIFT
from mist.codec.lane_writer import find_contexts
from mist.codec.lanes import empty_codes, lane_numbers, tile_grid
from mist.codec.number_writer import mix_codes, put_raw_bits
from mist.codec.prediction import subtract_prediction
from mist.codec.tokens import bit_length, leading_zeros

_MODELLED_BITS: Final = 3.0
"""Of numbers that have more bits than this on average, whole bits are held apart: they are noise, and modelling them
costs more time than it saves bytes."""


class Part(NamedTuple):
    """Which values of a flat array, C order, are those of a block; compiled code hands it on."""

    first: int
    """Where the first one is."""
    slice_step: int
    """How far on the same place of the next slice is."""
    row_step: int
    """How far on that of the next row is."""
    depth: int
    """Slices."""
    height: int
    """Rows."""
    width: int
    """Columns."""


@numba.njit(nogil=True, cache=True)
def extents(source, part):
    """The least `Part` with the same first value that holds all values other than 0 of `part`."""
    kind, depth, height = source.dtype.type, 0, 0
    columns, width = np.zeros(part.width, source.dtype), part.width
    for z in range(part.depth):
        for y in range(part.height):
            first, bits = np.uint64(part.first + z * part.slice_step + y * part.row_step), kind(0)
            for x in range(np.uint64(part.width)):
                bits = kind(bits | source[first + x])
                columns[x] = kind(columns[x] | source[first + x])
            if bits != 0:
                depth, height = z + 1, max(height, y + 1)
    while width > 0 and columns[width - 1] == 0:
        width -= 1
    return Part(part.first, part.slice_step, part.row_step, depth, height, width)


@numba.njit(nogil=True, cache=True)
def _is_picture(source, part):
    """Whether neighbours in a row differ less than they are large, so that predicting them may pay."""
    kind, steps, sizes = source.dtype.type, np.int64(0), np.int64(0)
    for z in range(part.depth):
        for y in range(part.height):
            first = np.uint64(part.first + z * part.slice_step + y * part.row_step + 1)
            for x in range(np.uint64(part.width - 1)):
                value, before = source[first + x], source[first + x - np.uint64(1)]
                steps += abs(kind(value - before))
                sizes += abs(value)
    return steps < sizes


@numba.njit(nogil=True, cache=True, inline="always")
def _folded(value, kind):
    """The number of a value, in the wrapping arithmetic of its `kind`; of full width where it is too large for it."""
    return kind(kind(value << 1) ^ kind(value >> 63))


class Measured(NamedTuple):
    """What a look at all values of a `Part` gives; compiled code hands it on."""

    bits: int
    """The bits of their numbers, all together."""
    low: int
    """The least."""
    high: int
    """The largest."""


@numba.njit(nogil=True, cache=True)
def measure(source, part):
    """What is `Measured` of `part`, not empty."""
    kind = source.dtype.type
    zeros, low, high = kind(0), kind(source[part.first]), kind(source[part.first])
    for z in range(part.depth):
        for y in range(part.height):
            first = np.uint64(part.first + z * part.slice_step + y * part.row_step)
            for x in range(np.uint64(part.width)):
                value = source[first + x]
                zeros = kind(zeros + leading_zeros(_folded(value, kind)))
                low, high = min(low, value), max(high, value)
    count = part.depth * part.height * part.width
    return Measured(8 * source.itemsize * count - np.int64(zeros), np.int64(low), np.int64(high))


@numba.njit(nogil=True, cache=True)
def _width(measured):
    """The bits of the largest number: 64 if it is too large for an int64."""
    return max(bit_length(_folded(measured.low, np.int64)), bit_length(_folded(measured.high, np.int64)))


@numba.njit(nogil=True, cache=True)
def _deal(source, part, grid, numbers):
    """Fill `numbers` (lanes, numbers of a lane) with those of `part`, 0 where a tile reaches beyond it."""
    kind, (rows, columns) = source.dtype.type, grid
    height, width = -(-part.height // rows), -(-part.width // columns)
    if height * rows > part.height or width * columns > part.width:
        numbers[:] = 0
    for z in range(part.depth):
        for y in range(part.height):
            first = part.first + z * part.slice_step + y * part.row_step
            for column in range(columns):
                line = numbers[y // height * columns + column]
                here, target = np.uint64(first + column * width), np.uint64((z * height + y % height) * width)
                for x in range(np.uint64(max(0, min(width, part.width - column * width)))):
                    line[target + x] = _folded(source[here + x], kind)


@numba.njit(nogil=True, cache=True)
def _residuals(source, part):
    """What is left of the values of `part` by prediction, int64, flat, and the `Part` that it is."""
    values = np.empty((part.depth, part.height, part.width), np.int64)
    for z in range(part.depth):
        for y in range(part.height):
            for x in range(part.width):
                values[z, y, x] = source[part.first + z * part.slice_step + y * part.row_step + x]
    residuals = np.empty_like(values)
    subtract_prediction(values, residuals)
    row = part.width
    return residuals.reshape(-1), Part(0, part.height * row, row, part.depth, part.height, row)


@numba.njit(nogil=True, cache=True)
def _numbers_of(source, part, measured):
    """The numbers of `part` or of its residuals, whichever are smaller; whether residuals; what is `Measured` of them.

    Residuals of extreme values can be larger than any value: they do not count where one has more bits than a value.
    """
    grid = tile_grid(part.depth, part.height, part.width)
    lane = part.depth * -(-part.height // grid[0]) * -(-part.width // grid[1])
    numbers = np.empty((grid[0] * grid[1], lane), source.dtype)
    if _is_picture(source, part):
        residuals, whole = _residuals(source, part)
        left = measure(residuals, whole)
        if left.bits < measured.bits and _width(left) < 8 * source.itemsize:
            _deal(residuals, whole, grid, numbers)
            return numbers, True, left
    _deal(source, part, grid, numbers)
    return numbers, False, measured


@numba.njit(nogil=True, cache=True)
def _shift_for(bits, count):
    """How many low bits to hold apart, for `count` numbers that have `bits` bits together."""
    return min(max(np.int64(bits / count - _MODELLED_BITS), 0), LARGEST_SHIFT)


class Model(NamedTuple):
    """What a block's values become; compiled code hands it on."""

    numbers: npt.NDArray[np.signedinteger]
    """Numbers of at least 0, (lanes, numbers of a lane)."""
    predicted: bool
    """Whether they are those of residuals."""
    width: int
    """The bits of the largest."""
    shift: int
    """How many low bits of each are held apart."""
    codes: npt.NDArray[np.uint8]
    """The codes of the upper bits: see `mist.codec.context`."""
    events: npt.NDArray[np.uint16]
    """The context and symbol of each, in the same places."""
    counts: npt.NDArray[np.uint32]
    """How often each event comes."""
    raw: npt.NDArray[np.uint8]
    """The raw bits of each lane, (lanes, bytes), at its end."""
    raw_begins: npt.NDArray[np.int64]
    """Where these begin."""


@numba.njit(nogil=True, cache=True)
def model_block(source, part, measured):
    """The `Model` of the values of `part`, int32 or int64, not all 0, of which so much was `measured`."""
    numbers, predicted, held = _numbers_of(source, part, measured)
    shift = _shift_for(held.bits, part.depth * part.height * part.width)
    codes = empty_codes(part.depth, part.height, part.width)
    lanes = codes.shape[3]
    marks = np.empty((codes.shape[0] * codes.shape[1], lanes), np.uint32)
    mix_codes(numbers, shift, codes, marks)
    raw, raw_begins = np.empty((lanes, lane_numbers(codes) * source.itemsize + 8), np.uint8), np.empty(lanes, np.int64)
    for lane in range(lanes):
        raw_begins[lane] = put_raw_bits(numbers[lane], shift, lane, codes, marks, raw[lane])
    events = np.empty(codes.shape, np.uint16)
    counts = find_contexts(codes, events)
    return Model(numbers, predicted, _width(held), shift, codes, events, counts, raw, raw_begins)
