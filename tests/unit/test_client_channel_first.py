from __future__ import annotations

import numpy as np
import pytest

from mist.geometry import Geometry, Space, geometry_from_spacing, ras_affine
from mist.volume import AXES, Rescale, Volume
from mist_client.channel_first import array_affine, same_grid, sample_array, value_array

LENGTHS = {"t": 2, "z": 3, "y": 4, "x": 5, "c": 3}
OBLIQUE = Geometry(np.array([[0, 0.6, 0.8, 5], [0, -0.8, 0.6, 6], [2, 0, 0, 7], [0, 0, 0, 1]]), Space.PATIENT)


def volume(axes: str, geometry: Geometry = OBLIQUE) -> Volume:
    shape = [LENGTHS[axis] for axis in axes]
    return Volume(np.arange(np.prod(shape), dtype=np.int16).reshape(shape), axes, geometry, Rescale(2.0, -7.0))


@pytest.mark.parametrize("axes", AXES)
def test_every_frame_of_every_colour_is_a_channel(axes: str) -> None:
    array = sample_array(volume(axes))
    frames, colours = (LENGTHS[axis] if axis in axes else 1 for axis in "tc")
    assert array.shape == (frames * colours, *(LENGTHS[axis] for axis in axes if axis in "zyx"))


def test_channels_are_colours_within_frames() -> None:
    source = volume("tyxc")
    assert np.array_equal(sample_array(source)[4], source.voxels[1, :, :, 1])


def test_values_are_rescaled() -> None:
    array = value_array(volume("zyx"))
    assert array.dtype == np.float32
    assert array[0, 0, 0, 3] == -1.0


def test_the_affine_of_a_volume_is_that_of_its_axes_in_ras() -> None:
    assert np.array_equal(array_affine(volume("zyx")), ras_affine(OBLIQUE))


def test_the_affine_of_an_image_has_its_own_axes_first() -> None:
    position = array_affine(volume("yx")) @ [2, 3, 0, 1]
    assert np.allclose(position[:3], OBLIQUE.positions((0, 2, 3)) * (-1, -1, 1))


def test_a_grid_is_its_own() -> None:
    assert same_grid(volume("zyx"), volume("zyx"))


def test_a_grid_half_a_voxel_away_is_another() -> None:
    assert not same_grid(volume("zyx"), volume("zyx", OBLIQUE.resampled((1, 1, 1), (0, 0.5, 0))))


def test_where_one_source_knows_no_patient_equal_shapes_are_one_grid() -> None:
    assert same_grid(volume("yx"), volume("yx", geometry_from_spacing((1, 1, 1))))
