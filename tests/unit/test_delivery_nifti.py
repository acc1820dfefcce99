from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pytest

from mist.delivery.nifti import check_nifti, nifti_gz
from mist.errors import InvalidRequest
from mist.geometry import Geometry, Space, geometry_from_dicom, geometry_from_spacing, geometry_of_indices, nifti_affine
from mist.volume import DTYPES, Rescale, Volume, Voxels, to_planes

OBLIQUE = geometry_from_dicom((-120.0, -100.5, 30.25), (1, 0, 0, 0, 0.8, 0.6), (0.7, 0.6), (0.0, -3.0, 4.0))
SHAPES = {"t": 2, "z": 3, "y": 4, "x": 5, "c": 3}


def file_of(volume: Volume) -> bytes:
    return b"".join(bytes(part) for part in nifti_gz(volume))


def read(volume: Volume) -> nibabel.Nifti1Image:
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(file_of(volume)))
    assert isinstance(image, nibabel.Nifti1Image)
    return image


def samples(dtype: str, shape: tuple[int, ...]) -> Voxels:
    random = np.random.default_rng(1)
    if np.dtype(dtype).kind == "f":
        return random.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max, shape, np.dtype(dtype), endpoint=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back_exactly(dtype: str) -> None:
    volume = Volume(samples(dtype, (3, 4, 5)), "zyx", OBLIQUE)
    image = read(volume)
    assert image.get_data_dtype() == np.dtype(dtype)
    assert np.array_equal(np.asarray(image.dataobj), volume.voxels.T)


@pytest.mark.parametrize("axes", ["x", "yx", "zyx", "tx", "tyx", "tzyx"])
def test_every_order_of_axes_comes_back_as_x_y_z_t(axes: str) -> None:
    volume = Volume(samples("int16", tuple(SHAPES[axis] for axis in axes)), axes, OBLIQUE)
    planes = to_planes(volume.voxels, axes)  # (t, z, y, x)
    found = np.asarray(read(volume).dataobj)
    assert np.array_equal(found.reshape(found.shape + (1,) * (4 - found.ndim)), planes.T)


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_a_byte_are_nifti_colours(channels: int) -> None:
    volume = Volume(samples("uint8", (4, 5, channels)), "yxc", OBLIQUE)
    found = np.asarray(read(volume).dataobj)
    values = np.stack([found[name] for name in "RGBA"[:channels]], axis=-1)[:, :, 0]  # (x, y, c)
    assert np.array_equal(values, volume.voxels.transpose(1, 0, 2))


def test_other_channels_are_vectors() -> None:
    volume = Volume(samples("int16", (2, 3, 4, 5, 3)), "tzyxc", OBLIQUE)
    image = read(volume)
    assert image.header.get_intent()[0] == "vector"
    assert np.array_equal(np.asarray(image.dataobj), volume.voxels.transpose(3, 2, 1, 0, 4))  # (x, y, z, t, c)


@pytest.mark.parametrize("geometry", [OBLIQUE, geometry_from_spacing((5.0, 0.7, 0.6)), geometry_of_indices()])
def test_the_affine_is_exact_in_float32(geometry: Geometry) -> None:
    image = read(Volume(samples("int16", (3, 4, 5)), "zyx", geometry))
    assert np.array_equal(image.affine, nifti_affine(geometry).astype(np.float32))


def test_only_a_position_in_the_patient_is_called_one() -> None:
    voxels = samples("int16", (3, 4, 5))
    codes = {
        g.space: int(read(Volume(voxels, "zyx", g)).header["sform_code"]) for g in (OBLIQUE, geometry_of_indices())
    }
    assert codes == {Space.PATIENT: 1, Space.INDEX: 2}


def test_the_voxel_size_and_its_unit_are_told() -> None:
    header = read(Volume(samples("int16", (3, 4, 5)), "zyx", geometry_from_spacing((5.0, 0.7, 0.6)))).header
    assert np.allclose(header.get_zooms(), (0.6, 0.7, 5.0))
    assert header.get_xyzt_units()[0] == "mm"


def test_the_rescale_is_the_scaling() -> None:
    volume = Volume(samples("int16", (3, 4, 5)), "zyx", OBLIQUE, Rescale(0.5, -1024.0, "HU"))
    assert np.array_equal(read(volume).get_fdata(), volume.values().T)


def test_the_same_volume_gives_the_same_bytes_with_no_time_in_them() -> None:
    volume = Volume(samples("int16", (3, 4, 5)), "zyx", OBLIQUE)
    assert file_of(volume) == file_of(volume)
    assert file_of(volume)[4:8] == b"\0\0\0\0"


def test_nibabel_finds_nothing_to_repair() -> None:
    head = gzip.decompress(file_of(Volume(samples("int16", (3, 4, 5)), "zyx", OBLIQUE)))[:348]
    assert nibabel.Nifti1Header.diagnose_binaryblock(head) == ""


@pytest.mark.parametrize(
    ("shape", "rescale"),
    [
        ((1, 4, 40_000), Rescale()),
        ((3, 4, 5), Rescale(1e300)),
        ((3, 4, 5), Rescale(1e-300)),
        ((3, 4, 5), Rescale(1, 1e39)),
    ],
)
def test_what_nifti_cannot_hold_is_refused(shape: tuple[int, ...], rescale: Rescale) -> None:
    with pytest.raises(InvalidRequest, match="ask for npy"):
        check_nifti("zyx", shape, rescale, OBLIQUE)
