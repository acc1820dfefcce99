"""The compiled loops that merge slices from their subbands, and that split them.

The rule: a slice passes a core's cache once. A few rows at a time are lifted along y, then along x and put in their
places; or the other way round. Knows nothing of z: a slice has four subbands, which are in order `` x y yx, low-pass
everywhere first. One of no columns or no rows belongs to an axis that is not halved.
"""

from __future__ import annotations

import numba
import numpy as np

from mist.lifting import BATCH, REACH, Lines, Table, lag, lift_next, lift_rows

Quarters = tuple[Lines, ...]
"""The subbands `` x y yx of some slices, each (planes, z, y, x), C order."""

Places = tuple[int, int]
"""Where slice 0 of some subbands lies among all slices, and how far the next one is: 1, or 2 if z is halved."""


@numba.njit(nogil=True, cache=True)
def _room(low, high):
    """(2, rows, columns): room for the even and the odd samples of some rows, with spare columns for `lift_rows`."""
    columns = low.shape[3]
    rows = max(1, BATCH // max(1, columns + high.shape[3]))
    return np.zeros((2, rows, columns + 2 * REACH), low.dtype)


@numba.njit(nogil=True, cache=True)
def _merge_rows(low, high, first, last, out, places, room, table):
    """Put rows [first, last) of a low-pass and a high-pass subband along x into `out`, merged."""
    evens, odds = low.shape[1], high.shape[1]
    even, odd = room[0, : last - first], room[1, : last - first]
    for row in range(last - first):
        for j in range(evens):
            even[row, REACH + j] = low[first + row, j]
        for j in range(odds):
            odd[row, REACH + j] = high[first + row, j]
    if odds:
        lift_rows(even, odd, evens, odds, table)
    for row in range(last - first):
        target = out[places[0] + (first + row) * places[1]]
        for j in range(odds):
            target[2 * j] = even[row, REACH + j]
            target[2 * j + 1] = odd[row, REACH + j]
        for j in range(odds, evens):  # the last one of an odd number, or all where x is not halved
            target[j + odds] = even[row, REACH + j]


@numba.njit(nogil=True, cache=True)
def _split_rows(low, high, first, last, whole, places, room, table):
    """Split rows of `whole` along x into rows [first, last) of a low-pass and a high-pass subband."""
    evens, odds = low.shape[1], high.shape[1]
    even, odd = room[0, : last - first], room[1, : last - first]
    for row in range(last - first):
        source = whole[places[0] + (first + row) * places[1]]
        for j in range(odds):
            even[row, REACH + j] = source[2 * j]
            odd[row, REACH + j] = source[2 * j + 1]
        for j in range(odds, evens):
            even[row, REACH + j] = source[j + odds]
    if odds:
        lift_rows(even, odd, evens, odds, table)
    for row in range(last - first):
        for j in range(evens):
            low[first + row, j] = even[row, REACH + j]
        for j in range(odds):
            high[first + row, j] = odd[row, REACH + j]


@numba.njit(nogil=True, cache=True)
def _lift_rows_next(a, b, c, d, begin, end, table):
    """`lift_next` along y for the subbands `` x y yx of one slice."""
    for low, high in ((a, c), (b, d)):
        lift_next(low, high, begin, end, table)


@numba.njit(nogil=True, cache=True)
def _merge_slice(a, b, c, d, out, room, table):
    """Merge the subbands `` x y yx of one slice, which are lifted along y in place, into `out`."""
    behind, rows, step = lag(c, table), room.shape[1], 2 if c.shape[0] else 1
    for begin in range(0, a.shape[0] + behind, rows):
        _lift_rows_next(a, b, c, d, begin, begin + rows, table)
        first = max(0, begin - behind)
        for phase in range(2):
            low, high = (c, d) if phase else (a, b)
            last = min(low.shape[0], begin + rows - behind)
            if first < last:
                _merge_rows(low, high, first, last, out, (phase, step), room, table)


@numba.njit(nogil=True, cache=True)
def _split_slice(a, b, c, d, whole, room, table):
    """Split the slice `whole` into its subbands `` x y yx, which are lifted along y in place."""
    behind, rows, step = lag(c, table), room.shape[1], 2 if c.shape[0] else 1
    for begin in range(0, a.shape[0] + behind, rows):
        for phase in range(2):
            low, high = (c, d) if phase else (a, b)
            last = min(low.shape[0], begin + rows)
            if begin < last:
                _split_rows(low, high, begin, last, whole, (phase, step), room, table)
        _lift_rows_next(a, b, c, d, begin - REACH, begin + rows - REACH, table)


@numba.njit(nogil=True, cache=True)
def merge_slices(quarters: Quarters, whole: Lines, places: Places, table: Table) -> None:
    """Put slices into `whole` (planes, z, y, x), merged along y and x from `quarters`, which are spent."""
    a, b, c, d = quarters
    room = _room(a, b)
    for plane in range(a.shape[0]):
        for z in range(a.shape[1]):
            out = whole[plane, places[0] + z * places[1]]
            _merge_slice(a[plane, z], b[plane, z], c[plane, z], d[plane, z], out, room, table)


@numba.njit(nogil=True, cache=True)
def split_slices(quarters: Quarters, whole: Lines, places: Places, table: Table) -> None:
    """Split slices of `whole` (planes, z, y, x) along y and x into `quarters`, whose values are written."""
    a, b, c, d = quarters
    room = _room(a, b)
    for plane in range(a.shape[0]):
        for z in range(a.shape[1]):
            source = whole[plane, places[0] + z * places[1]]
            _split_slice(a[plane, z], b[plane, z], c[plane, z], d[plane, z], source, room, table)
