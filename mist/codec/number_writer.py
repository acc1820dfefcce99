"""The numbers of a block's lanes into codes, raw bits and low bits.

The rule: codes of all lanes are made together; the bits behind them lane by lane, of those rows that have any.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from mist.codec.context import COLUMNS_BEFORE, COLUMNS_OUTSIDE
from mist.codec.simd import WIDTH
from mist.codec.simd_memory import load, mix, store
from mist.codec.tokens import CODES, DIRECT, RAW_BITS, token_of

_LARGEST: Final = 255
"""Stands in a row's codes for a number of at least `DIRECT` until its token is known."""


@numba.njit(nogil=True, cache=True)
def mix_codes(numbers, shift, codes, marks):
    """Put the upper bits of all lanes' numbers together.

    Parameters
    ----------
    numbers
        (lanes, numbers of a lane), in order.
    shift
        How many low bits are left out.
    codes
        uint8 (slices, rows, columns, lanes), columns outside included: filled with what is left of each number, or of a
        number of at least `DIRECT` with another one.
    marks
        uint32 (rows of all slices, lanes): filled with the bits of all these of a row together.
    """
    depth, height, columns, lanes = codes.shape
    flat, given, seen, width = codes.reshape(-1), numbers.reshape(-1), marks.reshape(-1), columns - COLUMNS_OUTSIDE
    for row in range(depth * height):
        target, first = (row * columns + COLUMNS_BEFORE) * lanes, row * width
        if lanes == WIDTH:
            store(seen, row * WIDTH, _mix_row(given, first, numbers.shape[1], shift, flat, target, width))
        else:
            for lane in range(lanes):
                marks[row, lane] = _mix_lane(numbers[lane], first, shift, flat, target + lane, lanes, width)


@numba.njit(nogil=True, cache=True)
def _mix_row(numbers, first, step, shift, codes, target, width):
    """Put a row of eight lanes, which begins at `first`, each lane's `step` after the one before, to `target`."""
    bits, whole = load(codes, target) & np.uint32(0), width - width % WIDTH
    for x in range(0, whole, WIDTH):
        bits = bits | mix(numbers, first + x, step, shift, codes, target + x * WIDTH)
    for lane in range(WIDTH):
        _mix_lane(
            numbers, first + lane * step + whole, shift, codes, target + whole * WIDTH + lane, WIDTH, width - whole
        )
    for x in range(whole, width):
        bits = bits | load(codes, target + x * WIDTH)
    return bits


@numba.njit(nogil=True, cache=True)
def _mix_lane(numbers, first, shift, codes, target, step, width):
    """Put a row of one lane, which begins at `first`, to `target`, `step` apart; its bits."""
    bits = np.uint32(0)
    for x in range(width):
        code = min(numbers[first + x] >> shift, _LARGEST)
        codes[target + x * step] = code
        bits |= np.uint32(code)
    return bits


@numba.njit(nogil=True, cache=True, inline="always")
def _put_bits(out, at, step, held, count, bits, width):
    """Append `width` <= 32 bits to the fewer than 32 `held`; of 32, four bytes go to `out`, `step` (1, -1) apart."""
    held |= bits << np.uint64(count)
    count += width
    if count >= 32:
        for place in range(4):
            out[at + place * step] = held >> np.uint64(8 * place) & np.uint64(255)
        at += 4 * step
        held >>= np.uint64(32)
        count -= 32
    return at, held, count


@numba.njit(nogil=True, cache=True, inline="always")
def _put_rest(out, at, step, held, count):
    """Append what is `held`, in whole bytes; where they end comes back."""
    while count > 0:
        out[at] = held & np.uint64(255)
        at += step
        held >>= np.uint64(8)
        count -= 8
    return at


@numba.njit(nogil=True, cache=True)
def put_raw_bits(numbers, shift, lane, codes, marks, raw):
    """Put the codes of a lane's large numbers into `codes`, and their raw bits backwards from the end of `raw`.

    `numbers` are the lane's, `marks` those of `mix_codes`. Where in `raw` the bits end comes back.
    """
    depth, height, columns, lanes = codes.shape
    flat, width = codes.reshape(-1), columns - COLUMNS_OUTSIDE
    held, count, at = np.uint64(0), 0, raw.shape[0] - 1
    for row in range(depth * height):
        if marks[row, lane] < DIRECT:
            continue
        first, target = row * width, (row * columns + COLUMNS_BEFORE) * lanes + lane
        for x in range(width):
            number = np.int64(numbers[first + x]) >> shift
            if number >= DIRECT:
                token = token_of(number)
                flat[target + x * lanes] = CODES[token]
                bits = np.int64(RAW_BITS[token])
                rest = np.uint64(number & ((np.int64(1) << bits) - 1))
                if bits > 32:
                    at, held, count = _put_bits(raw, at, -1, held, count, rest & np.uint64(0xFFFFFFFF), 32)
                    bits, rest = bits - 32, rest >> np.uint64(32)
                at, held, count = _put_bits(raw, at, -1, held, count, rest, bits)
    return _put_rest(raw, at, -1, held, count) + 1


@numba.njit(nogil=True, cache=True)
def put_low_bits(numbers, shift, out, at):
    """Append the lowest `shift` bits of a lane's `numbers`: of eight at a time while these fit 64 bits."""
    mask = (np.int64(1) << shift) - 1
    eights = numbers.shape[0] // 8 if shift <= 8 else 0
    for group in range(eights):
        line, bits = numbers[8 * group : 8 * group + 8], np.uint64(0)
        for i in range(8):
            bits |= np.uint64(line[i] & mask) << np.uint64(i * shift)
        for place in range(shift):
            out[at + place] = bits >> np.uint64(8 * place) & np.uint64(255)
        at += shift
    held, count = np.uint64(0), 0
    for i in range(8 * eights, numbers.shape[0]):
        at, held, count = _put_bits(out, at, 1, held, count, np.uint64(numbers[i] & mask), shift)
    return _put_rest(out, at, 1, held, count)
