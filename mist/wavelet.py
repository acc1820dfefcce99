"""Integer wavelets by lifting: exactly reversible, along any axis of a volume.

The rule: a wavelet is data, a table of lifting steps. Signals are extended by whole-sample symmetry (reflected about
their first and last sample), so sample `i` of the low-pass band lies on sample `2 i` of the signal. Every step rounds
to nearest, halves up. Knows nothing of blocks or bytes.

Lifting: Sweldens, Applied and Computational Harmonic Analysis 3 (1996). Integers: Calderbank, Daubechies, Sweldens and
Yeo, the same journal 5 (1998); their (4, 4) is `13/7`, their (2, 2) the `5/3` of JPEG 2000 (ISO/IEC 15444-1 Annex F).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, TypeVar

import numpy as np

from mist.errors import InvalidRequest
from mist.halving import Places, Quarters, merge_slices, split_slices
from mist.lifting import Lines, Table, lift
from mist.subbands import Bands, Coefficients, Room, band_names, band_shape, room_for_bands, whole_shape

_Task = TypeVar("_Task")


class Run(Protocol):
    """Calls a function for each task: `map`, or one that uses several threads."""

    def __call__(self, act: Callable[[_Task], None], tasks: Sequence[_Task], /) -> Iterable[None]:
        """What the calls give, as an iterator that waits for them."""


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
        """How many samples of each band, on either side, a reconstructed pair of samples can depend on.

        Odd sample i lies between even samples i and i + 1, even sample i between odd samples i - 1 and i.
        """
        before = sum((step.target is Phase.EVEN) + (step.outer != 0) for step in self.steps)
        after = sum((step.target is Phase.ODD) + (step.outer != 0) for step in self.steps)
        return max(before, after)


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

    However many levels, a coefficient is less than 3 times larger than the samples for each axis (the absolute sum of
    the filter that leads to it), and a step sums up to 20 times a coefficient: together 10 bits. Samples of up to 18
    bits leave int32 three more.
    """
    return np.dtype(np.int32 if low >= -(2**17) and high < 2**18 else np.int64)


def forward(
    coefficients: Coefficients,
    axes: str,
    wavelet: Wavelet,
    dtype: np.dtype[np.signedinteger] | None = None,
    room: Room = np.empty,
) -> Bands:
    """The subbands of one halving of `coefficients`, (planes, z, y, x), along `axes`, a subsequence of `zyx`.

    An axis of length n gives a low-pass half of ceil(n / 2) and a high-pass half of floor(n / 2) samples. `dtype` is
    that of the subbands, as `coefficient_dtype` says, where it is not that of `coefficients`: a few slices at a time
    are cast, so that samples of one or two bytes need no wider copy. `room` makes the arrays for the subbands.
    """
    kind = coefficients.dtype if dtype is None else dtype
    table = _table(wavelet.steps, sign=1)
    bands = room_for_bands(coefficients.shape, axes, kind, room)
    halves = _halves(bands, coefficients.shape, axes)
    for first, quarters in enumerate(halves):
        for part, (at, step), plane in _slabs(quarters, first, len(halves)):
            slices = coefficients[plane, at : at + part[0].shape[1] * step : step]
            split_slices(part, np.ascontiguousarray(slices, kind), (0, 1), table)
    for pair in _along_z(halves):
        lift(*pair, table)
    return bands


def inverse(bands: Bands, axes: str, wavelet: Wavelet, run: Run = map, room: Room = np.empty) -> Coefficients:
    """The coefficients of which `bands` are the subbands along `axes`: the inverse of `forward`.

    The arrays of `bands` are spent: they are lifted in place, and hold nothing of use afterwards. `run` may use several
    threads: pairs of subbands are lifted along z independently, and then slices are merged independently. `room` makes
    the array for what comes back.
    """
    whole, table = room(whole_shape(bands, axes), bands[""].dtype), _table(wavelet.steps[::-1], sign=-1)
    halves = _halves(bands, whole.shape, axes)
    deque(run(lambda pair: lift(*pair, table), _along_z(halves)), maxlen=0)
    slabs = [slab for first, quarters in enumerate(halves) for slab in _slabs(quarters, first, len(halves))]
    deque(run(lambda slab: merge_slices(slab[0], whole[slab[2]], slab[1], table), slabs), maxlen=0)
    return whole


_SLAB_SLICES = 8
"""Slices that one thread merges at a time, and that are cast at a time where they are split."""


def _halves(bands: Bands, shape: Sequence[int], axes: str) -> list[Quarters]:
    """The four subbands that are low-pass along z, and where z is halved the four that are high-pass; C order.

    A subband that an array of `shape` does not have when it is halved along `axes` is empty.
    """
    dtype = bands[""].dtype

    def quarter(name: str) -> Coefficients:
        return np.ascontiguousarray(bands[name]) if name in bands else np.empty(band_shape(shape, name, axes), dtype)

    return [tuple(quarter(z + name) for name in ("", *band_names("yx"))) for z in ("", "z") if z in axes]


def _along_z(halves: Sequence[Quarters]) -> list[tuple[Lines, Lines]]:
    """The pairs of subbands to be lifted along z: none where z is not halved."""
    return [(_stack(low), _stack(high)) for low, high in zip(*halves, strict=True)] if len(halves) > 1 else []


def _slabs(quarters: Quarters, first: int, step: int) -> Iterator[tuple[Quarters, Places, slice]]:
    """`quarters` cut into a few slices of one plane each: the parts, their places, and which plane they are of."""
    planes, depth = quarters[0].shape[:2]
    for plane in range(planes):
        for z in range(0, depth, _SLAB_SLICES):
            part = tuple(quarter[plane : plane + 1, z : z + _SLAB_SLICES] for quarter in quarters)
            yield part, (first + z * step, step), slice(plane, plane + 1)


def _stack(band: Coefficients) -> Lines:
    """`band` with a line for each slice: (planes, z, y x)."""
    planes, depth, height, width = band.shape
    return band.reshape(planes, depth, height * width)


@lru_cache(maxsize=16)
def _table(steps: tuple[Step, ...], *, sign: int) -> Table:
    """`steps` for the compiled loops; `sign` is 1 forward, -1 back."""
    rows = [(step.target is Phase.ODD, step.inner, step.outer, step.shift, sign) for step in steps]
    return np.array(rows, dtype=np.int64).reshape(-1, 5)
