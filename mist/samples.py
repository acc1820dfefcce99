"""The reversible map between a source's samples and the integers that are stored.

The rule: nothing is lost. Integers are stored as they are, or in units of a step of which all are multiples, such as 12
bits shifted to the left; labels as their places in a list. Floats are stored as `integer * slope` where that gives back
every bit (most float images are scaled integers), else by their bit patterns in numerical order. Knows nothing of axes
or geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from mist.clamping import clamp_into
from mist.common_factor import END_OF_COUNTS, common_factor
from mist.errors import InvalidRequest
from mist.label_values import MOST_LISTED, listed, unlisted
from mist.volume import DTYPES, Voxels
from mist.words import LOWER_RANGE, WORD_BITS

Integers = npt.NDArray[np.integer]

FEWEST_STEPS = 128
"""Integers are stored in units of a step only where they span at least this many steps. A reduced level is rounded to
whole steps: of so many, that is an error of at most 1/256 of the range (53 dB), less than the filter's own. A picture
of two or twenty grey levels keeps its smooth reductions."""

_FEW_SAMPLES = 4096
"""Of most images, so many samples already show that there is no step."""


class Coding(StrEnum):
    """How samples are held as integers."""

    INTEGER = "integer"
    """The sample itself."""
    SCALED = "scaled"
    """`sample = dtype(integer * slope)`, exact in every bit. The slope of integer samples is a whole number, of which
    all samples of every delivered level are multiples."""
    LISTED = "listed"
    """The place of the sample in a list of all that there are: for label masks, whatever their labels are."""
    ORDERED_BITS = "ordered-bits"
    """The bit pattern of a float32 or float64, read as an integer that sorts like the float."""


_INTEGER_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32")

_DTYPES_OF = {
    Coding.INTEGER: _INTEGER_DTYPES,
    Coding.SCALED: (*_INTEGER_DTYPES, "float32", "float64"),
    Coding.LISTED: _INTEGER_DTYPES,
    Coding.ORDERED_BITS: ("float32", "float64"),
}


@dataclass(frozen=True, slots=True)
class SampleMap:
    """How the samples of a scan are held as integers.

    Parameters
    ----------
    dtype
        The source's sample type, one of `mist.volume.DTYPES`.
    coding
        How they are held.
    slope
        Factor of `Coding.SCALED`, a whole number of 2 or more where `dtype` is an integer type; 1 otherwise.
    low, high
        The least and the greatest stored integer: what a reduced level is clamped to when it is delivered.
    values
        The list of `Coding.LISTED`, at most `MOST_LISTED` samples; empty otherwise.

    Raises
    ------
    InvalidRequest
        The parts contradict each other, or a sample would not fit `dtype`.
    """

    dtype: str
    coding: Coding
    slope: float
    low: int
    high: int
    values: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES or self.low > self.high or not np.isfinite(self.slope) or self.slope == 0:
            raise InvalidRequest(f"not a map of samples: {self}")
        object.__setattr__(self, "coding", Coding(self.coding))
        if self.dtype not in _DTYPES_OF[self.coding]:
            raise InvalidRequest(f"samples of {self.dtype} cannot be held as {self.coding.value!r}")
        if self.values or self.coding is Coding.LISTED:
            self._check_list()
        bounds = np.iinfo(self.dtype if self.coding is Coding.INTEGER else np.int64 if self.is_wide else np.int32)
        if not bounds.min <= self.low <= self.high <= bounds.max:
            raise InvalidRequest(f"samples of {self.dtype} cannot range over {self.low} to {self.high}")
        if self.coding is Coding.SCALED and self.dtype in _INTEGER_DTYPES:
            self._check_step()

    @property
    def is_wide(self) -> bool:
        """Whether the integers have 64 bits, so that each plane is stored as two: see `mist.words`."""
        return self.coding is Coding.ORDERED_BITS and self.dtype == "float64"

    @property
    def stored_range(self) -> tuple[int, int]:
        """The least and the greatest integer of the planes to be stored."""
        if not self.is_wide:
            return self.low, self.high
        least, greatest = LOWER_RANGE
        return min(self.low >> WORD_BITS, least), max(self.high >> WORD_BITS, greatest)

    @property
    def sample_range(self) -> tuple[float, float]:
        """The least and the greatest sample at full resolution."""
        if self.values:
            return min(self.values), max(self.values)
        low, high = from_integers(np.array([self.low, self.high], np.int64), self).tolist()
        return low, high

    def _check_list(self) -> None:
        """Refuse a list that is not needed, not long enough or too long, or that holds what `dtype` does not."""
        bounds = np.iinfo(self.dtype) if self.coding is Coding.LISTED else None
        if bounds is None or len(self.values) > MOST_LISTED or (self.low, self.high) != (0, len(self.values) - 1):
            raise InvalidRequest(f"not a map of samples: {len(self.values)} listed values, {self}")
        if min(self.values) < bounds.min or max(self.values) > bounds.max:
            raise InvalidRequest(f"samples of {self.dtype} cannot range over {min(self.values)} to {max(self.values)}")

    def _check_step(self) -> None:
        """Refuse a slope by which samples would not be whole, or would not fit their type."""
        bounds = np.iinfo(self.dtype)
        if not 2 <= self.slope <= bounds.max or not self.slope.is_integer():
            raise InvalidRequest(f"samples of {self.dtype} need a whole slope of 2 to {bounds.max}, not {self.slope:g}")
        if not bounds.min <= self.low * int(self.slope) <= self.high * int(self.slope) <= bounds.max:
            raise InvalidRequest(
                f"samples of {self.dtype} cannot range over {self.low} to {self.high} times {self.slope:g}"
            )


def to_integers(samples: Voxels, *, are_labels: bool = False) -> tuple[Integers, SampleMap]:
    """The integers that hold `samples`, in the same shape, and the map that gives the samples back.

    `are_labels` where no level is to hold a sample that is not among them.
    """
    if are_labels and samples.dtype.kind in "iu" and (found := listed(samples)) is not None:  # type: ignore[arg-type]
        places, values = found
        return places, SampleMap(samples.dtype.name, Coding.LISTED, 1.0, 0, len(values) - 1, values)
    attempts = (attempt(samples) for attempt in (_steps, _whole, _scaled))
    integers, coding, slope = next((found for found in attempts if found is not None), None) or _ordered_bits(samples)
    return integers, SampleMap(samples.dtype.name, coding, slope, int(integers.min()), int(integers.max()))


def from_integers(integers: Integers, samples: SampleMap) -> Voxels:
    """The samples held by `integers`, clamped to the range of the scan, in the source's dtype and the same shape."""
    if samples.coding is Coding.LISTED:
        return unlisted(integers, samples.values, samples.dtype)
    if samples.dtype in _INTEGER_DTYPES:
        return _clamped_integers(integers, samples)
    clamped = np.clip(integers, samples.low, samples.high)
    if samples.coding is Coding.ORDERED_BITS:
        width = np.int64 if samples.is_wide else np.int32
        return _flip_negative(clamped.astype(width)).view(samples.dtype)
    return (clamped * np.float64(samples.slope)).astype(samples.dtype)


def _clamped_integers(integers: Integers, samples: SampleMap) -> Voxels:
    """`from_integers` for an integer dtype: clamped and cast at once, then multiplied where they lie."""
    clamped = np.empty(integers.shape, samples.dtype)
    clamp_into(np.ascontiguousarray(integers).reshape(-1), samples.low, samples.high, clamped.reshape(-1))
    if samples.coding is Coding.SCALED:
        clamped *= clamped.dtype.type(samples.slope)  # fits: `SampleMap` has seen to it
    return clamped


Attempt = tuple[Integers, Coding, float]


def _steps(samples: Voxels) -> Attempt | None:
    """Integers that are all multiples of a step, in units of it, if they span `FEWEST_STEPS` of them."""
    if samples.dtype.kind not in "iu" or (step := _step(samples)) < 2:
        return None
    if int(samples.max()) - int(samples.min()) < FEWEST_STEPS * step:
        return None
    integers: Integers = np.floor_divide(samples, samples.dtype.type(step), dtype=samples.dtype)
    return integers, Coding.SCALED, float(step)


def _step(samples: Voxels) -> int:
    """The greatest number of which all integer `samples` are multiples: 0 where all of them are 0."""
    few = samples.flat[:: max(1, samples.size // _FEW_SAMPLES)]
    if np.gcd.reduce(few, dtype=np.int64) == 1:
        return 1
    return int(np.gcd.reduce(samples, axis=None, dtype=np.int64))


def _whole(samples: Voxels) -> Attempt | None:
    return (samples, Coding.INTEGER, 1.0) if samples.dtype.kind in "iu" else None  # type: ignore[return-value]


@np.errstate(all="ignore")  # overflow only makes an attempt fail: what is returned is proven
def _scaled(samples: Voxels) -> Attempt | None:
    """Integers times a slope: the slope is sought from the distinct magnitudes, then proven on every sample."""
    if not np.isfinite(samples).all():
        return None
    slope = common_factor(np.unique(np.abs(samples)))
    if slope is None:
        return None
    integers = np.rint(samples / np.float64(slope))
    if np.abs(integers).max() >= END_OF_COUNTS:
        return None
    whole = integers.astype(np.int32)
    back = (whole * np.float64(slope)).astype(samples.dtype)
    return (whole, Coding.SCALED, slope) if back.tobytes() == samples.tobytes() else None


def _ordered_bits(samples: Voxels) -> Attempt:
    return _flip_negative(np.ascontiguousarray(samples).view(f"i{samples.itemsize}")), Coding.ORDERED_BITS, 1.0


def _flip_negative(bits: npt.NDArray[np.signedinteger]) -> npt.NDArray[np.signedinteger]:
    """Sign-and-magnitude to two's complement order and back: its own inverse."""
    return bits ^ ((bits >> (8 * bits.itemsize - 1)) & np.iinfo(bits.dtype).max)
