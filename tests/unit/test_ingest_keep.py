from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
import tifffile
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from mist.errors import SourceRefused
from mist.ingest import source
from mist.ingest.discover import discover
from mist.ingest.keep import keep_files
from mist.ingest.load import load_scan
from mist.ingest.source import SourceFile, hold_files, read_files
from mist.kept_wrapping import Wrapping
from tests.source_files import KeptAndBack, drop_what_compression_says, kept_and_back, only_kept

UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)


def noise(*shape: int, dtype: str = "uint16", top: int = 4096) -> npt.NDArray[Any]:
    return np.random.default_rng(0).integers(0, top, shape).astype(dtype)


def image(pixels: npt.NDArray[Any], *, frames: int = 1, **attributes: object) -> Dataset:
    """An object with the given pixels, ([frames,] rows, columns[, colours])."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CTImageStorage, "1.2.3.4", "OT"
    colours = pixels.shape[-1] if pixels.ndim - (frames > 1) == 3 else 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = colours, "RGB" if colours == 3 else "MONOCHROME2"
    if colours == 3:
        dataset.PlanarConfiguration = 0
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.Rows, dataset.Columns = pixels.shape[frames > 1 :][:2]
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, int(pixels.dtype.kind == "i")
    data = pixels.tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def save(dataset: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path


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


@pytest.mark.parametrize("dtype", ["uint8", ">i2", "<f4", "<f8"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_nifti_comes_back_byte_for_byte(tmp_path: Path, dtype: str, kind: type[nib.Nifti1Image]) -> None:
    header = kind.header_class(endianness=">" if dtype.startswith(">") else "<")
    header.set_data_dtype(np.dtype(dtype))
    kind(noise(5, 6, 7, 2).astype(dtype), np.eye(4), header).to_filename(tmp_path / "a.nii")
    found = only_kept(tmp_path / "a.nii")
    assert found.is_exact
    assert found.has_voxels


def test_zipped_nifti_comes_back_with_the_same_content(tmp_path: Path) -> None:
    nib.Nifti1Image(noise(5, 6, 7, dtype="int16"), np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    found = only_kept(tmp_path / "a.nii.gz")
    assert found.has_voxels
    assert gzip.decompress(found.back) == gzip.decompress((tmp_path / "a.nii.gz").read_bytes())


@pytest.mark.parametrize("ending", [b"\0" * 5, b"what is this"])
def test_zipped_nifti_with_bytes_after_its_end_is_kept_as_it_is(tmp_path: Path, ending: bytes) -> None:
    path = tmp_path / "a.nii.gz"
    nib.Nifti1Image(noise(5, 6, 7, dtype="int16"), np.eye(4)).to_filename(path)
    path.write_bytes(path.read_bytes() + ending)
    assert only_kept(path).is_exact


@pytest.mark.parametrize("shape", [(30, 41), (30, 41, 2), (30, 41, 3), (30, 41, 4)])
def test_a_picture_comes_back_with_the_same_pixels_and_chunks(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.add.outer(np.arange(30), np.arange(41)).astype(np.uint8)  # smooth: all filters occur
    pixels = np.broadcast_to(pixels.reshape(30, 41, *[1] * (len(shape) - 2)), shape).copy()
    Image.fromarray(pixels).save(tmp_path / "a.png", dpi=(300, 300))
    found = only_kept(tmp_path / "a.png")
    with Image.open(io.BytesIO(found.back)) as back:
        np.testing.assert_array_equal(np.asarray(back), pixels)
    assert found.has_voxels
    assert chunks(found.back) == chunks((tmp_path / "a.png").read_bytes())


def chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a PNG file by type, image data inflated."""
    found: dict[bytes, bytes] = {}
    at = 8
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + content).to_bytes(4, "big") == data[at + 8 + length : at + 12 + length]
        found[kind] = found.get(kind, b"") + content
        at += 12 + length
    return found | {b"IDAT": zlib.decompress(found[b"IDAT"])}


def test_a_picture_of_16_bits_comes_back(tmp_path: Path) -> None:
    Image.fromarray(noise(20, 30, top=65536)).save(tmp_path / "a.png")
    found = only_kept(tmp_path / "a.png")
    assert found.file.wrapping is Wrapping.PNG
    assert chunks(found.back) == chunks((tmp_path / "a.png").read_bytes())


@pytest.mark.parametrize("mode", ["1", "P"])
def test_a_picture_whose_voxels_are_not_its_samples_is_kept_as_it_is(tmp_path: Path, mode: str) -> None:
    Image.fromarray(noise(20, 30, dtype="uint8", top=256)).convert(mode).save(tmp_path / "a.png")
    assert only_kept(tmp_path / "a.png").is_exact


def test_jpeg_is_kept_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(noise(20, 30, dtype="uint8", top=256)).save(tmp_path / "a.jpg")
    assert only_kept(tmp_path / "a.jpg").is_exact


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("shape", [(20, 30), (3, 20, 30)])
def test_tiff_comes_back_byte_for_byte(tmp_path: Path, order: str, shape: tuple[int, ...]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(*shape), byteorder=order, photometric="minisblack")  # type: ignore[arg-type]
    found = only_kept(tmp_path / "a.tif")
    assert found.is_exact
    assert found.has_voxels


@pytest.mark.parametrize("options", [{"compression": "zlib"}, {"tile": (16, 16)}])
def test_compressed_and_tiled_tiff_is_kept_as_it_is(tmp_path: Path, options: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(32, 32), **options)
    found = only_kept(tmp_path / "a.tif")
    assert found.is_exact
    assert not found.file.spans


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int64", "float16", "float32", "bool"])
def test_arrays_come_back_byte_for_byte(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "a.npy", noise(4, 20, 30, top=200).astype(dtype))
    found = only_kept(tmp_path / "a.npy")
    assert found.is_exact
    assert found.has_voxels


def test_an_array_in_the_order_of_fortran_comes_back(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(noise(4, 20, 30)))
    assert only_kept(tmp_path / "a.npy").is_exact


def test_a_file_that_changed_since_it_was_read_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise(20, 30))
    (task,) = discover([tmp_path]).tasks
    with pytest.raises(SourceRefused, match=r"a\.npy was changed while it was read"):
        keep_files(task, [SourceFile("a.npy", 5, "0" * 64)], load_scan(task).decoded)


@pytest.mark.parametrize("name", ["a.png", "a.dcm"])
def test_a_file_that_is_held_is_never_read_again(tmp_path: Path, name: str) -> None:
    pixels = noise(20, 30, dtype="uint8", top=256)
    if name == "a.dcm":
        save(image(pixels), tmp_path / name)
    else:
        Image.fromarray(pixels).save(tmp_path / name)
    (task,) = discover([tmp_path]).tasks
    expected = keep_files(task, read_files(task.paths), load_scan(task).decoded)
    files, held = hold_files(task.paths)
    task.paths[0].unlink()
    found = load_scan(task, files, held=held).decoded
    assert np.array_equal(found.volume.voxels, pixels)
    assert keep_files(task, files, found, held) == expected


def test_what_was_unwrapped_of_a_picture_that_was_replaced_meanwhile_is_not_believed(tmp_path: Path) -> None:
    pixels = noise(20, 30, dtype="uint8", top=256)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (task,) = discover([tmp_path]).tasks
    before = load_scan(task).decoded
    Image.fromarray(pixels[::-1]).save(tmp_path / "a.png")
    found = keep_files(task, read_files(task.paths), before)
    assert found.files[0].wrapping is Wrapping.NONE
    assert found.kept == (tmp_path / "a.png").read_bytes()


def test_a_deflated_file_that_is_held_is_kept_inflated(tmp_path: Path) -> None:
    save(image(noise(20, 30)), tmp_path / "a.dcm", DeflatedExplicitVRLittleEndian)
    (task,) = discover([tmp_path]).tasks
    files, held = hold_files(task.paths)
    (kept,) = keep_files(task, files, load_scan(task, files, held=held).decoded, held).files
    assert kept.wrapping is Wrapping.DEFLATED_DICOM


def test_files_that_are_too_large_to_be_held_are_only_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / "a.bin", tmp_path / "b.bin"]
    for path in paths:
        path.write_bytes(path.name.encode() * 100)
    files, held = hold_files(paths)
    assert (files, held) == (read_files(paths), {path: path.read_bytes() for path in paths})
    monkeypatch.setattr(source, "HELD_BYTES", 999)
    assert hold_files(paths) == (files, {})
