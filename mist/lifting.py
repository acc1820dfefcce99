"""The compiled loops of lifting.

The rule: rows are (before, length, after), C order, and are lifted along the middle axis; along the last axis of a
volume `after` is 1 and dropped. `low` and `high` are the even and the odd samples. Knows steps as numbers only:
`mist.wavelet` says what they mean.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Lines = npt.NDArray[np.signedinteger]
"""int32 or int64; sums wrap where they overflow, see `mist.wavelet.coefficient_dtype`."""

Table = npt.NDArray[np.int64]
"""(steps, 5), or one row of it: whether the target is odd, inner weight, outer weight, shift, sign."""

_CHUNK = 1024
"""Columns lifted together along z and y, so that a chunk of all rows stays in a core's cache."""


@numba.njit(nogil=True, cache=True, inline="always")
def _neighbour(position: int, length: int) -> int:
    """Index within its phase of the sample at `position` of a signal of `length`, reflected about both ends."""
    while position < 0 or position >= length:
        position = -position if position < 0 else 2 * (length - 1) - position
    return position >> 1


@numba.njit(nogil=True, cache=True)
def _lift_columns(target: Lines, source: Lines, step: Table, length: int, first: int, last: int) -> None:  # noqa: PLR0913
    """Carry out one step on columns [first, last) of `target` (n, after), from `source` of the other phase."""
    odd, inner, outer, shift, sign = step[0], step[1], step[2], step[3], step[4]
    inner, outer = target.dtype.type(inner), target.dtype.type(outer)
    half = target.dtype.type(1 << (shift - 1))
    shift = target.dtype.type(shift)
    sign = target.dtype.type(sign)
    for i in range(target.shape[0]):
        at = 2 * i + odd
        a, b = _neighbour(at - 1, length), _neighbour(at + 1, length)
        c, d = _neighbour(at - 3, length), _neighbour(at + 3, length)
        if outer == 0:
            for j in range(first, last):
                target[i, j] += sign * ((inner * (source[a, j] + source[b, j]) + half) >> shift)
        else:
            for j in range(first, last):
                near, far = source[a, j] + source[b, j], source[c, j] + source[d, j]
                target[i, j] += sign * ((inner * near + outer * far + half) >> shift)


@numba.njit(nogil=True, cache=True)
def _lift_row(target: Lines, source: Lines, step: Table, length: int) -> None:
    """Carry out one step on all of `target` (n,), from `source` of the other phase."""
    odd = step[0]
    inner, outer = target.dtype.type(step[1]), target.dtype.type(step[2])
    half = target.dtype.type(1 << (step[3] - 1))
    shift = target.dtype.type(step[3])
    sign = target.dtype.type(step[4])
    count = target.shape[0]
    begin = min(count, 2)  # inside [begin, end) no neighbour is reflected
    end = max(begin, min(count, source.shape[0] - 1 - odd))
    left = odd - 1
    for i in range(begin, end):
        near = source[i + left] + source[i + left + 1]
        far = source[i + left - 1] + source[i + left + 2]
        target[i] += sign * ((inner * near + outer * far + half) >> shift)
    for i in range(count):
        if i < begin or i >= end:
            at = 2 * i + odd
            near = source[_neighbour(at - 1, length)] + source[_neighbour(at + 1, length)]
            far = source[_neighbour(at - 3, length)] + source[_neighbour(at + 3, length)]
            target[i] += sign * ((inner * near + outer * far + half) >> shift)


@numba.njit(nogil=True, cache=True)
def forward_columns(rows: Lines, low: Lines, high: Lines, table: Table) -> None:
    """Split and lift along the middle axis of `rows` (before, length, after), many columns together."""
    before, length, after = rows.shape
    for outer in range(before):
        for first in range(0, after, _CHUNK):
            last = min(after, first + _CHUNK)
            for i in range(length):
                half = low if i % 2 == 0 else high
                for j in range(first, last):
                    half[outer, i >> 1, j] = rows[outer, i, j]
            for s in range(table.shape[0]):
                target, source = (high, low) if table[s, 0] else (low, high)
                _lift_columns(target[outer], source[outer], table[s], length, first, last)


@numba.njit(nogil=True, cache=True)
def inverse_columns(low: Lines, high: Lines, rows: Lines, table: Table) -> None:
    """The inverse of `forward_columns`; `low` and `high` are left as they are."""
    before, length, after = rows.shape
    width = min(after, _CHUNK)
    even = np.empty((low.shape[1], width), low.dtype)
    odd = np.empty((high.shape[1], width), low.dtype)
    for outer in range(before):
        for first in range(0, after, _CHUNK):
            count = min(after, first + _CHUNK) - first
            even[:, :count] = low[outer, :, first : first + count]
            odd[:, :count] = high[outer, :, first : first + count]
            for s in range(table.shape[0]):
                target, source = (odd, even) if table[s, 0] else (even, odd)
                _lift_columns(target, source, table[s], length, 0, count)
            for i in range(length):
                half = even if i % 2 == 0 else odd
                for j in range(count):
                    rows[outer, i, first + j] = half[i >> 1, j]


@numba.njit(nogil=True, cache=True)
def forward_rows(rows: Lines, low: Lines, high: Lines, table: Table) -> None:
    """Split and lift each of `rows` (before, length) along its own length."""
    for outer in range(rows.shape[0]):
        row, even, odd = rows[outer], low[outer], high[outer]
        for i in range(odd.shape[0]):
            even[i], odd[i] = row[2 * i], row[2 * i + 1]
        if even.shape[0] > odd.shape[0]:
            even[-1] = row[-1]
        for s in range(table.shape[0]):
            target, source = (odd, even) if table[s, 0] else (even, odd)
            _lift_row(target, source, table[s], rows.shape[1])


@numba.njit(nogil=True, cache=True)
def inverse_rows(low: Lines, high: Lines, rows: Lines, table: Table) -> None:
    """The inverse of `forward_rows`; `low` and `high` are left as they are."""
    even, odd = np.empty_like(low[0]), np.empty_like(high[0])
    for outer in range(rows.shape[0]):
        even[:], odd[:] = low[outer], high[outer]
        for s in range(table.shape[0]):
            target, source = (odd, even) if table[s, 0] else (even, odd)
            _lift_row(target, source, table[s], rows.shape[1])
        row = rows[outer]
        for i in range(odd.shape[0]):
            row[2 * i], row[2 * i + 1] = even[i], odd[i]
        if even.shape[0] > odd.shape[0]:
            row[-1] = even[-1]
