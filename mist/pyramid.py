"""The resolution levels of a scan: which axes each one halves, and what shape it then has.

The rule: an axis is halved only while its spacing is about the finest, so levels grow isotropic. Level 0 is full
resolution; voxel `i` of level `k` lies exactly on voxel `i * steps(k)` of level 0. Knows nothing of wavelets or bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from mist.errors import InvalidRequest
from mist.geometry import SPATIAL_AXES, Geometry

Triple = tuple[int, int, int]
"""One whole number for each of (z, y, x)."""

LONGEST_AXIS = 2**31 - 1
"""The most voxels along an axis; few formats can say more, and no level then takes more than 31 halvings of an axis."""

SMALLEST_LEVEL_VOXELS = 32
"""Halving stops when no axis is longer than this: about the least picture that is of any use."""

FINEST_SPACING_RATIO = math.sqrt(2)
"""An axis is halved while its spacing is at most this many times the finest: then it ends up nearer to the others."""


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The levels of an array.

    Parameters
    ----------
    shape
        Lengths of (z, y, x) at level 0, each 1 to `LONGEST_AXIS`.
    halved
        For each halving, finest first, the axes that it halves: a subsequence of `zyx`, such as `yx`. Level `k` is
        what `k` halvings leave.

    Raises
    ------
    InvalidRequest
        A length out of range, axes out of order, or an axis of length 1 halved.
    """

    shape: Triple
    halved: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or not 1 <= min(self.shape) <= max(self.shape) <= LONGEST_AXIS:
            raise InvalidRequest(f"a pyramid needs three lengths of 1 to {LONGEST_AXIS}, not {self.shape}")
        for level, axes in enumerate(self.halved):
            lengths = dict(zip(SPATIAL_AXES, self.level_shape(level), strict=True))
            ordered = [axis for axis in SPATIAL_AXES if axis in axes]
            if not axes or ordered != list(axes) or any(lengths[axis] < 2 for axis in axes):
                shape = self.level_shape(level)
                raise InvalidRequest(f"level {level} of shape {shape} cannot be halved along {axes!r}")

    @classmethod
    def for_spacing(cls, shape: Triple, spacing: tuple[float, float, float]) -> Self:
        """The levels that an array of `shape` (z, y, x) with voxel `spacing` (any one unit) should have."""
        halved: list[str] = []
        lengths, spacings = list(shape), list(spacing)
        while max(lengths) > SMALLEST_LEVEL_VOXELS:
            finest = min(spacings[axis] for axis in range(3) if lengths[axis] > 1)
            widest = finest * FINEST_SPACING_RATIO * (1 + 1e-6)
            chosen = [axis for axis in range(3) if lengths[axis] > 1 and spacings[axis] <= widest]
            for axis in chosen:
                lengths[axis] = (lengths[axis] + 1) // 2
                spacings[axis] *= 2
            halved.append("".join(SPATIAL_AXES[axis] for axis in chosen))
        return cls(shape, tuple(halved))

    @property
    def coarsest(self) -> int:
        """The number of the coarsest level; levels run from 0 to this, both included."""
        return len(self.halved)

    def steps(self, level: int) -> Triple:
        """How many voxels of level 0 lie from one voxel of `level` to the next, along (z, y, x)."""
        return _steps(self.halved[:level])

    def level_shape(self, level: int) -> Triple:
        """Lengths of (z, y, x) at `level`."""
        z, y, x = (-(-length // step) for length, step in zip(self.shape, self.steps(level), strict=True))
        return z, y, x

    def level_geometry(self, level: int, full: Geometry) -> Geometry:
        """The geometry of `level`, where `full` is that of level 0."""
        return full.subsampled(self.steps(level))


@lru_cache(maxsize=1024)
def _steps(halved: tuple[str, ...]) -> Triple:
    """Steps along (z, y, x) after these halvings: asked for many times, and few are ever different."""
    z, y, x = (2 ** sum(axis in axes for axes in halved) for axis in SPATIAL_AXES)
    return z, y, x
