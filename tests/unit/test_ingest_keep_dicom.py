"""DICOM objects: what is kept of them, and what comes back."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from mist.kept_wrapping import Wrapping
from tests.dicom_objects import image, noise, save
from tests.source_files import KeptAndBack, drop_what_compression_says, kept_and_back, only_kept

UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)


def assert_same_but_uncompressed(found: KeptAndBack, path: Path) -> None:
    """What came back is an uncompressed file with the pixels and all other elements of the one at `path`."""
    ours, theirs = pydicom.dcmread(io.BytesIO(found.back)), pydicom.dcmread(path)
    assert found.file.wrapping is Wrapping.DECAPSULATED_DICOM
    assert ours.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    np.testing.assert_array_equal(ours.pixel_array, theirs.pixel_array)
    for meta in (ours.file_meta, theirs.file_meta):
        del meta.TransferSyntaxUID, meta[0x00020000]
    assert ours.file_meta == theirs.file_meta
    for dataset in (ours, theirs):
        drop_what_compression_says(dataset)
    assert ours == theirs


@pytest.mark.parametrize("syntax", UNCOMPRESSED)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_an_uncompressed_object_comes_back_from_its_voxels_and_header(tmp_path: Path, syntax: str, dtype: str) -> None:
    pixels = noise(21, 34, dtype=dtype, top=200)
    if syntax == ExplicitVRBigEndian:
        pixels = pixels.astype(pixels.dtype.newbyteorder(">"))
    found = only_kept(save(image(pixels), tmp_path / "a.dcm", syntax))
    assert found.is_exact
    assert found.has_voxels
    assert len(found.kept) < 700


def test_frames_come_back(tmp_path: Path) -> None:
    found = only_kept(save(image(noise(5, 8, 9), frames=5), tmp_path / "a.dcm"))
    assert (found.is_exact, found.file.spans[0].count) == (True, 5)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("frames", [1, 3])
def test_colours_come_back_side_by_side_and_one_after_the_other(tmp_path: Path, planar: int, frames: int) -> None:
    pixels = noise(*([frames] if frames > 1 else []), 7, 9, 3, dtype="uint8", top=256)
    dataset = image(pixels, frames=frames, PlanarConfiguration=planar)
    if planar:
        data = np.moveaxis(pixels, -1, -3).tobytes()
        dataset.PixelData = data + bytes(len(data) % 2)
    found = only_kept(save(dataset, tmp_path / "a.dcm"))
    assert found.is_exact
    assert found.has_voxels


def test_an_overlay_in_unused_bits_comes_back(tmp_path: Path) -> None:
    pixels = noise(32, 32) | (noise(32, 32, top=2) << 15)
    found = only_kept(save(image(pixels, BitsStored=12, HighBit=11), tmp_path / "a.dcm"))
    assert found.is_exact


def test_what_follows_the_pixels_comes_back(tmp_path: Path) -> None:
    path = save(image(noise(8, 8)), tmp_path / "a.dcm")
    with path.open("ab") as file:
        file.write(b"\xfc\xff\xfc\xffOB\0\0" + (300).to_bytes(4, "little") + bytes(300))
    found = only_kept(path)
    assert found.is_exact
    assert found.has_voxels


def test_pixel_data_with_more_bytes_than_pixels_comes_back(tmp_path: Path) -> None:
    dataset = image(noise(8, 8))
    dataset.PixelData += b"more than there should be"[:24]
    assert only_kept(save(dataset, tmp_path / "a.dcm")).is_exact


def test_colours_that_were_converted_are_kept_as_they_were(tmp_path: Path) -> None:
    dataset = image(noise(16, 16, 3, dtype="uint8", top=256), PhotometricInterpretation="YBR_FULL")
    found = only_kept(save(dataset, tmp_path / "a.dcm"))
    assert found.is_exact
    assert not found.file.spans


def test_an_object_without_file_meta_comes_back(tmp_path: Path) -> None:
    image(noise(8, 8)).save_as(tmp_path / "a.dcm", implicit_vr=True, little_endian=True)
    found = only_kept(tmp_path / "a.dcm")
    assert found.is_exact
    assert found.has_voxels


def test_a_deflated_object_comes_back_with_the_same_dataset(tmp_path: Path) -> None:
    path = save(image(noise(16, 16)), tmp_path / "a.dcm", DeflatedExplicitVRLittleEndian)
    found = only_kept(path)
    assert found.file.wrapping is Wrapping.DEFLATED_DICOM
    assert found.has_voxels
    assert pydicom.dcmread(io.BytesIO(found.back)) == pydicom.dcmread(path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("shape", [(48, 67), (48, 67, 3)])
def test_compressed_pixels_come_back_uncompressed_with_the_whole_header(
    tmp_path: Path, syntax: str, shape: tuple[int, ...]
) -> None:
    path = save(image(noise(*shape, dtype="uint8", top=256)), tmp_path / "a.dcm")
    dataset = pydicom.dcmread(path)
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(path)
    found = only_kept(path)
    assert_same_but_uncompressed(found, path)
    assert found.has_voxels


def test_compressed_indices_of_a_palette_come_back_byte_for_byte(tmp_path: Path) -> None:
    palette: dict[str, object] = {}
    for name in ("Red", "Green", "Blue"):
        palette[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        palette[f"{name}PaletteColorLookupTableData"] = noise(256, dtype="uint8", top=256).tobytes()
    indices = image(noise(48, 66, dtype="uint8", top=256))
    indices.PhotometricInterpretation = "PALETTE COLOR"
    for keyword, value in palette.items():
        setattr(indices, keyword, value)
    path = save(indices, tmp_path / "a.dcm")
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path)
    found = only_kept(path)
    assert (found.file.wrapping, found.back) == (Wrapping.NONE, path.read_bytes())


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # rtdose_rle.dcm has a UID with a leading zero
@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "JPEG2000.dcm",
        "examples_jpeg2k.dcm",
        "JPEGLSNearLossless_16.dcm",
        "SC_rgb_rle_16bit_2frame.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "SC_rgb_dcmtk_+eb+cy+np.dcm",
        "SC_rgb_small_odd_jpeg.dcm",
        "rtdose_rle.dcm",
    ],
)
def test_pydicoms_compressed_files_come_back_uncompressed(name: str) -> None:
    path = Path(str(get_testdata_file(name)))
    assert_same_but_uncompressed(only_kept(path), path)


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_padded.dcm",
        "examples_overlay.dcm",
        "examples_palette.dcm",
        "examples_rgb_color.dcm",
        "SC_rgb_small_odd.dcm",
        "SC_rgb_small_odd_big_endian.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
        "liver_1frame.dcm",
        "rtdose_expb.dcm",
    ],
)
def test_pydicoms_uncompressed_files_come_back_byte_for_byte(name: str) -> None:
    found = only_kept(Path(str(get_testdata_file(name))))
    assert found.is_exact


def test_each_file_of_a_series_comes_back_whatever_the_order_of_slices(tmp_path: Path) -> None:
    for number, height in enumerate([30, 10, 0, 20]):
        dataset = image(noise(12, 13) + number, PixelSpacing=[1, 1], SeriesInstanceUID="1.2.3")
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, height], [1, 0, 0, 0, 1, 0]
        dataset.Modality, dataset.SOPInstanceUID = "CT", f"1.2.3.{number}"
        save(dataset, tmp_path / f"{number}.dcm")
    found = kept_and_back(tmp_path)
    assert [each.file.name for each in found] == ["2.dcm", "1.dcm", "3.dcm", "0.dcm"]
    assert all(each.is_exact and each.has_voxels for each in found)
    assert [each.back for each in found] == [(tmp_path / each.file.name).read_bytes() for each in found]
