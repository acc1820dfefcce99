"""How large the next coefficient is likely to be, from its neighbours: the coder's context.

The rule: a context is a quantised weighted sum of the magnitudes of neighbours that are decoded already: to the left
and above in the same slice, and around the same place in the slice before. Only neighbours of the same lane count, so
that lanes stand alone. All of the sum but the two neighbours to the left is made for a whole row at once.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
import numpy.typing as npt

CONTEXTS: Final = 32
"""Number of contexts."""

LARGEST_MAGNITUDE: Final = 65535
"""Magnitudes are clamped to this before they are summed, so that sums fit in 32 bits."""

_LOOKUP_SIZE = 4096

_GROWTH = 1.29
"""Ratio of one context's bound to the one before, where whole numbers allow."""


def context_bounds() -> npt.NDArray[np.int64]:
    """The least sums, in quarters of the weights' unit, of contexts 1 to 31: whole numbers that grow by 1.29."""
    bounds: list[int] = []
    exact = 1.0
    while len(bounds) < CONTEXTS - 1:
        bound = max(int(np.ceil(exact)), bounds[-1] + 1 if bounds else 1)
        bounds.append(bound)
        exact = max(exact * _GROWTH, float(bound))
    return np.array(bounds)


CONTEXT_LOOKUP: Final = np.searchsorted(context_bounds(), np.arange(_LOOKUP_SIZE), side="right").astype(np.uint8)
"""The context of each sum below 4096; all larger sums have the last one."""


@numba.njit(nogil=True, cache=True)
def row_sums(magnitudes, z, y, height, sums):
    """Fill `sums` (int32, one a column) with what row `y` of slice `z` of a lane owes to its decoded neighbours.

    `magnitudes` is uint16 (slices, rows, columns), none of them 0 columns wide, of which the lane has `height` rows.
    What comes back are the weights of W and WW, and the magnitude that stands for both of them before the first column.
    With W and WW the columns one and two to the left, N and NN the rows one and two above, NW and NE beside N, P the
    same place one slice before and PW, PE, PN, PS around it:

        rows and slices before    12 (W + N + P) + 4 (WW + NW + NE + NN + PW + PE + PN + PS)
        rows alone                21 (W + N) + 7 (WW + NW + NE + NN)
        slices alone              24 (W + P) + 8 WW + 4 (PW + PE + PS)
        neither                   51 W + 17 WW

    A neighbour beyond the lane's edge is replaced by the nearest one inside: NW by N, NN by N, PS by P and so on.
    """
    width = magnitudes.shape[2]
    last = width - 1
    if y > 0:
        n = magnitudes[z, y - 1]
        nn = magnitudes[z, y - 2] if y > 1 else n
        if z > 0:
            p, pn = magnitudes[z - 1, y], magnitudes[z - 1, y - 1]
            ps = magnitudes[z - 1, y + 1] if y + 1 < height else p
            for x in range(1, last):
                around = np.int32(n[x - 1]) + np.int32(n[x + 1]) + np.int32(nn[x]) + np.int32(pn[x]) + np.int32(ps[x])
                around += np.int32(p[x - 1]) + np.int32(p[x + 1])
                sums[x] = 12 * (np.int32(n[x]) + np.int32(p[x])) + 4 * around
            for x in (0, last):
                w, e = max(x - 1, 0), min(x + 1, last)
                around = np.int32(n[w]) + np.int32(n[e]) + np.int32(nn[x]) + np.int32(pn[x]) + np.int32(ps[x])
                around += np.int32(p[w]) + np.int32(p[e])
                sums[x] = 12 * (np.int32(n[x]) + np.int32(p[x])) + 4 * around
            return np.int32(12), np.int32(4), np.int32(n[0])
        for x in range(1, last):
            sums[x] = 21 * np.int32(n[x]) + 7 * (np.int32(n[x - 1]) + np.int32(n[x + 1]) + np.int32(nn[x]))
        for x in (0, last):
            w, e = max(x - 1, 0), min(x + 1, last)
            sums[x] = 21 * np.int32(n[x]) + 7 * (np.int32(n[w]) + np.int32(n[e]) + np.int32(nn[x]))
        return np.int32(21), np.int32(7), np.int32(n[0])
    if z > 0:
        p = magnitudes[z - 1, 0]
        ps = magnitudes[z - 1, 1] if height > 1 else p
        for x in range(width):
            w, e = max(x - 1, 0), min(x + 1, last)
            sums[x] = 24 * np.int32(p[x]) + 4 * (np.int32(p[w]) + np.int32(p[e]) + np.int32(ps[x]))
        return np.int32(24), np.int32(8), np.int32(p[0])
    sums[:] = 0
    return np.int32(51), np.int32(17), np.int32(0)
