"""DICOM files one by one: what is read of them, and why others are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
)

from mist.errors import SourceRefused
from mist.ingest.discover import discover
from tests.dicom_sources import (
    SERIES,
    image,
    multiframe,
    only_refusal,
    only_scan,
    placed,
    save,
    slabs,
)


@pytest.mark.parametrize(
    ("name", "axes", "dtype"),
    [
        ("CT_small.dcm", "yx", "int16"),
        ("MR_small_bigendian.dcm", "yx", "int16"),
        ("MR_small_RLE.dcm", "yx", "int16"),
        ("MR_small_jp2klossless.dcm", "yx", "int16"),
        ("MR_small_jpeg_ls_lossless.dcm", "yx", "int16"),
        ("SC_rgb_jpeg_dcmtk.dcm", "yxc", "uint8"),
        ("SC_rgb_rle_16bit_2frame.dcm", "tyxc", "uint16"),
        ("SC_rgb_rle_32bit.dcm", "yxc", "uint32"),
        ("examples_ybr_color.dcm", "tyxc", "uint8"),
        ("image_dfl.dcm", "yx", "uint8"),
        ("liver_1frame.dcm", "yx", "uint8"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_voxels_are_those_of_pydicom(name: str, axes: str, dtype: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)

    volume = only_scan(Path(path))[1].volume

    assert (volume.axes, volume.voxels.dtype.name) == (axes, dtype)
    np.testing.assert_array_equal(volume.voxels, pydicom.dcmread(path).pixel_array)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rtplan.dcm", "rtplan.dcm: there are no pixels in it: it is RT Plan Storage"),
        ("reportsi.dcm", "it is Basic Text SR Storage"),
        ("rtstruct.dcm", "it is RT Structure Set Storage"),
        ("badVR.dcm", "NumberOfFrames is '1A'"),
        ("nested_priv_SQ.dcm", "it does not say what it is"),
    ],
)
def test_objects_without_an_image_are_refused_by_what_they_are(name: str, reason: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)

    assert reason in only_refusal(Path(path)).reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MR_truncated.dcm", r"MR_truncated.dcm: its pixels cannot be decoded \(Explicit VR Little Endian\): .*8130"),
        (
            "JPEG2000-embedded-sequence-delimiter.dcm",
            "compressed stream 1024 x 3722445056; the file is damaged",
        ),
    ],
)
def test_pixels_that_cannot_be_decoded_are_refused_in_one_line(name: str, reason: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)

    with pytest.raises(SourceRefused, match=reason) as refusal:
        only_scan(Path(path))
    assert "\n" not in str(refusal.value)


def test_a_dataset_without_file_meta_is_read_by_what_it_is(tmp_path: Path) -> None:
    path = save(placed(slabs(1)[0], 3, 0.0), tmp_path / "whole.dcm")
    dataset = pydicom.dcmread(path)
    del dataset.file_meta
    dataset.save_as(tmp_path / "bare.dcm", implicit_vr=False, little_endian=True, enforce_file_format=False)
    path.unlink()

    np.testing.assert_array_equal(only_scan(tmp_path)[1].volume.voxels, slabs(1)[0])


def test_a_directory_of_dicom_files_is_skipped() -> None:
    path = get_testdata_file("DICOMDIR", download=False)
    assert isinstance(path, str)

    assert discover([path]).skipped == (Path(path),)


def deflated(tmp_path: Path, zeros: int) -> Path:
    """A deflated file, with many zeros behind its pixels."""
    path = save(placed(slabs(1)[0], 3, 0.0), tmp_path / "plain.dcm")
    dataset = pydicom.dcmread(path)
    dataset.DataSetTrailingPadding = bytes(zeros)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "deflated.dcm")
    path.unlink()
    return tmp_path


def test_a_deflated_file_is_read(tmp_path: Path) -> None:
    scan_id, decoded = only_scan(deflated(tmp_path, 100))

    assert scan_id == f"{SERIES}.4"
    np.testing.assert_array_equal(decoded.volume.voxels, slabs(1)[0])


def test_a_deflated_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mist.ingest.dicom_dataset.MOST_INFLATED", 1 << 20)

    with pytest.raises(SourceRefused, match="unpacks to more than 1 MiB; save it without deflating"):
        only_scan(deflated(tmp_path, 1 << 25))


def test_a_file_in_gzip_says_what_to_do(tmp_path: Path) -> None:
    save(image(slabs(1)[0]), tmp_path / "a.dcm")
    (tmp_path / "b.gz").write_bytes(gzip.compress((tmp_path / "a.dcm").read_bytes()))

    assert "taken for NIfTI only; unpack it first" in discover([tmp_path]).refusals[0].reason


@pytest.mark.parametrize("lies", ["in the unused bits", "beside"])
def test_padding_values_and_overlays_leave_the_stored_values_alone(tmp_path: Path, lies: str) -> None:
    voxels = slabs(1, "<u2")[0] & 0xFFF
    dataset = image(voxels, PixelPaddingValue=3, BitsStored=12, HighBit=11)
    if lies == "in the unused bits":  # as overlays were stored before 2004 (PS3.5 8.1.1)
        dataset.PixelData = (voxels | 0x1000).tobytes()
    else:
        dataset.add_new((0x6000, 0x3000), "OW", b"\xff\xff\xff\0")
    save(dataset, tmp_path / "overlay.dcm")

    np.testing.assert_array_equal(only_scan(tmp_path)[1].volume.voxels, voxels)


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_float_pixels_are_taken_as_they_are(tmp_path: Path, keyword: str) -> None:
    voxels = np.linspace(-1, 1, 24).reshape(4, 6).astype("<f4" if keyword == "FloatPixelData" else "<f8")
    dataset = image(voxels, **{keyword: voxels.tobytes()})
    for absent in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        del dataset[absent]
    save(dataset, tmp_path / "float.dcm")

    np.testing.assert_array_equal(only_scan(tmp_path)[1].volume.voxels, voxels)


def test_tiles_of_a_whole_slide_image_are_refused_with_a_remedy(tmp_path: Path) -> None:
    save(multiframe(4, TotalPixelMatrixColumns=12, TotalPixelMatrixRows=8), tmp_path / "slide.dcm")

    with pytest.raises(SourceRefused, match=r"its 4 frames are tiles of a whole-slide image.*convert"):
        only_scan(tmp_path)
