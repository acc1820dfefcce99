"""The raw and low bits of a lane, which with its codes make its values.

The rule: bits are read backwards from a lane's end, and never before its front, which its words have left behind.
"""

from __future__ import annotations

import numba
import numpy as np

from mist.codec.context import COLUMNS_BEFORE, COLUMNS_OUTSIDE
from mist.codec.simd import WIDTH
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
def read_numbers(data, front, end, shift, codes, lane, numbers):
    """Fill `numbers`, flat, with those of a lane but for their low bits: from its codes and its raw bits before `end`.

    At least `STATE_BYTES` lie before `front`, so that reading a few bytes at once stays inside `data`. False where raw
    bits do not meet the words at `front`, or a number is too large for its dtype.
    """
    depth, height, columns, lanes = codes.shape
    largest = np.int64(np.iinfo(numbers.dtype).max) >> shift
    flat, width = codes.reshape(-1), columns - COLUMNS_OUTSIDE
    at, room = np.int64(0), 8 * (end - front)
    for row in range(depth * height):
        source, first = (row * columns + COLUMNS_BEFORE) * lanes + lane, row * width
        if _spread(flat, source, lanes, numbers, first, width) < DIRECT:
            continue
        for i in range(first, first + width):
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
def _spread(codes, source, lanes, numbers, first, count):
    """Fill `count` numbers from `first` on with every so manieth code from `source` on; all together, bit by bit.

    Written out for eight lanes, since only a stride that the compiler knows is done on many numbers at a time. Both are
    flat; places are unsigned, since numba makes more of signed ones.
    """
    begin, place, stride = np.uint64(first), np.uint64(source), np.uint64(lanes)
    if lanes == WIDTH:
        for x in range(np.uint64(count)):
            numbers[begin + x] = codes[place + np.uint64(WIDTH) * x]
    else:
        for x in range(np.uint64(count)):
            numbers[begin + x] = codes[place + stride * x]
    bits = numbers.dtype.type(0)
    for x in range(np.uint64(count)):
        bits |= numbers[begin + x]
    return bits


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
