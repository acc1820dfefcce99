"""The compiled loops of lifting, which work in place on the two halves of a signal.

The rule: `low` and `high`, of shape (lines, width) in C order, are the even and the odd lines of a signal, and each
line is lifted from its neighbours in the other half. Halves are never interleaved here: the lines of a half lie one
after the other in memory, so a step on many of them is one long loop over four shifted views of the other half. Knows
steps as numbers only: `mist.wavelet` says what they mean.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Lines = npt.NDArray[np.signedinteger]
"""int32 or int64; sums wrap where they overflow, see `mist.wavelet.coefficient_dtype`."""

Table = npt.NDArray[np.int64]
"""(steps, 5), in order: whether the target is odd, inner weight, outer weight, shift (1 to 31), sign."""

REACH = 2
"""How many lines of the other half, before and after its own place, a step may read. It reads no more in the half where
it writes, so once a step has done all lines up to `i + REACH`, the next one may do line `i`."""

BATCH = 4096
"""Samples that are lifted at a time where each line is short, so that they stay in a core's nearest cache."""


@numba.njit(nogil=True, cache=True)
def _add_weighted(target, at, source, a, b, c, d, count, table, s):
    """Add sign * round((inner (a + b) + outer (c + d)) / 2^shift) to `count` samples of `target` from `at` on.

    `a` to `d` are where in `source` the neighbours of the first sample lie. Every sum is cast back to the dtype of
    `target`, since numba would widen it to 64 bits. So that many samples are done at a time, the compiler must see that
    the shift is less than 32, and that no index is negative.
    """
    kind = target.dtype.type
    inner, outer, shift, sign = kind(table[s, 1]), kind(table[s, 2]), table[s, 3] & 31, kind(table[s, 4])
    half = kind((1 << shift) >> 1)
    at, a, b, c, d = np.uintp(at), np.uintp(a), np.uintp(b), np.uintp(c), np.uintp(d)
    for j in range(np.uintp(count)):
        near, far = kind(source[a + j] + source[b + j]), kind(source[c + j] + source[d + j])
        total = kind(kind(kind(inner * near) + kind(outer * far)) + half)
        target[at + j] = kind(target[at + j] + kind(sign * kind(total >> shift)))


@numba.njit(nogil=True, cache=True)
def _reflected(position, length):
    """Index in its half of the line at `position`, reflected about both ends of the signal until it lies inside."""
    while position < 0 or position >= length:
        position = -position if position < 0 else 2 * (length - 1) - position
    return position >> 1


@numba.njit(nogil=True, cache=True)
def _lift_lines(target, source, first, last, table, s):
    """Carry out one step on lines [first, last) of `target`: at once on those that have all their neighbours."""
    odd, width, length = table[s, 0], target.shape[1], target.shape[0] + source.shape[0]
    begin, end = max(first, REACH - odd), min(last, source.shape[0] - 1 - odd)
    into, given = target.reshape(-1), source.reshape(-1)
    i = first
    while i < last:
        lines, at = end - begin if begin == i < end else 1, 2 * i + odd
        a, b = _reflected(at - 1, length) * width, _reflected(at + 1, length) * width
        c, d = _reflected(at - 3, length) * width, _reflected(at + 3, length) * width
        _add_weighted(into, i * width, given, a, b, c, d, lines * width, table, s)
        i += lines


@numba.njit(nogil=True, cache=True)
def lag(high, table):
    """How many pairs of lines a pair must be away from those that come in, so that nothing reads or lifts it again."""
    return REACH * table.shape[0] if high.shape[0] else 0


@numba.njit(nogil=True, cache=True)
def lift_next(low, high, begin, end, table):
    """Carry out each step on as many lines as it can be, as pairs of lines [begin, end) come in.

    Step `s` is done on pairs [begin - REACH s, end - REACH s), which is what the steps before it allow. A signal of one
    line is left as it is.
    """
    for s in range(table.shape[0] if high.shape[0] else 0):
        target, source = (high, low) if table[s, 0] else (low, high)
        first, last = max(0, begin - REACH * s), min(target.shape[0], end - REACH * s)
        if first < last:
            _lift_lines(target, source, first, last, table, s)


@numba.njit(nogil=True, cache=True)
def lift(low: Lines, high: Lines, table: Table) -> None:
    """Carry out all steps on `low` and `high`, (signals, lines, width), along their lines.

    A line is lifted by one step soon after the other, while it and its neighbours are in a core's cache.
    """
    batch = max(1, BATCH // max(1, low.shape[2]))
    for signal in range(low.shape[0]):
        for begin in range(0, low.shape[1] + lag(high[signal], table), batch):
            lift_next(low[signal], high[signal], begin, begin + batch, table)


@numba.njit(nogil=True, cache=True)
def _pad(rows, count, phase, length):
    """Continue each row, `count` samples from column `REACH` on, on both sides by its reflection."""
    before, after = REACH - 1, REACH + count
    a, b = REACH + _reflected(phase - 2, length), REACH + _reflected(phase - 4, length)
    c, d = REACH + _reflected(2 * count + phase, length), REACH + _reflected(2 * count + 2 + phase, length)
    for row in range(rows.shape[0]):
        rows[row, before], rows[row, before - 1] = rows[row, a], rows[row, b]
        rows[row, after], rows[row, after + 1] = rows[row, c], rows[row, d]


@numba.njit(nogil=True, cache=True)
def lift_rows(even, odd, evens, odds, table):
    """Carry out all steps along the rows of `even` and `odd`, which hold their samples from column `REACH` on.

    Both have the same shape, with at least `REACH` columns to spare on either side of the `evens` and `odds` samples,
    so that all rows are lifted at once: what that makes of the spare columns is of no use.
    """
    count, first = even.size - 2 * REACH, np.int64(REACH)
    for s in range(table.shape[0]):
        odd_target = table[s, 0]
        target, source, sources = (odd, even, evens) if odd_target else (even, odd, odds)
        _pad(source, sources, 1 - odd_target, evens + odds)
        a = first - 1 + odd_target
        _add_weighted(target.reshape(-1), first, source.reshape(-1), a, a + 1, a - 1, a + 2, count, table, s)
