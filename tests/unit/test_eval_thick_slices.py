from __future__ import annotations

import numpy as np
import pytest

from mist.errors import InvalidRequest, SourceRefused
from mist.geometry import geometry_from_spacing, geometry_of_indices
from mist.volume import Rescale, Volume
from mist_eval.thick_slices import thick_slices


def thin(count: int = 13, spacing_mm: float = 1.0, dtype: str = "int16") -> Volume:
    voxels = np.random.default_rng(0).integers(-1000, 3000, (count, 6, 5)).astype(dtype)
    return Volume(voxels, "zyx", geometry_from_spacing((spacing_mm, 0.7, 0.7)), Rescale(1.0, -1024.0, "HU"))


def test_each_thick_slice_is_the_rounded_mean_of_its_thin_ones_and_a_rest_is_left_out() -> None:
    volume = thin(13)
    thick = thick_slices(volume, 5.0)
    expected = [np.rint(volume.voxels[first : first + 5].astype(float).mean(axis=0)) for first in (0, 5)]
    assert thick.voxels.dtype == np.int16
    np.testing.assert_array_equal(thick.voxels, expected)
    assert thick.rescale == volume.rescale


def test_a_thick_slice_lies_in_the_middle_of_its_thin_ones() -> None:
    volume = thin(12)
    thick = thick_slices(volume, 4.0)
    assert thick.geometry.spacing == (4.0, 0.7, 0.7)
    np.testing.assert_allclose(thick.geometry.positions([0, 3, 2]), volume.geometry.positions([1.5, 3, 2]))
    np.testing.assert_allclose(thick.geometry.positions([2, 0, 0]), volume.geometry.positions([9.5, 0, 0]))


@pytest.mark.parametrize(("spacing_mm", "found_mm"), [(1.0, 5.0), (0.667, 4.669), (2.0, 4.0), (1.5, 4.5)])
def test_the_spacing_is_as_near_to_the_one_asked_for_as_whole_slices_come(spacing_mm: float, found_mm: float) -> None:
    assert thick_slices(thin(40, spacing_mm), 5.0).geometry.spacing[0] == pytest.approx(found_mm)


def test_frames_are_made_thick_one_by_one() -> None:
    voxels = np.random.default_rng(0).integers(0, 4096, (2, 6, 4, 3)).astype(np.uint16)
    volume = Volume(voxels, "tzyx", geometry_from_spacing((1.0, 1.0, 1.0)))
    first = Volume(voxels[0], "zyx", volume.geometry)
    np.testing.assert_array_equal(thick_slices(volume, 3.0).voxels[0], thick_slices(first, 3.0).voxels)


@pytest.mark.parametrize("spacing_mm", [0.0, -5.0, float("nan")])
def test_a_thickness_that_is_none_is_refused(spacing_mm: float) -> None:
    with pytest.raises(InvalidRequest, match="more than 0 mm"):
        thick_slices(thin(), spacing_mm)


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        (thin(40, 5.0), "40 slices 5 mm apart do not make 2 or more of 5 mm"),
        (thin(9), "9 slices 1 mm apart"),
        (thin(40, dtype="float32"), "float32 zyx"),
        (Volume(np.zeros((4, 4), np.uint8), "yx", geometry_from_spacing((1, 1, 1))), "uint8 yx"),
        (Volume(thin(40).voxels, "zyx", geometry_of_indices()), "geometry 'index'"),
    ],
    ids=["thick already", "too few", "floats", "no slices", "no spacing"],
)
def test_what_cannot_be_made_thick_is_refused_with_the_reason(volume: Volume, reason: str) -> None:
    with pytest.raises(SourceRefused, match=reason):
        thick_slices(volume, 5.0)
