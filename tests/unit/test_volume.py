from __future__ import annotations

import numpy as np
import pytest

from mist.errors import InvalidRequest
from mist.geometry import geometry_from_spacing, geometry_of_indices
from mist.volume import AXES, DTYPES, Rescale, Volume, from_planes, plane_counts, spatial_shape, to_planes

LENGTHS = {"t": 3, "z": 4, "y": 5, "x": 6, "c": 2}


def shape_of(axes: str) -> tuple[int, ...]:
    return tuple(LENGTHS[axis] for axis in axes)


def volume(axes: str = "zyx", dtype: str = "int16", rescale: Rescale | None = None) -> Volume:
    voxels = np.arange(np.prod(shape_of(axes))).reshape(shape_of(axes)).astype(dtype)
    return Volume(voxels, axes, geometry_of_indices(), rescale or Rescale())


@pytest.mark.parametrize("axes", AXES)
def test_planes_there_and_back_are_the_same_voxels(axes: str) -> None:
    voxels = volume(axes).voxels
    channels = plane_counts(axes, voxels.shape)[1]
    np.testing.assert_array_equal(from_planes(to_planes(voxels, axes), axes, channels), voxels)


@pytest.mark.parametrize("axes", AXES)
def test_planes_have_the_shape_of_frames_times_channels_then_z_y_x(axes: str) -> None:
    frames, channels = plane_counts(axes, shape_of(axes))
    assert to_planes(volume(axes).voxels, axes).shape == (frames * channels, *volume(axes).spatial_shape)


def test_a_plane_is_one_channel_of_one_frame() -> None:
    voxels = volume("tyxc").voxels
    planes = to_planes(voxels, "tyxc")
    np.testing.assert_array_equal(planes[2 * 2 + 1, 0], voxels[2, :, :, 1])


def test_an_absent_axis_has_length_one() -> None:
    assert spatial_shape("tyxc", (3, 5, 6, 2)) == (1, 5, 6)
    assert plane_counts("zyx", (4, 5, 6)) == (1, 1)


def test_making_planes_of_a_volume_copies_nothing() -> None:
    voxels = volume("tzyx").voxels
    assert np.shares_memory(to_planes(voxels, "tzyx"), voxels)


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_are_float64_samples_rescaled(dtype: str) -> None:
    values = volume("yx", dtype, Rescale(0.1, -1000.0, "HU")).values()
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, np.arange(30.0).reshape(5, 6) * 0.1 - 1000)


def test_the_affine_is_that_of_the_geometry() -> None:
    geometry = geometry_from_spacing((3, 2, 1))
    assert Volume(np.zeros((1, 1), np.uint8), "yx", geometry).affine is geometry.affine


def test_other_voxels_keep_axes_and_rescale() -> None:
    other = volume(rescale=Rescale(2.0)).with_voxels(np.zeros((1, 1, 1), np.int16), geometry_from_spacing((3, 2, 1)))
    assert (other.axes, other.rescale, other.voxels.shape) == ("zyx", Rescale(2.0), (1, 1, 1))
    assert other.geometry == geometry_from_spacing((3, 2, 1))


@pytest.mark.parametrize("axes", ["", "xy", "y", "zx", "cyx", "yxt", "zyxw", "zzyx", "ZYX"])
def test_axes_in_no_known_order_are_refused(axes: str) -> None:
    with pytest.raises(InvalidRequest, match="axes"):
        Volume(np.zeros((2,) * len(axes), np.uint8), axes, geometry_of_indices())


@pytest.mark.parametrize("shape", [(2,), (2, 2, 2), (0, 2), (2, 0)])
def test_a_shape_that_does_not_fit_the_axes_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match="shape"):
        Volume(np.zeros(shape, np.uint8), "yx", geometry_of_indices())


@pytest.mark.parametrize("dtype", [">i2", "int64", "uint64", "float16", "bool", "complex64"])
def test_a_sample_type_that_cannot_be_stored_is_refused(dtype: str) -> None:
    with pytest.raises(InvalidRequest, match="native"):
        Volume(np.zeros((2, 2), dtype), "yx", geometry_of_indices())


@pytest.mark.parametrize(("slope", "intercept"), [(0, 0), (np.nan, 0), (np.inf, 0), (1, np.nan), (1, -np.inf)])
def test_a_rescale_that_loses_values_is_refused(slope: float, intercept: float) -> None:
    with pytest.raises(InvalidRequest, match="slope"):
        Rescale(slope, intercept)
