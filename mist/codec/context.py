"""How large the next number is likely to be, from its neighbours: the coder's context.

The rule: a context is a quantised weighted sum of the codes of neighbours that are known already: to the left and above
in the same slice, and around the same place in the slice before. Only neighbours of the same lane count, so that lanes
stand alone. All of the sum but the two neighbours to the left is made for a row of all lanes at once.

The codes of a block lie as uint8 (slices, rows, columns, lanes): those at the same place of all lanes side by side, so
that lanes are worked on together. Two columns before the first and one behind the last stand for what lies outside.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from mist.codec.simd import float_bits
from mist.codec.tokens import leading_zeros

CONTEXTS: Final = 22
"""Number of contexts."""

COLUMNS_BEFORE: Final = 2
"""Columns of a lane's codes before its first number."""

COLUMNS_OUTSIDE: Final = COLUMNS_BEFORE + 1
"""Columns of a lane's codes that hold no number."""

_SMALLEST = np.uint32(12)
"""Added to a sum, so that small sums do not have contexts of their own."""


@numba.njit(nogil=True, cache=True, inline="always")
def context_of(total):
    """The context of a sum: two for each power of two of `total + 12`."""
    larger = np.uint32(total + _SMALLEST)
    length = np.uint32(np.uint32(32) - leading_zeros(larger))
    return np.uint32(2 * length + (larger >> np.uint32(length - np.uint32(2)) & np.uint32(1)) - 9)


@numba.njit(nogil=True, cache=True, inline="always")
def contexts_of(totals):
    """`context_of` for a vector: a float32 holds the same in its exponent, 127 more, and its first fraction bit."""
    return (float_bits(totals + _SMALLEST) >> np.uint32(22)) - np.uint32(2 * 126 + 9)


@numba.njit(nogil=True, cache=True)
def _sum_above(codes, n, nn, lanes, sums):
    """`sums` for a row with rows above and no slice before."""
    nw, ne = np.uint64(n - lanes), np.uint64(n + lanes)
    n, nn = np.uint64(n), np.uint64(nn)
    for i in range(np.uint64(sums.shape[0])):
        beside = np.uint16(codes[nw + i]) + np.uint16(codes[ne + i])
        sums[i] = 21 * np.uint16(codes[n + i]) + 7 * (beside + np.uint16(codes[nn + i]))


@numba.njit(nogil=True, cache=True)
def _sum_before(codes, p, ps, lanes, sums):
    """`sums` for a row with a slice before and no rows above."""
    pw, pe = np.uint64(p - lanes), np.uint64(p + lanes)
    p, ps = np.uint64(p), np.uint64(ps)
    for i in range(np.uint64(sums.shape[0])):
        beside = np.uint16(codes[pw + i]) + np.uint16(codes[pe + i])
        sums[i] = 24 * np.uint16(codes[p + i]) + 4 * (beside + np.uint16(codes[ps + i]))


@numba.njit(nogil=True, cache=True)
def _sum_both(codes, n, nn, p, pn, ps, lanes, sums):
    """`sums` for a row with rows above and a slice before; in three steps, of which a compiler makes more."""
    nw, ne, pw, pe = np.uint64(n - lanes), np.uint64(n + lanes), np.uint64(p - lanes), np.uint64(p + lanes)
    n, nn, p, pn, ps = np.uint64(n), np.uint64(nn), np.uint64(p), np.uint64(pn), np.uint64(ps)
    count = np.uint64(sums.shape[0])
    for i in range(count):
        sums[i] = 12 * (np.uint16(codes[n + i]) + np.uint16(codes[p + i]))
    for i in range(count):
        sums[i] += 4 * (np.uint16(codes[nw + i]) + np.uint16(codes[ne + i]) + np.uint16(codes[nn + i]))
    for i in range(count):
        beside = np.uint16(codes[pw + i]) + np.uint16(codes[pe + i])
        sums[i] += 4 * (beside + np.uint16(codes[pn + i]) + np.uint16(codes[ps + i]))


@numba.njit(nogil=True, cache=True)
def open_row(codes, z, y, shape, sums):
    """Fill the columns before row `y` of slice `z` of `codes`, and `sums` with what the row owes to its neighbours.

    `codes` are flat, of `shape` (slices, rows, columns, lanes), and `sums` uint16, one for each number of the row. The
    weights of W and WW come back. With W and WW the columns one and two to the left, N and NN the rows one and two
    above, NW and NE beside N, P the same place one slice before and PW, PE, PN, PS around it:

        rows and slices before    12 (W + N + P) + 4 (WW + NW + NE + NN + PW + PE + PN + PS)
        rows alone                21 (W + N) + 7 (WW + NW + NE + NN)
        slices alone              24 (W + P) + 8 WW + 4 (PW + PE + PS)
        neither                   51 W + 17 WW

    Outside a lane NN is N, and PS is P. A row's columns before the first are the N of the first, where there is no row
    above its P, else 0; the column behind the last is the last.
    """
    _, height, columns, lanes = shape
    row = columns * lanes
    here = (z * height + y) * row + COLUMNS_BEFORE * lanes
    n, p = here - row, here - height * row
    nn, ps = n - row if y > 1 else n, p + row if y + 1 < height else p
    if y > 0:
        _repeat(codes, n, here, lanes)
        if z > 0:
            _sum_both(codes, n, nn, p, p - row, ps, lanes, sums)
            return np.uint32(12), np.uint32(4)
        _sum_above(codes, n, nn, lanes, sums)
        return np.uint32(21), np.uint32(7)
    if z > 0:
        _repeat(codes, p, here, lanes)
        _sum_before(codes, p, ps, lanes, sums)
        return np.uint32(24), np.uint32(8)
    codes[here - COLUMNS_BEFORE * lanes : here] = 0
    sums[:] = 0
    return np.uint32(51), np.uint32(17)


@numba.njit(nogil=True, cache=True)
def _repeat(codes, first, here, lanes):
    """Fill the columns before `here` with the column at `first`."""
    for i in range(lanes):
        codes[here - 2 * lanes + i] = codes[here - lanes + i] = codes[first + i]


@numba.njit(nogil=True, cache=True)
def close_row(codes, z, y, shape):
    """Fill the column behind row `y` of slice `z` of `codes`, flat, of `shape`, once the row is known."""
    _, height, columns, lanes = shape
    end = (z * height + y + 1) * columns * lanes
    for i in range(end - lanes, end):
        codes[i] = codes[i - lanes]
