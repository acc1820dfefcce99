from __future__ import annotations

import numpy as np
import pytest

from mist.errors import InvalidRequest
from mist.geometry import geometry_from_spacing
from mist.pyramid import LONGEST_AXIS, SMALLEST_LEVEL_VOXELS, Pyramid, Triple


def test_an_isotropic_volume_is_halved_along_all_axes_from_the_start() -> None:
    assert Pyramid.for_spacing((128, 128, 128), (1, 1, 1)).halved == ("zyx", "zyx")


def test_thick_slices_are_first_halved_in_plane() -> None:
    assert Pyramid.for_spacing((64, 512, 512), (5, 0.7, 0.7)).halved == ("yx", "yx", "yx", "zyx")


def test_an_axis_of_length_one_is_never_halved() -> None:
    assert Pyramid.for_spacing((1, 100, 100), (0.1, 1, 1)).halved == ("yx", "yx")


def test_levels_grow_isotropic() -> None:
    pyramid = Pyramid.for_spacing((200, 512, 512), (3, 0.8, 0.8))
    spacing = pyramid.level_geometry(pyramid.coarsest, geometry_from_spacing((3, 0.8, 0.8))).spacing
    assert max(spacing) / min(spacing) <= 2**0.5


def test_halving_stops_where_no_axis_is_longer_than_the_smallest_useful_picture() -> None:
    pyramid = Pyramid.for_spacing((1, 1000, 40), (1, 1, 1))
    assert max(pyramid.level_shape(pyramid.coarsest)) <= SMALLEST_LEVEL_VOXELS
    assert max(pyramid.level_shape(pyramid.coarsest - 1)) > SMALLEST_LEVEL_VOXELS


def test_a_small_image_has_one_level() -> None:
    assert Pyramid.for_spacing((32, 32, 32), (1, 1, 1)).coarsest == 0


@pytest.mark.parametrize("spacing", [(1, 1, 1), (1e-6, 1, 1e6), (1e6, 1e-6, 1)])
def test_every_spacing_ends_in_a_coarsest_level(spacing: tuple[float, float, float]) -> None:
    assert max(Pyramid.for_spacing((70, 700, 7), spacing).level_shape(-1 % 100)) <= SMALLEST_LEVEL_VOXELS


def test_an_odd_length_is_halved_upwards() -> None:
    pyramid = Pyramid((5, 7, 2), ("zyx", "zy"))
    assert [pyramid.level_shape(level) for level in range(3)] == [(5, 7, 2), (3, 4, 1), (2, 2, 1)]


def test_a_level_has_as_many_voxels_as_a_subsample_by_its_steps() -> None:
    pyramid = Pyramid((37, 41, 53), ("x", "yx", "zyx", "zyx"))
    for level in range(pyramid.coarsest + 1):
        z, y, x = pyramid.steps(level)
        assert pyramid.level_shape(level) == np.empty(pyramid.shape)[::z, ::y, ::x].shape


def test_steps_count_the_halvings_of_each_axis() -> None:
    assert Pyramid((8, 64, 64), ("yx", "yx", "zyx")).steps(3) == (2, 8, 8)


def test_the_geometry_of_a_level_keeps_the_origin_and_scales_the_columns() -> None:
    full = geometry_from_spacing((3, 2, 1)).cropped((4, 5, 6))
    level = Pyramid((8, 64, 64), ("yx", "zyx")).level_geometry(2, full)
    np.testing.assert_array_equal(level.affine[:, 3], full.affine[:, 3])
    assert level.spacing == (6, 8, 4)


@pytest.mark.parametrize("shape", [(0, 1, 1), (1, -1, 1), (1, 1, LONGEST_AXIS + 1)])
def test_a_length_that_no_axis_has_is_refused(shape: Triple) -> None:
    with pytest.raises(InvalidRequest, match="lengths"):
        Pyramid(shape, ())


@pytest.mark.parametrize("halved", [("",), ("xy",), ("xx",), ("t",), ("zyx",), ("x", "x", "x")])
def test_a_halving_that_cannot_be_is_refused(halved: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest, match="halved"):
        Pyramid((1, 4, 4), halved)
