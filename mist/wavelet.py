"""Integer wavelets by lifting: exactly reversible, along any axis of a volume.

The rule: a wavelet is data, a table of lifting steps. Signals are extended by whole-sample symmetry (reflected about
their first and last sample), so sample `i` of the low-pass band lies on sample `2 i` of the signal. Every step rounds
to nearest, halves up. Knows nothing of blocks or bytes.

Lifting: Sweldens, Applied and Computational Harmonic Analysis 3 (1996). Integers: Calderbank, Daubechies, Sweldens and
Yeo, the same journal 5 (1998); their (4, 4) is `13/7`, their (2, 2) is the `5/3` of JPEG 2000 (ISO/IEC 15444-1 Annex F).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numba
import numpy as np
import numpy.typing as npt

from mist.errors import InvalidRequest
from mist.geometry import SPATIAL_AXES

Coefficients = npt.NDArray[np.signedinteger]
"""int32 or int64, shape (planes, z, y, x), C order."""

Bands = dict[str, Coefficients]
"""The subbands of one halving, keyed by the axes along which they are high-pass: `` is the low-pass band, `yx` is
high-pass along y and x."""

_CHUNK = 1024
"""Columns lifted together along z and y, so that a chunk of all rows stays in a core's cache."""


class Phase(StrEnum):
    """Which samples a lifting step changes."""

    ODD = "odd"
    """The odd samples, which become the high-pass band: a step that predicts."""
    EVEN = "even"
    """The even samples, which become the low-pass band: a step that updates."""


@dataclass(frozen=True, slots=True)
class Step:
    """One lifting step: each sample of `target` += round(weighted sum of its nearest neighbours / 2^shift).

    Parameters
    ----------
    target
        The samples that the step changes; its neighbours are the samples of the other phase.
    inner
        Weight of the two neighbours at distance 1.
    outer
        Weight of the two neighbours at distance 3.
    shift
        The sum is divided by two to this power.
    """

    target: Phase
    inner: int
    outer: int
    shift: int


@dataclass(frozen=True, slots=True)
class Wavelet:
    """A wavelet as its lifting steps.

    Parameters
    ----------
    name
        As stored with a scan.
    steps
        In the order of the forward transform.
    """

    name: str
    steps: tuple[Step, ...]

    @property
    def margin(self) -> int:
        """How many samples of each band, on either side, a reconstructed pair of samples can depend on."""
        return sum(2 if step.outer else 1 for step in self.steps)


WAVELETS = {
    wavelet.name: wavelet
    for wavelet in (
        Wavelet("13/7", (Step(Phase.ODD, -9, 1, 4), Step(Phase.EVEN, 9, -1, 5))),
        Wavelet("5/3", (Step(Phase.ODD, -1, 0, 1), Step(Phase.EVEN, 1, 0, 2))),
        Wavelet("lazy", ()),
    )
}
"""Every wavelet that a scan may be stored with. `lazy` only splits samples: its low-pass band is every other sample."""

IMAGE_WAVELET = "13/7"
"""For images: its coarse levels are truer than those of 5/3, in fewer bytes."""

MASK_WAVELET = "lazy"
"""For label masks: a coarse mask is the nearest-neighbour subsample of the fine one."""


def wavelet_named(name: str) -> Wavelet:
    """The wavelet called `name`.

    Raises
    ------
    InvalidRequest
        There is none of that name.
    """
    if name not in WAVELETS:
        raise InvalidRequest(f"no wavelet is called {name!r}; there are {', '.join(WAVELETS)}")
    return WAVELETS[name]


def coefficient_dtype(low: int, high: int) -> np.dtype[np.signedinteger]:
    """The dtype in which samples from `low` to `high` can be lifted without overflow: int32 or int64.

    Each level and axis adds less than a bit to a coefficient, and a step's sum less than six; int32 is kept for samples
    of up to 18 bits, which leaves eight for growth.
    """
    return np.dtype(np.int32 if -(2**17) <= low and high < 2**18 else np.int64)


def forward(coefficients: Coefficients, axes: str, wavelet: Wavelet) -> Bands:
    """The subbands of one halving of `coefficients`, (planes, z, y, x), along `axes`, a subsequence of `zyx`.

    An axis of length n gives a low-pass half of ceil(n / 2) and a high-pass half of floor(n / 2) samples.
    """
    bands: Bands = {"": np.ascontiguousarray(coefficients)}
    for axis in reversed(axes):
        split = {name: _split(band, axis, wavelet) for name, band in bands.items()}
        bands = {name: low for name, (low, _) in split.items()}
        bands |= {axis + name: high for name, (_, high) in split.items()}
    return bands


def inverse(bands: Bands, axes: str, wavelet: Wavelet) -> Coefficients:
    """The coefficients of which `bands` are the subbands along `axes`: the inverse of `forward`."""
    merged = dict(bands)
    for axis in axes:
        names = [name for name in merged if not name.startswith(axis)]
        merged = {name: _merge(merged[name], merged[axis + name], axis, wavelet) for name in names}
    return merged[""]


def band_names(axes: str) -> tuple[str, ...]:
    """The names of the high-pass subbands of a halving along `axes`, in the order in which they are stored."""
    count = len(axes)
    masks = range(1, 2**count)
    return tuple("".join(axes[bit] for bit in range(count) if mask >> (count - 1 - bit) & 1) for mask in masks)


def _rows(shape: tuple[int, ...], axis: str) -> tuple[int, int, int]:
    """`shape` (planes, z, y, x) as (before, length, after) around `axis`."""
    position = 1 + SPATIAL_AXES.index(axis)
    before, after = int(np.prod(shape[:position])), int(np.prod(shape[position + 1 :]))
    return before, shape[position], after


def _split(band: Coefficients, axis: str, wavelet: Wavelet) -> tuple[Coefficients, Coefficients]:
    before, length, after = _rows(band.shape, axis)
    low = np.empty((before, (length + 1) // 2, after), band.dtype)
    high = np.empty((before, length // 2, after), band.dtype)
    table = _table(wavelet.steps if length > 1 else (), sign=1)
    if after == 1:
        _forward_rows(*(rows.reshape(before, -1) for rows in (band, low, high)), table)
    else:
        _forward_columns(band.reshape(before, length, after), low, high, table)
    return _shaped(low, band.shape, axis), _shaped(high, band.shape, axis)


def _merge(low: Coefficients, high: Coefficients, axis: str, wavelet: Wavelet) -> Coefficients:
    before, evens, after = _rows(low.shape, axis)
    length = evens + _rows(high.shape, axis)[1]
    merged = np.empty((before, length, after), low.dtype)
    table = _table(wavelet.steps[::-1] if length > 1 else (), sign=-1)
    if after == 1:
        _inverse_rows(*(rows.reshape(before, -1) for rows in (low, high, merged)), table)
    else:
        _inverse_columns(low.reshape(before, evens, after), high.reshape(before, length - evens, after), merged, table)
    return _shaped(merged, low.shape, axis)


def _shaped(rows: Coefficients, shape: tuple[int, ...], axis: str) -> Coefficients:
    """`rows` (before, length, after) as (planes, z, y, x), where all but `axis` has the length in `shape`."""
    lengths = list(shape)
    lengths[1 + SPATIAL_AXES.index(axis)] = rows.shape[1]
    return rows.reshape(lengths)


def _table(steps: tuple[Step, ...], *, sign: int) -> npt.NDArray[np.int64]:
    """`steps` for the compiled loops, int64 (steps, 5): whether the target is odd, inner, outer, shift, sign."""
    rows = [(step.target is Phase.ODD, step.inner, step.outer, step.shift, sign) for step in steps]
    return np.array(rows, dtype=np.int64).reshape(-1, 5)


# The compiled loops. Rows are (before, length, after): lifted along the middle axis, `after` being contiguous.


@numba.njit(nogil=True, cache=True, inline="always")
def _neighbour(position: int, length: int) -> int:
    """Index within its phase of the sample at `position` of a signal of `length`, reflected about both ends."""
    while position < 0 or position >= length:
        position = -position if position < 0 else 2 * (length - 1) - position
    return position >> 1


@numba.njit(nogil=True, cache=True)
def _lift_columns(target, source, step, length, first, last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0913
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
def _lift_row(target, source, step, length):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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
def _forward_columns(rows, low, high, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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
def _inverse_columns(low, high, rows, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The inverse of `_forward_columns`; `low` and `high` are left as they are."""
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
def _forward_rows(rows, low, high, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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
def _inverse_rows(low, high, rows, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The inverse of `_forward_rows`; `low` and `high` are left as they are."""
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
