"""Predicting a block's values from their neighbours, for subbands that are pictures rather than details.

The rule: the median edge detector of JPEG-LS (ITU-T T.87 A.4.2) in the first slice; in each further slice it predicts
the change from the slice before. Exactly reversible, in wrapping arithmetic.
"""

from __future__ import annotations

import numba


@numba.njit(nogil=True, cache=True, inline="always")
def _median_edge(w, n, nw):
    if nw >= max(w, n):
        return min(w, n)
    if nw <= min(w, n):
        return max(w, n)
    return w + n - nw


@numba.njit(nogil=True, cache=True, inline="always")
def _predicted(values, z, y, x):
    """What the value at (z, y, x) of int64 `values` is predicted to be, from values before it."""
    if z == 0:
        if y == 0:
            return values[0, 0, x - 1] if x > 0 else values[0, 0, 0] * 0
        if x == 0:
            return values[0, y - 1, 0]
        return _median_edge(values[0, y, x - 1], values[0, y - 1, x], values[0, y - 1, x - 1])
    before = values[z - 1, y, x]
    if y == 0 and x == 0:
        return before
    if y == 0:
        return before + values[z, 0, x - 1] - values[z - 1, 0, x - 1]
    if x == 0:
        return before + values[z, y - 1, 0] - values[z - 1, y - 1, 0]
    return before + _median_edge(
        values[z, y, x - 1] - values[z - 1, y, x - 1],
        values[z, y - 1, x] - values[z - 1, y - 1, x],
        values[z, y - 1, x - 1] - values[z - 1, y - 1, x - 1],
    )


@numba.njit(nogil=True, cache=True)
def subtract_prediction(values, residuals):
    """Fill `residuals` with `values` less their predictions; both int64 (z, y, x)."""
    for z in range(values.shape[0]):
        for y in range(values.shape[1]):
            for x in range(values.shape[2]):
                residuals[z, y, x] = values[z, y, x] - _predicted(values, z, y, x)


@numba.njit(nogil=True, cache=True)
def add_prediction(values):
    """Turn residuals, int64 (z, y, x), into the values that they are residuals of, in place."""
    for z in range(values.shape[0]):
        for y in range(values.shape[1]):
            for x in range(values.shape[2]):
                values[z, y, x] += _predicted(values, z, y, x)
