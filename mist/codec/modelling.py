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
from mist.codec.lane_writer import find_contexts, write_codes
from mist.codec.lanes import empty_codes
from mist.codec.prediction import subtract_prediction
from mist.codec.tokens import bit_length

_MODELLED_BITS: Final = 3.0
"""Of numbers that have more bits than this on average, whole bits are held apart: they are noise, and modelling them
costs more time than it saves bytes."""


@numba.njit(nogil=True, cache=True)
def _is_picture(values):
    """Whether neighbours in a row differ less than they are large, so that predicting them may pay."""
    steps, sizes = np.int64(0), np.int64(0)
    for z in range(values.shape[0]):
        for y in range(values.shape[1]):
            row = values[z, y]
            for x in range(1, row.shape[0]):
                steps += abs(np.int64(row[x]) - row[x - 1])
                sizes += abs(np.int64(row[x]))
    return steps < sizes


@numba.njit(nogil=True, cache=True)
def _fold(values, numbers):
    """Fill `numbers` with those of `values`, of the same dtype; the bits of all together, and of the largest.

    A value too large to be folded in its dtype becomes a number of that dtype's full width, which no block can hold.
    """
    bits, most = np.int64(0), np.int64(0)
    sign = 8 * values.itemsize - 1
    source, target = values.reshape(-1), numbers.reshape(-1)
    for i in range(source.shape[0]):
        target[i] = source[i] << 1 ^ source[i] >> sign
    for i in range(target.shape[0]):
        length = bit_length(target[i])
        bits, most = bits + length, max(most, length)
    return bits, most


@numba.njit(nogil=True, cache=True)
def _numbers_of(values):
    """The numbers of `values` or of their residuals, whichever are smaller; whether residuals; bits together, at most.

    Residuals of extreme values can be larger than any value: they do not count where one has more bits than a value.
    """
    numbers = np.empty_like(values)
    bits, most = _fold(values, numbers)
    if _is_picture(values):
        residuals = values.astype(np.int64)
        subtract_prediction(values.astype(np.int64), residuals)
        residual_bits, residual_most = _fold(residuals, residuals)
        if residual_bits < bits and residual_most < 8 * values.itemsize:
            for z in range(values.shape[0]):
                for y in range(values.shape[1]):
                    for x in range(values.shape[2]):
                        numbers[z, y, x] = residuals[z, y, x]
            return numbers, True, residual_bits, residual_most
    return numbers, False, bits, most


@numba.njit(nogil=True, cache=True)
def _shift_for(bits, count):
    """How many low bits to hold apart, for `count` numbers that have `bits` bits together."""
    return min(max(np.int64(bits / count - _MODELLED_BITS), 0), LARGEST_SHIFT)


class Model(NamedTuple):
    """What a block's values become; compiled code hands it on."""

    numbers: npt.NDArray[np.signedinteger]
    """Numbers of at least 0, (z, y, x), within the block's extents."""
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
    """The raw bits of each lane, (lanes, bytes)."""
    raw_bytes: npt.NDArray[np.int64]
    """How many of these bytes each lane has."""


@numba.njit(nogil=True, cache=True)
def model_block(values):
    """The `Model` of `values` (z, y, x), int32 or int64, C order, not all 0."""
    numbers, predicted, bits, width = _numbers_of(values)
    shift = _shift_for(bits, numbers.size)
    codes = empty_codes(numbers.shape[0], numbers.shape[1], numbers.shape[2])
    lanes = codes.shape[3]
    raw = np.empty((lanes, codes.size // lanes * values.itemsize + 8), np.uint8)
    raw_bytes = write_codes(numbers, shift, codes, raw)
    events = np.empty(codes.shape, np.uint16)
    counts = find_contexts(codes, events)
    return Model(numbers, predicted, width, shift, codes, events, counts, raw, raw_bytes)
