from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian

from mist.errors import SourceRefused
from mist.ingest import source
from mist.ingest.discover import discover
from mist.ingest.keep import keep_files
from mist.ingest.load import load_scan
from mist.ingest.source import SourceFile, hold_files, read_files
from mist.kept_wrapping import Wrapping
from tests.dicom_objects import image, noise, save
from tests.source_files import only_kept


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


def test_zipped_nifti_with_padding_after_its_end_is_kept_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    nib.Nifti1Image(noise(5, 6, 7, dtype="int16"), np.eye(4)).to_filename(path)
    path.write_bytes(path.read_bytes() + b"\0" * 5)
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
