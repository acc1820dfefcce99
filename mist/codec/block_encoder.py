"""The values of a block into its bytes.

The rule: of everything that a block may choose (prediction, low bits held apart, table set, raw numbers) the cheaper
one is taken, and the frame says which. Values become numbers of at least 0 by folding: 0, -1, 1, -2 are 0, 1, 2, 3.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from mist.codec.frame import CODED, EMPTY, HAS_EXTENTS, HAS_SHIFT, LARGEST_SHIFT, PREDICTED, RAW, put_varint
from mist.codec.lanes import LANES, encode_lane, lane_count, model_lane
from mist.codec.prediction import subtract_prediction
from mist.codec.tokens import TOKENS, bit_length

_MODELLED_BITS: Final = 3.5
"""Of numbers that have more bits than this on average, whole bits are held apart: they are noise, and modelling them
costs more time than it saves bytes."""


@numba.njit(nogil=True, cache=True)
def extents(values):
    """Lengths (z, y, x) of the least box at the origin that holds all values other than 0 of a block."""
    depth, height, width = 0, 0, 0
    for z in range(values.shape[0]):
        for y in range(values.shape[1]):
            row = values[z, y]
            last = row.shape[0]
            while last > 0 and row[last - 1] == 0:
                last -= 1
            if last > 0:
                depth, height, width = z + 1, max(height, y + 1), max(width, last)
    return depth, height, width


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


@numba.njit(nogil=True, cache=True)
def _cheapest(costs, tokens, contexts):
    """The table set that takes the fewest bits, and how many."""
    counts = np.zeros((costs.shape[1], TOKENS), np.float32)
    for i in range(tokens.shape[0]):
        counts[contexts[i], tokens[i]] += 1
    best, least = 0, np.float32(np.inf)
    for table in range(costs.shape[0]):
        bits = (costs[table] * counts).sum()
        if bits < least:
            best, least = table, bits
    return best, least


@numba.njit(nogil=True, cache=True)
def _encode_raw(numbers, out, at):
    width = 1
    for number in numbers.flat:
        width = max(width, bit_length(number))
    out[at] = width
    at += 1
    held, count = np.uint64(0), 0
    for number in numbers.flat:
        for part in range(0, width, 32):
            bits = np.uint64(number) >> np.uint64(part) & np.uint64(0xFFFFFFFF)
            held |= bits << np.uint64(count)
            count += min(width - part, 32)
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
def encode_into(values, number_bits, frequencies, starts, costs, lookup, out):
    """Write the body of a block of int64 `values` (z, y, x) to `out`; its length comes back.

    Values are below 2^61 in magnitude, their numbers of at most `number_bits` bits, 31 or 63. `out` must have 10 bytes
    a value and 128 more: a number takes 80 bits at most, 12 of the escape, 6 of a length and all but one of its own.
    """
    depth, height, width = extents(values)
    if depth == 0:
        out[0] = EMPTY
        return 1
    flags = 0 if (depth, height, width) == values.shape else HAS_EXTENTS
    numbers, predicted, bits = _numbers_of(values[:depth, :height, :width].copy(), number_bits)
    if predicted:
        flags |= PREDICTED
    shift = _shift_for(bits, numbers.size)
    tokens, contexts = np.empty(numbers.size, np.uint8), np.empty(numbers.size, np.uint8)
    lanes = lane_count(depth, height, width)
    edges = [depth * width * (lane * height // lanes) for lane in range(lanes + 1)]
    for lane in range(lanes):
        part = slice(edges[lane], edges[lane + 1])
        rows = numbers[:, lane * height // lanes : (lane + 1) * height // lanes]
        model_lane(rows, shift, lookup, tokens[part], contexts[part])
    table, _ = _cheapest(costs, tokens, contexts)
    bodies = np.empty(10 * numbers.size + 64, np.uint8)
    ends = np.zeros(LANES + 1, np.int64)
    for lane in range(lanes):
        part = slice(edges[lane], edges[lane + 1])
        rows = numbers[:, lane * height // lanes : (lane + 1) * height // lanes].copy()
        ends[lane + 1] = encode_lane(
            rows, shift, tokens[part], contexts[part], frequencies[table], starts[table], bodies, ends[lane]
        )
    at = 1
    if flags & HAS_EXTENTS:
        at = put_varint(out, put_varint(out, put_varint(out, at, depth), height), width)
    largest = np.int64(0)
    for number in numbers.flat:
        largest |= number
    if bit_length(largest) * numbers.size <= 8 * ends[lanes]:
        out[0] = flags | RAW
        return _encode_raw(numbers, out, at)
    out[at] = table
    at += 1
    if shift > 0:
        flags |= HAS_SHIFT
        out[at] = shift
        at += 1
    out[0] = flags | CODED
    for lane in range(lanes - 1):
        at = put_varint(out, at, ends[lane + 1] - ends[lane])
    out[at : at + ends[lanes]] = bodies[: ends[lanes]]
    return at + ends[lanes]
