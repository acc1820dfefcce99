"""Where voxels lie: affines in millimetres, as DICOM has them.

The rule: an affine maps voxel indices in **array order** (z, y, x) to **LPS** millimetres (x to the patient's left,
y to the back, z to the head; DICOM PS3.3 C.7.6.2.1.1). NIfTI's order (i, j, k) and RAS live only in the two functions
that convert. Knows nothing of voxel values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt

from mist.errors import InvalidRequest

Affine = npt.NDArray[np.float64]

SPATIAL_AXES = "zyx"
"""The spatial axes in array order; columns 0, 1, 2 of an affine belong to them."""

LARGEST_LENGTH = 1e12
"""The greatest magnitude in an affine, in millimetres, and one over the least spacing: beyond lies no image, and sums
stay finite."""

_RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_REVERSE_AXES = np.eye(4)[[2, 1, 0, 3]]


class Space(StrEnum):
    """How much is known of where a scan's voxels lie."""

    PATIENT = "patient"
    """Positions, directions and spacing are true, in LPS millimetres of the patient."""
    LOCAL = "local"
    """Spacing in millimetres is true; origin and directions are those of the array, not of a patient."""
    INDEX = "index"
    """Nothing is known: the affine counts voxels."""


_LEAST_VOLUME = 1e-12
"""Of the box whose edges are unit vectors along the axes: less than rounding leaves of none."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the voxels of an array lie.

    Parameters
    ----------
    affine
        float64 (4, 4): maps the column (z, y, x, 1) of voxel indices to LPS millimetres (or to voxels where `space` is
        `Space.INDEX`). Axes that an array lacks keep their columns: a 2-D image lies at z = 0.
    space
        How much of the affine is known to be true.

    Raises
    ------
    InvalidRequest
        The affine is not (4, 4), not finite, singular, beyond `LARGEST_LENGTH`, or its last row is not (0, 0, 0, 1).
    """

    affine: Affine
    space: Space

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not (np.abs(affine) <= LARGEST_LENGTH).all():
            raise InvalidRequest(f"an affine must be 4 x 4, within +-{LARGEST_LENGTH:g}, not {affine.tolist()}")
        if affine[3].tolist() != [0, 0, 0, 1] or _is_singular(affine[:3, :3]):
            raise InvalidRequest(f"an affine must be invertible with last row 0 0 0 1, not {affine.tolist()}")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "space", Space(self.space))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Geometry):
            return NotImplemented
        return self.space == other.space and np.array_equal(self.affine, other.affine)

    def __hash__(self) -> int:
        return hash((self.space, *self.affine.flat))  # by value: -0.0 equals 0.0

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbours along (z, y, x), in millimetres (in voxels where `space` is INDEX)."""
        z, y, x = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def in_millimetres(self) -> bool:
        """Whether spacing is a physical length."""
        return self.space is not Space.INDEX

    def positions(self, indices: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """LPS positions, shape (..., 3), of voxel `indices`, shape (..., 3), in order (z, y, x)."""
        return np.asarray(indices, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def subsampled(self, steps: tuple[int, int, int]) -> Self:
        """The geometry of every `steps`-th voxel along (z, y, x): the origin stays, the columns grow."""
        return self if steps == (1, 1, 1) else type(self)(self.affine * (*steps, 1), self.space)

    def cropped(self, start: tuple[int, int, int]) -> Self:
        """The geometry of the region that begins at voxel `start`, in order (z, y, x)."""
        if start == (0, 0, 0):
            return self
        shift = np.eye(4)
        shift[:3, 3] = start
        return self._indexed_by(shift)

    def resampled(self, scale: tuple[float, float, float], offset: tuple[float, float, float]) -> Self:
        """The geometry of a grid whose voxel `i` is centred on voxel `scale * i + offset` of this one, by (z, y, x)."""
        change = np.diag([*scale, 1.0])
        change[:3, 3] = offset
        return self._indexed_by(change)

    def _indexed_by(self, change: Affine) -> Self:
        return type(self)(self.affine @ change, self.space)


def _is_singular(columns: npt.NDArray[np.float64]) -> bool:
    """Whether an axis has next to no length, or the box of unit lengths along all three next to no volume."""
    (a, b, c), (d, e, f), (g, h, i) = columns.T.tolist()
    lengths = math.hypot(a, b, c), math.hypot(d, e, f), math.hypot(g, h, i)
    volume = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return min(lengths) < 1 / LARGEST_LENGTH or abs(volume) / math.prod(lengths) < _LEAST_VOLUME


def geometry_from_spacing(spacing_mm: tuple[float, float, float]) -> Geometry:
    """The geometry of an array whose spacing along (z, y, x) is known in millimetres, and nothing else."""
    affine = np.diag([*spacing_mm, 1.0])[[2, 1, 0, 3]]  # array (z, y, x) to space (x, y, z)
    return Geometry(affine, Space.LOCAL)


def geometry_of_indices() -> Geometry:
    """The geometry of an array of which nothing is known: voxel (z, y, x) lies at (x, y, z)."""
    return Geometry(_REVERSE_AXES, Space.INDEX)


def geometry_from_dicom(
    position_mm: npt.ArrayLike,
    orientation: npt.ArrayLike,
    pixel_spacing_mm: tuple[float, float],
    slice_step_mm: npt.ArrayLike,
) -> Geometry:
    """The geometry of a stack of DICOM slices.

    Parameters
    ----------
    position_mm
        (3,) Image Position (Patient) of the first slice.
    orientation
        (6,) Image Orientation (Patient): the direction of a row (along which x grows), then of a column.
    pixel_spacing_mm
        Pixel Spacing: between rows (y), then between columns (x).
    slice_step_mm
        (3,) from one slice's position to the next one's.

    See DICOM PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1.
    """
    row, column = np.asarray(orientation, dtype=np.float64).reshape(2, 3)
    affine = np.eye(4)
    affine[:3, 0] = slice_step_mm
    affine[:3, 1] = column * pixel_spacing_mm[0]
    affine[:3, 2] = row * pixel_spacing_mm[1]
    affine[:3, 3] = position_mm
    return Geometry(affine, Space.PATIENT)


def geometry_from_nifti(affine_ras: npt.ArrayLike, space: Space = Space.PATIENT) -> Geometry:
    """The geometry of a NIfTI array transposed to (z, y, x), from its affine of (i, j, k) to RAS millimetres."""
    return Geometry(_RAS_FROM_LPS @ np.asarray(affine_ras, dtype=np.float64) @ _REVERSE_AXES, space)


def nifti_affine(geometry: Geometry) -> Affine:
    """The affine of (i, j, k) = (x, y, z) to RAS millimetres, as NIfTI and nibabel have it; (4, 4) float64."""
    return _RAS_FROM_LPS @ geometry.affine @ _REVERSE_AXES


def ras_affine(geometry: Geometry) -> Affine:
    """The affine of array indices (z, y, x) to RAS millimetres, as MONAI's `MetaTensor` has it; (4, 4) float64."""
    return _RAS_FROM_LPS @ geometry.affine
