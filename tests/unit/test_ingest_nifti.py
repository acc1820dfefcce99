from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from mist.errors import SourceRefused
from mist.geometry import Space, nifti_affine
from mist.ingest.nifti import read_nifti
from mist.ingest.refusal import refusing
from mist.scan import Display
from mist.volume import Rescale

AFFINE = np.array([[-0.8, 0.1, 0.0, 90.0], [0.1, 0.9, 0.2, -120.0], [0.0, -0.2, 1.5, -70.0], [0.0, 0.0, 0.0, 1.0]])


def counted(*shape: int, dtype: str = "int16") -> npt.NDArray[Any]:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def save(image: nib.Nifti1Image | nib.Nifti2Image, path: Path) -> Path:
    nib.save(image, path)
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize(("shape", "axes"), [((5, 4), "yx"), ((5, 4, 3), "zyx"), ((5, 4, 3, 2), "tzyx")])
def test_the_axes_of_the_file_are_turned_around(tmp_path: Path, shape: tuple[int, ...], axes: str, ending: str) -> None:
    stored = counted(*shape)

    volume = read_nifti(save(nib.Nifti1Image(stored, AFFINE), tmp_path / f"a{ending}")).volume

    assert volume.axes == axes
    np.testing.assert_array_equal(volume.voxels, stored.T)


def test_the_affine_is_that_of_nibabel(tmp_path: Path) -> None:
    path = save(nib.Nifti1Image(counted(5, 4, 3), AFFINE), tmp_path / "a.nii")

    geometry = read_nifti(path).volume.geometry

    assert geometry.space is Space.PATIENT
    np.testing.assert_array_equal(nifti_affine(geometry), nib.load(path).affine)  # type: ignore[attr-defined]


def test_a_file_without_coded_transform_knows_its_spacing_alone(tmp_path: Path) -> None:
    image = nib.Nifti1Image(counted(5, 4, 3), None)
    image.header.set_zooms((0.5, 0.75, 3.0))

    geometry = read_nifti(save(image, tmp_path / "a.nii")).volume.geometry

    assert geometry.space is Space.LOCAL
    assert geometry.spacing == (3.0, 0.75, 0.5)


def test_lengths_in_metres_become_millimetres(tmp_path: Path) -> None:
    image = nib.Nifti1Image(counted(5, 4, 3), np.diag([0.001, 0.002, 0.003, 1.0]))
    image.header.set_xyzt_units("meter")

    assert read_nifti(save(image, tmp_path / "a.nii")).volume.geometry.spacing == pytest.approx((3.0, 2.0, 1.0))


def test_integers_stay_as_stored_and_their_scale_stands_beside_them(tmp_path: Path) -> None:
    image = nib.Nifti1Image(counted(5, 4, 3), AFFINE)
    image.header.set_slope_inter(0.5, -3.0)
    path = save(image, tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([0.5, -3.0], "<f4").tobytes()  # scl_slope and scl_inter
    path.write_bytes(raw)

    volume = read_nifti(path).volume

    assert volume.rescale == Rescale(0.5, -3.0)
    assert volume.voxels.dtype == np.int16
    np.testing.assert_array_equal(volume.values(), nib.load(path).get_fdata().T)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("stored", "dtype"),
    [
        (counted(5, 4, 3, dtype="float32") / 7, "float32"),
        (counted(5, 4, 3, dtype=">f4"), "float32"),
        (counted(5, 4, 3, dtype=">i2"), "int16"),
        (counted(5, 4, 3, dtype="int64"), "int32"),
    ],
)
def test_samples_become_native_and_keep_their_values(tmp_path: Path, stored: npt.NDArray[Any], dtype: str) -> None:
    header = nib.Nifti1Header(endianness=">" if stored.dtype.byteorder == ">" else "<")
    image = nib.Nifti1Image(stored, AFFINE, header, dtype=stored.dtype)

    voxels = read_nifti(save(image, tmp_path / "a.nii")).volume.voxels

    assert voxels.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(voxels, stored.T)


def test_rgb_voxels_become_a_colour_axis(tmp_path: Path) -> None:
    colours = counted(5, 4, 3, 3, dtype="uint8")
    stored = np.ascontiguousarray(colours).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]

    volume = read_nifti(save(nib.Nifti1Image(stored, AFFINE), tmp_path / "a.nii")).volume

    assert volume.axes == "zyxc"
    np.testing.assert_array_equal(volume.voxels, colours.transpose(2, 1, 0, 3))


def test_nifti_2_is_read_like_nifti_1(tmp_path: Path) -> None:
    volume = read_nifti(save(nib.Nifti2Image(counted(5, 4, 3), AFFINE), tmp_path / "a.nii")).volume

    np.testing.assert_array_equal(volume.voxels, counted(5, 4, 3).T)


def test_the_calibrated_range_becomes_the_window(tmp_path: Path) -> None:
    image = nib.Nifti1Image(counted(5, 4, 3), AFFINE)
    image.header["cal_min"], image.header["cal_max"] = 10, 50

    assert read_nifti(save(image, tmp_path / "a.nii")).display == Display(30.0, 40.0)


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (counted(5, 4, 3, dtype="complex64"), "samples of type complex64 cannot be stored"),
        (counted(5, 4, 3, dtype="int64") << 40, "int64 samples .* do not fit in int32"),
        (counted(5, 4, 3, 2, 2), "more dimensions than x, y, z and time"),
    ],
)
def test_what_a_volume_cannot_hold_is_refused(tmp_path: Path, stored: npt.NDArray[Any], reason: str) -> None:
    path = save(nib.Nifti1Image(stored, AFFINE, dtype=stored.dtype), tmp_path / "a.nii")

    with pytest.raises(SourceRefused, match=reason):
        read_nifti(path)


def test_the_format_is_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    path = save(nib.Nifti1Image(counted(5, 4, 3), AFFINE), tmp_path / "a.nii")
    renamed = tmp_path / "brain"
    renamed.write_bytes(gzip.compress(path.read_bytes()))

    np.testing.assert_array_equal(read_nifti(renamed).volume.voxels, counted(5, 4, 3).T)


def with_header(path: Path, **fields: object) -> Path:
    """The file at `path`, whose header says something else."""
    data = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(data[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    data[:348] = header.binaryblock
    path.write_bytes(data)
    return path


NO_SIZE = [1, 0, 0, 0, 0, 0, 0, 0]


def test_voxels_without_a_size_lie_nowhere(tmp_path: Path) -> None:
    path = save(nib.Nifti1Image(counted(5, 4, 3), None), tmp_path / "a.nii")

    volume = read_nifti(with_header(path, pixdim=NO_SIZE, sform_code=0, qform_code=0)).volume

    assert volume.geometry.space is Space.INDEX


def test_a_qform_of_voxels_without_a_size_is_refused(tmp_path: Path) -> None:
    path = save(nib.Nifti1Image(counted(5, 4, 3), AFFINE), tmp_path / "a.nii")

    with pytest.raises(SourceRefused, match="its qform needs the size of a voxel, and pixdim is 0, 0, 0; correct"):
        read_nifti(with_header(path, pixdim=NO_SIZE, sform_code=0, qform_code=1))


def test_a_slice_needs_no_thickness(tmp_path: Path) -> None:
    path = save(nib.Nifti1Image(counted(5, 4), np.eye(4)), tmp_path / "a.nii")

    read_nifti(with_header(path, pixdim=[1, 2, 2, 0, 0, 0, 0, 0], sform_code=0, qform_code=1))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"xyzt_units": 7}, "its unit of length has the code 7; 0 to 3 are possible"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 1, "quatern_c": 1, "quatern_d": 1}, "header breaks the NIfTI"),
        ({"scl_slope": 2, "scl_inter": np.nan}, "its header breaks the NIfTI standard .*correct it"),
    ],
)
def test_a_header_that_breaks_the_standard_is_refused(tmp_path: Path, fields: dict[str, Any], reason: str) -> None:
    path = save(nib.Nifti1Image(counted(5, 4, 3), AFFINE), tmp_path / "a.nii")

    with pytest.raises(SourceRefused, match=reason):
        read_nifti(with_header(path, **fields))


def saved_with(path: Path, *, has_sform: bool, has_qform: bool, fields: Mapping[str, float]) -> Path:
    """A file whose header has these fields as they are, whatever nibabel thinks of them."""
    image = nib.Nifti1Image(counted(5, 4, 3), AFFINE)
    image.set_sform(np.diag([1.0, 2.0, 3.0, 1.0]), int(has_sform))
    image.set_qform(np.diag([1.0, 2.0, 3.0, 1.0]), int(has_qform))
    raw = bytearray(save(image, path).read_bytes())
    for field, value in fields.items():
        kind, offset = OFFSETS[field]
        struct.pack_into(kind, raw, offset, value)
    path.write_bytes(raw)
    return path


OFFSETS = {
    "qfac": ("<f", 76),
    "pixdim[1]": ("<f", 80),
    "qform_code": ("<h", 252),
    "sform_code": ("<h", 254),
}
"""How and where fields stand in a header (nifti1.h)."""


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("qfac", math.nan, r"its pixdim\[0\] is nan, and for a qform it must be 1 or -1; correct the header"),
        ("qfac", -5.0, r"its pixdim\[0\] is -5, and for a qform it must be 1 or -1; correct the header"),
        ("pixdim[1]", -1.0, "its pixdim is -1, 2, 3, and a size is never negative; correct the header"),
        ("qform_code", 9, "its qform_code is 9, and 0 to 5 are possible; correct the header"),
        ("sform_code", 9, "its sform_code is 9, and 0 to 5 are possible; correct the header"),
    ],
)
def test_a_place_that_programs_read_in_different_ways_is_refused(
    tmp_path: Path, field: str, value: float, message: str
) -> None:
    path = saved_with(tmp_path / "a.nii", has_sform=False, has_qform=True, fields={field: value})
    with pytest.raises(SourceRefused, match=message):
        read_nifti(path)


@pytest.mark.parametrize(
    "fields", [{"qfac": -5.0}, {"pixdim[1]": -1.0}, {"qform_code": 9}, {"qfac": 0.0, "pixdim[1]": 0.0}]
)
def test_what_stands_beside_an_sform_does_not_matter(
    tmp_path: Path, fields: dict[str, float], capfd: pytest.CaptureFixture[str]
) -> None:
    path = saved_with(tmp_path / "a.nii", has_sform=True, has_qform=True, fields=fields)
    with refusing("a.nii"):
        geometry = read_nifti(path).volume.geometry
    assert (geometry.space, geometry.spacing) == (Space.PATIENT, (3.0, 2.0, 1.0))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("qfac", [0.0, 5.0])
def test_a_qfac_that_is_not_negative_is_1(tmp_path: Path, qfac: float) -> None:
    path = saved_with(tmp_path / "a.nii", has_sform=False, has_qform=True, fields={"qfac": qfac})
    np.testing.assert_allclose(nifti_affine(read_nifti(path).volume.geometry), np.diag([1.0, 2.0, 3.0, 1.0]))
