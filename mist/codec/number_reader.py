"""The raw and low bits of a lane, which with its codes make its values.

The rule: bits are read backwards from a lane's end, and never before its front, which its words have left behind.
"""

from __future__ import annotations

import numba
import numpy as np

from mist.codec.context import COLUMNS_BEFORE, COLUMNS_OUTSIDE
from mist.codec.simd import WIDTH
from mist.codec.simd_memory import deal, load, store
from mist.codec.tokens import DIRECT, LONG, RAW_BITS, TOKEN_OF, number_of


@numba.njit(nogil=True, cache=True, inline="always")
def _take_bits(data, end, at, width):
    """`width` <= 25 bits, `at` bits before `end`: of bytes that are read backwards, each from its lowest bit."""
    last = end - 1 - (at >> 3)
    bits = np.uint32(data[last]) | np.uint32(data[last - 1]) << np.uint32(8)
    bits |= np.uint32(data[last - 2]) << np.uint32(16) | np.uint32(data[last - 3]) << np.uint32(24)
    return np.int64(bits >> np.uint32(at & 7)) & ((np.int64(1) << width) - 1)


@numba.njit(nogil=True, cache=True)
def _take_long(data, end, at, width):
    """`_take_bits` for up to 62 bits."""
    bits = np.int64(0)
    for done in range(0, width, 16):
        bits |= _take_bits(data, end, at + done, min(width - done, 16)) << done
    return bits


@numba.njit(nogil=True, cache=True)
def spread_codes(codes, numbers, marks):
    """Take the codes of one lane or eight apart.

    Parameters
    ----------
    codes
        uint8 (slices, rows, columns, lanes), flat columns outside included.
    numbers
        (lanes, numbers of a lane): filled with the codes, in order.
    marks
        uint32 (rows of all slices, lanes): filled with the bits of all codes of a row together.
    """
    depth, height, columns, lanes = codes.shape
    flat, out, seen, width = codes.reshape(-1), numbers.reshape(-1), marks.reshape(-1), columns - COLUMNS_OUTSIDE
    for row in range(depth * height):
        source, first = (row * columns + COLUMNS_BEFORE) * lanes, row * width
        if lanes == WIDTH:
            store(seen, row * WIDTH, _spread_row(flat, source, out, first, numbers.shape[1], width))
        else:
            bits = np.uint32(0)
            for x in range(width):
                out[first + x] = flat[source + x]
                bits |= np.uint32(flat[source + x])
            seen[row] = bits


@numba.njit(nogil=True, cache=True)
def _spread_row(codes, source, numbers, first, step, width):
    """Put the codes of a row of eight lanes from `first` on, each lane's `step` after the one before; their bits."""
    bits, whole = load(codes, source), width - width % WIDTH
    for x in range(0, whole, WIDTH):
        bits = bits | deal(codes, source + x * WIDTH, numbers, first + x, step)
    for x in range(whole, width):
        bits = bits | load(codes, source + x * WIDTH)
        for lane in range(WIDTH):
            numbers[first + lane * step + x] = codes[source + x * WIDTH + lane]
    return bits


@numba.njit(nogil=True, cache=True)
def put_raw_bits(data, front, end, shift, marks, numbers):
    """Turn a lane's `numbers`, flat, from codes into what they are but for low bits: with its raw bits before `end`.

    `marks` are those of the lane's rows. At least `STATE_BYTES` lie before `front`, so that reading a few bytes at once
    stays inside `data`. False where raw bits do not meet the words at `front`, or a number is too large for its dtype.
    """
    largest, width = np.int64(np.iinfo(numbers.dtype).max) >> shift, numbers.shape[0] // marks.shape[0]
    at, room = np.int64(0), 8 * (end - front)
    for row in range(marks.shape[0]):
        if marks[row] < DIRECT:
            continue
        for i in range(row * width, row * width + width):
            if numbers[i] >= DIRECT:
                token = np.int64(TOKEN_OF[numbers[i]])
                bits = np.int64(RAW_BITS[token])
                if at + bits > room:
                    return False
                raw = _take_bits(data, end, at, bits) if token < LONG else _take_long(data, end, at, bits)
                number = number_of(token, raw)
                if number > largest:
                    return False
                numbers[i] = number
                at += bits
    return front == end - ((at + 7) >> 3)


@numba.njit(nogil=True, cache=True)
def put_low_bits(data, at, shift, numbers):
    """Append to `numbers`, flat, the low bits at `at`: eight numbers at a time while these fit 64 bits."""
    mask = (np.uint64(1) << np.uint64(shift)) - np.uint64(1)
    eights = numbers.shape[0] // 8 if shift <= 8 else 0
    for group in range(eights):
        bits = np.uint64(0)
        for place in range(shift):
            bits |= np.uint64(data[at + place]) << np.uint64(8 * place)
        at += shift
        line = numbers[8 * group : 8 * group + 8]
        for i in range(8):
            line[i] = line[i] << shift | np.int64(bits >> np.uint64(i * shift) & mask)
    held, count = np.uint64(0), 0
    for i in range(8 * eights, numbers.shape[0]):
        while count < shift:
            held |= np.uint64(data[at]) << np.uint64(count)
            at += 1
            count += 8
        numbers[i] = numbers[i] << shift | np.int64(held & mask)
        held >>= np.uint64(shift)
        count -= shift
