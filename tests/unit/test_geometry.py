from __future__ import annotations

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk  # noqa: N813

from mist.errors import InvalidRequest
from mist.geometry import (
    Geometry,
    Space,
    geometry_from_dicom,
    geometry_from_nifti,
    geometry_from_spacing,
    geometry_of_indices,
    nifti_affine,
    ras_affine,
)

SPACING_MM = (2.5, 0.7, 0.9)  # (z, y, x)
ORIGIN_MM = (-112.5, 38.25, -1007.0)
INDICES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [7, 11, 13], [-2, 5.5, 0.25]])


def rotation() -> npt.NDArray[np.float64]:
    """An oblique, right-handed frame: its columns are the directions of x, y and z."""
    orthogonal, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    return np.asarray(orthogonal * np.sign(np.linalg.det(orthogonal)))


def oblique() -> Geometry:
    affine = np.eye(4)
    affine[:3, :3] = rotation()[:, ::-1] * SPACING_MM
    affine[:3, 3] = ORIGIN_MM
    return Geometry(affine, Space.PATIENT)


def oblique_image() -> sitk.Image:
    """The same grid as SimpleITK has it, whose space is LPS and whose indices are (x, y, z)."""
    image = sitk.GetImageFromArray(np.zeros((8, 12, 14), np.int16))
    image.SetSpacing(SPACING_MM[::-1])
    image.SetOrigin(ORIGIN_MM)
    image.SetDirection(rotation().ravel().tolist())
    return image


def physical_points(image: sitk.Image, indices: npt.NDArray[np.float64]) -> list[tuple[float, ...]]:
    return [image.TransformContinuousIndexToPhysicalPoint(index[::-1]) for index in indices.tolist()]


def test_positions_are_the_physical_points_of_simpleitk() -> None:
    np.testing.assert_allclose(oblique().positions(INDICES), physical_points(oblique_image(), INDICES), atol=1e-9)


def test_spacing_is_that_of_simpleitk() -> None:
    np.testing.assert_allclose(oblique().spacing, oblique_image().GetSpacing()[::-1], rtol=1e-12)


def test_a_crop_lies_where_simpleitk_has_it() -> None:
    cropped = oblique_image()[3:, 2:, 1:]  # (x, y, z)
    np.testing.assert_allclose(
        oblique().cropped((1, 2, 3)).positions(INDICES), physical_points(cropped, INDICES), atol=1e-9
    )


def test_a_subsample_lies_where_simpleitk_has_it() -> None:
    subsampled = oblique_image()[::4, ::2, ::1]  # (x, y, z)
    np.testing.assert_allclose(
        oblique().subsampled((1, 2, 4)).positions(INDICES), physical_points(subsampled, INDICES), atol=1e-9
    )


def test_voxels_of_a_subsample_keep_their_positions() -> None:
    np.testing.assert_allclose(
        oblique().subsampled((2, 4, 8)).positions(INDICES), oblique().positions(INDICES * (2, 4, 8)), atol=1e-9
    )


def test_voxels_of_a_crop_keep_their_positions() -> None:
    np.testing.assert_allclose(
        oblique().cropped((5, 6, 7)).positions(INDICES), oblique().positions(INDICES + np.array([5, 6, 7])), atol=1e-9
    )


def test_voxels_of_a_resampled_grid_lie_where_its_scale_and_offset_say() -> None:
    scale, offset = (0.5, 1.75, 3.2), (-0.25, 0.375, 1.1)
    np.testing.assert_allclose(
        oblique().resampled(scale, offset).positions(INDICES),
        oblique().positions(INDICES * scale + offset),
        atol=1e-9,
    )


def test_a_change_of_grid_keeps_what_is_known_of_the_space() -> None:
    geometry = geometry_from_spacing(SPACING_MM)
    changed = (geometry.subsampled((2, 2, 2)), geometry.cropped((1, 1, 1)), geometry.resampled((1, 2, 3), (0, 0, 0)))
    assert {one.space for one in changed} == {Space.LOCAL}


def test_the_nifti_affine_places_voxels_as_nibabel_does() -> None:
    image = nib.Nifti1Image(np.zeros((14, 12, 8), np.int16), nifti_affine(oblique()))
    ras = nib.affines.apply_affine(image.affine, INDICES[:, ::-1])
    np.testing.assert_allclose(ras * (-1, -1, 1), oblique().positions(INDICES), atol=1e-9)


def test_a_geometry_from_nifti_places_voxels_as_nibabel_does() -> None:
    affine = nib.affines.from_matvec(rotation() * (0.9, 0.7, 2.5), ORIGIN_MM)
    ras = nib.affines.apply_affine(affine, INDICES[:, ::-1])
    np.testing.assert_allclose(geometry_from_nifti(affine).positions(INDICES), ras * (-1, -1, 1), atol=1e-9)


def test_nifti_there_and_back_is_the_same_bit_for_bit() -> None:
    assert geometry_from_nifti(nifti_affine(oblique())) == oblique()


def test_spacing_is_the_zooms_of_nibabel() -> None:
    zooms = nib.affines.voxel_sizes(nifti_affine(oblique()))
    np.testing.assert_allclose(oblique().spacing, zooms[::-1], rtol=1e-12)


def test_the_ras_affine_takes_indices_in_array_order() -> None:
    ras = nib.affines.apply_affine(ras_affine(oblique()), INDICES)
    np.testing.assert_allclose(ras * (-1, -1, 1), oblique().positions(INDICES), atol=1e-9)


def test_slices_of_a_dicom_series_lie_by_the_equation_of_the_standard() -> None:
    """DICOM PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1: i counts columns, j rows."""
    row, column, normal = rotation().T
    step = 2.5 * normal
    geometry = geometry_from_dicom(ORIGIN_MM, [*row, *column], (0.7, 0.9), step)
    for k, j, i in INDICES.tolist():
        slice_position = np.array(ORIGIN_MM) + k * step
        expected = row * 0.9 * i + column * 0.7 * j + slice_position
        np.testing.assert_allclose(geometry.positions((k, j, i)), expected, atol=1e-9)


def test_an_axial_series_of_dicom_has_the_directions_of_the_patient() -> None:
    geometry = geometry_from_dicom((1, 2, 3), (1, 0, 0, 0, 1, 0), (0.5, 0.25), (0, 0, 4))
    assert geometry.affine.tolist() == [[0, 0, 0.25, 1], [0, 0.5, 0, 2], [4, 0, 0, 3], [0, 0, 0, 1]]


def test_spacing_alone_gives_millimetres_but_no_patient() -> None:
    geometry = geometry_from_spacing(SPACING_MM)
    assert (geometry.spacing, geometry.space, geometry.in_millimetres) == (SPACING_MM, Space.LOCAL, True)


def test_nothing_known_gives_voxels() -> None:
    geometry = geometry_of_indices()
    assert not geometry.in_millimetres
    assert geometry.positions((1, 2, 3)).tolist() == [3, 2, 1]


def test_equal_geometries_have_equal_hashes_even_where_a_zero_is_negative() -> None:
    negative = np.diag([1.0, 1.0, 1.0, 1.0])
    negative[0, 1] = -0.0
    one, other = Geometry(np.eye(4), Space.LOCAL), Geometry(negative, Space.LOCAL)
    assert one == other
    assert hash(one) == hash(other)


def test_geometries_of_other_spaces_or_places_differ() -> None:
    assert geometry_from_spacing(SPACING_MM) != Geometry(geometry_from_spacing(SPACING_MM).affine, Space.PATIENT)
    assert oblique() != oblique().cropped((0, 0, 1))
    assert oblique() != "oblique"


def test_the_affine_is_a_copy_that_cannot_be_written() -> None:
    affine = np.eye(4)
    geometry = Geometry(affine, Space.LOCAL)
    affine[0, 3] = 99
    assert geometry.affine[0, 3] == 0
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 3] = 1


@pytest.mark.parametrize(
    "affine",
    [
        np.eye(3),
        np.zeros((4, 4)),
        np.diag([1.0, 1.0, 0.0, 1.0]),
        np.diag([1.0, 1.0, 1.0, 2.0]),
        np.diag([1.0, np.nan, 1.0, 1.0]),
        np.diag([1.0, np.inf, 1.0, 1.0]),
        np.diag([1.0, 1e300, 1.0, 1.0]),
        np.diag([1.0, 1e-300, 1.0, 1.0]),
        np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    ],
    ids=["3x3", "zero", "flat", "last row", "nan", "infinite", "huge", "tiny", "parallel axes"],
)
def test_an_affine_that_places_nothing_is_refused(affine: npt.NDArray[np.float64]) -> None:
    with pytest.raises(InvalidRequest, match="affine"):
        Geometry(affine, Space.PATIENT)


def test_very_unequal_spacings_are_accepted() -> None:
    assert Geometry(np.diag([1e-6, 1e6, 1.0, 1.0]), Space.LOCAL).spacing == (1e-6, 1e6, 1.0)
