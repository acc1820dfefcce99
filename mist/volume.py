"""A volume: voxels, the names of their axes, and where they lie.

The rule: axes are named by letters in a fixed order, `t z y x c`: an optional frame axis `t`, one to three spatial
axes, an optional colour axis `c`. `zyx` is a CT series, `yx` a radiograph, `tyx` a cine loop, `yxc` a photograph.
Knows nothing of files, levels or storage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from mist.errors import InvalidRequest
from mist.geometry import SPATIAL_AXES, Affine, Geometry

Voxels = npt.NDArray[np.integer | np.floating]
"""Samples of a volume: an integer dtype of at most 32 bits, or float32 or float64."""

AXES = ("x", "yx", "zyx", "tx", "tyx", "tzyx", "xc", "yxc", "zyxc", "txc", "tyxc", "tzyxc")
"""Every order of axes that a volume may have."""

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
"""Every sample type that a volume may have, by NumPy's name."""


@dataclass(frozen=True, slots=True)
class Rescale:
    """The linear map from stored samples to physical values: `value = sample * slope + intercept`.

    DICOM's Rescale Slope and Intercept (PS3.3 C.11.1), NIfTI's scl_slope and scl_inter.
    """

    slope: float = 1.0
    """Factor; never 0."""
    intercept: float = 0.0
    """Offset, in `unit`."""
    unit: str = ""
    """What the value measures, as the source says it: `HU`, for one; empty where the source is silent."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.slope) and np.isfinite(self.intercept)) or self.slope == 0:
            raise InvalidRequest(f"a rescale needs a finite slope other than 0 and a finite intercept, not {self}")


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Voxels and where they lie.

    Parameters
    ----------
    voxels
        Samples, one array axis for each letter of `axes`; any dtype of `DTYPES`, in native byte order.
    axes
        One of `AXES`.
    geometry
        Where the voxels lie.
    rescale
        From samples to physical values.

    Raises
    ------
    InvalidRequest
        The axes are not among `AXES`, do not match the array, have length 0, or the dtype is not among `DTYPES`.
    """

    voxels: Voxels
    axes: str
    geometry: Geometry
    rescale: Rescale = field(default_factory=Rescale)

    def __post_init__(self) -> None:
        if self.axes not in AXES:
            raise InvalidRequest(f"axes must be one of {', '.join(AXES)}, not {self.axes!r}")
        if self.voxels.ndim != len(self.axes) or 0 in self.voxels.shape:
            raise InvalidRequest(f"axes {self.axes!r} do not fit an array of shape {self.voxels.shape}")
        if self.voxels.dtype.name not in DTYPES or not self.voxels.dtype.isnative:
            raise InvalidRequest(f"voxels must be native {', '.join(DTYPES)}, not {self.voxels.dtype!r}")

    @property
    def affine(self) -> Affine:
        """float64 (4, 4): from voxel indices (z, y, x, 1) to LPS millimetres."""
        return self.geometry.affine

    @property
    def spatial_shape(self) -> tuple[int, int, int]:
        """Lengths of (z, y, x); 1 for an axis that the volume lacks."""
        return spatial_shape(self.axes, self.voxels.shape)

    def values(self) -> npt.NDArray[np.float64]:
        """Physical values, float64, in the shape of `voxels`."""
        return self.voxels.astype(np.float64) * self.rescale.slope + self.rescale.intercept

    def with_voxels(self, voxels: Voxels, geometry: Geometry) -> Self:
        """The same kind of volume with other voxels on another grid."""
        return type(self)(voxels, self.axes, geometry, self.rescale)


def spatial_shape(axes: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Lengths of (z, y, x) of an array of `shape` with `axes`; 1 for an axis that it lacks."""
    z, y, x = (shape[axes.index(axis)] if axis in axes else 1 for axis in SPATIAL_AXES)
    return z, y, x


def plane_counts(axes: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Numbers of frames and of colour channels of an array of `shape` with `axes`; 1 for an axis that it lacks."""
    frames, channels = (shape[axes.index(axis)] if axis in axes else 1 for axis in "tc")
    return frames, channels


def to_planes(voxels: Voxels, axes: str) -> Voxels:
    """`voxels` as (planes, z, y, x), where plane = frame * channels + channel. A view where strides allow."""
    frames, channels = plane_counts(axes, voxels.shape)
    spatial = spatial_shape(axes, voxels.shape)
    whole = voxels.reshape(frames, *spatial, channels)
    return whole.transpose(0, 4, 1, 2, 3).reshape(frames * channels, *spatial)  # (t, c, z, y, x)


def from_planes(planes: Voxels, axes: str, channels: int) -> Voxels:
    """The inverse of `to_planes`: an array with `axes` from (planes, z, y, x)."""
    count, z, y, x = planes.shape
    whole = planes.reshape(count // channels, channels, z, y, x).transpose(0, 2, 3, 4, 1)  # (t, z, y, x, c)
    lengths = dict(zip("tzyxc", whole.shape, strict=True))
    return np.ascontiguousarray(whole).reshape([lengths[axis] for axis in axes])
