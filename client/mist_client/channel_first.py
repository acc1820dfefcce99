"""Volumes as the arrays that training frameworks expect: channels first, affine in RAS.

The rule: an array is (channels, *spatial), the spatial axes in the scan's own order (z, y, x); each frame of each
colour is a channel. Its affine maps indices of those spatial axes to RAS millimetres, as MONAI has it. Knows no
framework.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from mist.geometry import SPATIAL_AXES, Affine, Space, ras_affine
from mist.volume import Volume, Voxels, to_planes

_GRID_TOLERANCE = 0.1
"""How far apart, as a share of the spacing, the corners of one grid may lie: float32 headers round affines."""


def sample_array(volume: Volume) -> Voxels:
    """The stored samples, (channels, *spatial), in the volume's dtype."""
    return _channel_first(volume.voxels, volume.axes)


def value_array(volume: Volume) -> npt.NDArray[np.float32]:
    """The physical values after rescaling, (channels, *spatial), float32; computed in float64."""
    rescale = volume.rescale
    plain = (rescale.slope, rescale.intercept) == (1.0, 0.0)
    values = volume.voxels if plain else volume.values()
    return np.ascontiguousarray(_channel_first(values, volume.axes), np.float32)


def array_affine(volume: Volume) -> Affine:
    """float64 (4, 4): from indices of the array's spatial axes to RAS millimetres (to voxels in `Space.INDEX`).

    Column `i` is the array's i-th spatial axis. The columns of axes that the array lacks follow, so that the affine of
    a radiograph can be inverted too.
    """
    present = [axis for axis in SPATIAL_AXES if axis in volume.axes]
    absent = [axis for axis in SPATIAL_AXES if axis not in volume.axes]
    order = [SPATIAL_AXES.index(axis) for axis in (*present, *absent)]
    return ras_affine(volume.geometry)[:, [*order, 3]]


def same_grid(first: Volume, second: Volume) -> bool:
    """Whether voxels of equal index lie at one place: equal shapes, and corners that meet where both know them."""
    if first.spatial_shape != second.spatial_shape:
        return False
    if not first.geometry.space == second.geometry.space == Space.PATIENT:
        return True
    corners = np.array(list(product(*((0, length - 1) for length in first.spatial_shape))))
    apart = np.linalg.norm(first.geometry.positions(corners) - second.geometry.positions(corners), axis=1)
    return bool(apart.max() <= _GRID_TOLERANCE * min(first.geometry.spacing))


def _channel_first(voxels: Voxels, axes: str) -> Voxels:
    planes = to_planes(voxels, axes)  # (t * c, z, y, x)
    lengths = (n for axis, n in zip(SPATIAL_AXES, planes.shape[1:], strict=True) if axis in axes)
    return planes.reshape(len(planes), *lengths)
