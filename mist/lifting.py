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

_CHUNK = 4096
"""Columns lifted together along z and y, so that a chunk of all rows stays in a core's cache."""


@numba.njit(nogil=True, cache=True, inline="always")
def _reflected(position: int, length: int) -> int:
    """`position`, reflected about the first and the last sample of a signal of `length` until it lies inside."""
    while position < 0 or position >= length:
        position = -position if position < 0 else 2 * (length - 1) - position
    return position


@numba.njit(nogil=True, cache=True, inline="always")
def _neighbour(position: int, length: int) -> int:
    """Index within its phase of the sample at `position`, reflected as `_reflected` does."""
    return _reflected(position, length) >> 1


@numba.njit(nogil=True, cache=True)
def _add_weighted(target, a, b, c, d, inner, outer, shift, sign):
    """Add sign * round((inner (a + b) + outer (c + d)) / 2^shift) to `target`; all are lines of one length.

    Every sum is cast back to the dtype of `target`, since numba would widen it to 64 bits, and each shift is written
    out, since only a shift that the compiler knows is done on many samples at a time.
    """
    kind = target.dtype.type
    count = target.shape[0]
    half = kind(1 << (shift - 1))
    if shift == 5:
        for j in range(count):
            total = kind(kind(inner * kind(a[j] + b[j])) + kind(outer * kind(c[j] + d[j])) + half)
            target[j] = kind(target[j] + kind(sign * kind(total >> 5)))
    elif shift == 4:
        for j in range(count):
            total = kind(kind(inner * kind(a[j] + b[j])) + kind(outer * kind(c[j] + d[j])) + half)
            target[j] = kind(target[j] + kind(sign * kind(total >> 4)))
    elif shift == 2:
        for j in range(count):
            total = kind(kind(inner * kind(a[j] + b[j])) + kind(outer * kind(c[j] + d[j])) + half)
            target[j] = kind(target[j] + kind(sign * kind(total >> 2)))
    else:
        for j in range(count):
            total = kind(kind(inner * kind(a[j] + b[j])) + kind(outer * kind(c[j] + d[j])) + half)
            target[j] = kind(target[j] + kind(sign * kind(total >> shift)))


@numba.njit(nogil=True, cache=True)
def _lift_columns(target, source, step, length, first, last):
    """Carry out one step on columns [first, last) of `target` (n, after), from `source` of the other phase."""
    odd, shift = step[0], step[3]
    kind = target.dtype.type
    inner, outer, sign = kind(step[1]), kind(step[2]), kind(step[4])
    for i in range(target.shape[0]):
        at = 2 * i + odd
        a, b = source[_neighbour(at - 1, length), first:last], source[_neighbour(at + 1, length), first:last]
        c, d = source[_neighbour(at - 3, length), first:last], source[_neighbour(at + 3, length), first:last]
        _add_weighted(target[i, first:last], a, b, c, d, inner, outer, shift, sign)


@numba.njit(nogil=True, cache=True)
def _lift_in_place(rows, step, first, last):
    """Carry out one step on columns [first, last) of `rows` (n, after), in which the phases alternate."""
    length, shift = rows.shape[0], step[3]
    kind = rows.dtype.type
    inner, outer, sign = kind(step[1]), kind(step[2]), kind(step[4])
    for at in range(step[0], length, 2):
        a, b = rows[_reflected(at - 1, length), first:last], rows[_reflected(at + 1, length), first:last]
        c, d = rows[_reflected(at - 3, length), first:last], rows[_reflected(at + 3, length), first:last]
        _add_weighted(rows[at, first:last], a, b, c, d, inner, outer, shift, sign)


@numba.njit(nogil=True, cache=True)
def _lift_row(target, source, step, length):
    """Carry out one step on all of `target` (n,), from `source` of the other phase."""
    odd, shift = step[0], step[3]
    kind = target.dtype.type
    inner, outer, sign = kind(step[1]), kind(step[2]), kind(step[4])
    count = target.shape[0]
    begin = min(count, 2)  # inside [begin, end) no neighbour is reflected
    end = max(begin, min(count, source.shape[0] - 1 - odd))
    if end > begin:
        left = begin + odd - 1
        n = end - begin
        a, b = source[left : left + n], source[left + 1 : left + 1 + n]
        c, d = source[left - 1 : left - 1 + n], source[left + 2 : left + 2 + n]
        _add_weighted(target[begin:end], a, b, c, d, inner, outer, shift, sign)
    for i in range(count):
        if i < begin or i >= end:
            at = 2 * i + odd
            near = source[_neighbour(at - 1, length)] + source[_neighbour(at + 1, length)]
            far = source[_neighbour(at - 3, length)] + source[_neighbour(at + 3, length)]
            target[i] += sign * (kind(inner * near + outer * far + (1 << (shift - 1))) >> shift)


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
    """The inverse of `forward_columns`: samples are put in their places in `rows`, and lifted there."""
    before, length, after = rows.shape
    for outer in range(before):
        for first in range(0, after, _CHUNK):
            last = min(after, first + _CHUNK)
            for i in range(length):
                half = low if i % 2 == 0 else high
                source, target = half[outer, i >> 1], rows[outer, i]
                for j in range(first, last):
                    target[j] = source[j]
            for s in range(table.shape[0]):
                _lift_in_place(rows[outer], table[s], first, last)


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
