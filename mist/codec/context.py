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
from mist.codec.tokens import bit_length

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
    length = bit_length(total + _SMALLEST)
    return 2 * length + ((total + _SMALLEST) >> (length - 2) & 1) - 9


@numba.njit(nogil=True, cache=True, inline="always")
def contexts_of(totals):
    """`context_of` for a vector: a float32 holds the same in its exponent, 127 more, and its first fraction bit."""
    return (float_bits(totals + _SMALLEST) >> np.uint32(22)) - np.uint32(2 * 126 + 9)


@numba.njit(nogil=True, cache=True)
def open_row(codes, z, y, sums):
    """Fill the columns before row `y` of slice `z` of `codes`, and `sums` with what the row owes to its neighbours.

    `sums` is uint16, flat, one for each number of the row. The weights of W and WW come back. With W and WW the columns
    one and two to the left, N and NN the rows one and two above, NW and NE beside N, P the same place one slice
    before and PW, PE, PN, PS around it:

        rows and slices before    12 (W + N + P) + 4 (WW + NW + NE + NN + PW + PE + PN + PS)
        rows alone                21 (W + N) + 7 (WW + NW + NE + NN)
        slices alone              24 (W + P) + 8 WW + 4 (PW + PE + PS)
        neither                   51 W + 17 WW

    Outside a lane NN is N, and PS is P. A row's columns before the first are the N of the first, where there is no row
    above its P, else 0; the column behind the last is the last.
    """
    height, lanes = codes.shape[1], codes.shape[3]
    before, row = COLUMNS_BEFORE * lanes, codes[z, y].reshape(-1)
    count = row.shape[0] - before - lanes
    if y > 0:
        above = codes[z, y - 1].reshape(-1)
        n, nw, ne = above[before : before + count], above[before - lanes :], above[before + lanes :]
        nn = codes[z, y - 2].reshape(-1)[before:] if y > 1 else n
        _repeat(n, lanes, row)
        if z > 0:
            same = codes[z - 1, y].reshape(-1)
            p, pw, pe = same[before:], same[before - lanes :], same[before + lanes :]
            pn = codes[z - 1, y - 1].reshape(-1)[before:]
            ps = codes[z - 1, y + 1].reshape(-1)[before:] if y + 1 < height else p
            for i in range(count):
                sums[i] = 12 * (np.uint16(n[i]) + np.uint16(p[i]))
            for i in range(count):
                sums[i] += 4 * (np.uint16(nw[i]) + np.uint16(ne[i]) + np.uint16(nn[i]))
            for i in range(count):
                around = np.uint16(pw[i]) + np.uint16(pe[i]) + np.uint16(pn[i]) + np.uint16(ps[i])
                sums[i] += 4 * around
            return np.uint32(12), np.uint32(4)
        for i in range(count):
            sums[i] = 21 * np.uint16(n[i]) + 7 * (np.uint16(nw[i]) + np.uint16(ne[i]) + np.uint16(nn[i]))
        return np.uint32(21), np.uint32(7)
    if z > 0:
        same = codes[z - 1, 0].reshape(-1)
        p, pw, pe = same[before:], same[before - lanes :], same[before + lanes :]
        ps = codes[z - 1, 1].reshape(-1)[before:] if height > 1 else p
        _repeat(p, lanes, row)
        for i in range(count):
            sums[i] = 24 * np.uint16(p[i]) + 4 * (np.uint16(pw[i]) + np.uint16(pe[i]) + np.uint16(ps[i]))
        return np.uint32(24), np.uint32(8)
    row[:before] = 0
    sums[:] = 0
    return np.uint32(51), np.uint32(17)


@numba.njit(nogil=True, cache=True)
def _repeat(line, lanes, row):
    """Fill the columns before the first of `row` with the first of `line`."""
    for i in range(lanes):
        row[i] = row[lanes + i] = line[i]


@numba.njit(nogil=True, cache=True)
def close_row(codes, z, y):
    """Fill the column behind row `y` of slice `z` of `codes`, once the row is known."""
    columns = codes.shape[2]
    for lane in range(codes.shape[3]):
        codes[z, y, columns - 1, lane] = codes[z, y, columns - 2, lane]
