"""What a block's values become before they are coded: numbers, tokens and contexts.

The rule: of everything that a block may choose (prediction, low bits held apart) the cheaper one is taken here; which
table set fits best is chosen from what comes out. Values become numbers of at least 0 by folding: 0, -1, 1, -2 are 0,
1, 2, 3.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from mist.codec.context import CONTEXTS
from mist.codec.frame import LARGEST_SHIFT
from mist.codec.lanes import lane_count, model_lane
from mist.codec.prediction import subtract_prediction
from mist.codec.tokens import TOKENS, bit_length

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
                steps += abs(row[x] - row[x - 1])
                sizes += abs(row[x])
    return steps < sizes


@numba.njit(nogil=True, cache=True)
def _fold(values):
    """Replace int64 values by their numbers; the bits that these have together, and of the largest, come back.

    A value of 2^62 or more in magnitude becomes a number of 64 bits, which no block can hold.
    """
    bits, most = np.int64(0), np.int64(0)
    flat = values.reshape(-1)
    for i in range(flat.shape[0]):
        flat[i] = flat[i] << 1 ^ flat[i] >> 63
    for i in range(flat.shape[0]):
        length = bit_length(flat[i])
        bits, most = bits + length, max(most, length)
    return bits, most


@numba.njit(nogil=True, cache=True)
def _numbers_of(values, number_bits):
    """The numbers of int64 `values` or of their residuals, whichever are smaller; whether residuals; bits together.

    Residuals of extreme values can be larger than any value: they do not count where one exceeds `number_bits`.
    """
    plain = values.copy()
    plain_bits, _ = _fold(plain)
    if _is_picture(values):
        residuals = np.empty_like(values)
        subtract_prediction(values, residuals)
        residual_bits, most = _fold(residuals)
        if residual_bits < plain_bits and most <= number_bits:
            return residuals, True, residual_bits
    return plain, False, plain_bits


@numba.njit(nogil=True, cache=True)
def _shift_for(bits, count):
    """How many low bits to hold apart, for `count` numbers that have `bits` bits together."""
    return min(max(np.int64(bits / count - _MODELLED_BITS), 0), LARGEST_SHIFT)


class Model(NamedTuple):
    """What a block's values become; compiled code hands it on."""

    numbers: npt.NDArray[np.int64]
    """Numbers of at least 0, (z, y, x), within the block's extents."""
    predicted: bool
    """Whether they are those of residuals."""
    shift: int
    """How many low bits of each are held apart."""
    tokens: npt.NDArray[np.uint8]
    """The token of each number, lane after lane."""
    contexts: npt.NDArray[np.uint8]
    """The context of each."""
    largest: int
    """All numbers together, bit by bit: as long as the longest of them."""


@numba.njit(nogil=True, cache=True)
def model_block(values, number_bits, lookup):
    """The `Model` of int64 `values` (z, y, x), C order, not all 0."""
    numbers, predicted, bits = _numbers_of(values, number_bits)
    shift = _shift_for(bits, numbers.size)
    tokens, contexts = np.empty(numbers.size, np.uint8), np.empty(numbers.size, np.uint8)
    depth, height, width = numbers.shape
    lanes = lane_count(depth, height, width)
    for lane in range(lanes):
        first, last = lane * height // lanes, (lane + 1) * height // lanes
        part = slice(depth * width * first, depth * width * last)
        model_lane(numbers[:, first:last].copy(), shift, lookup, tokens[part], contexts[part])
    largest = np.int64(0)
    flat = numbers.reshape(-1)
    for i in range(flat.shape[0]):
        largest |= flat[i]
    return Model(numbers, predicted, shift, tokens, contexts, largest)


@numba.njit(nogil=True, cache=True)
def count_tokens(tokens, contexts):
    """How often each token comes in each context: float32 (`CONTEXTS`, `TOKENS`)."""
    counts = np.zeros((CONTEXTS, TOKENS), np.float32)
    for i in range(tokens.shape[0]):
        counts[contexts[i], tokens[i]] += 1
    return counts
