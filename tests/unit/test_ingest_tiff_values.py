from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from mist.errors import SourceRefused
from mist.ingest.deidentify.pictures import clean_tiff
from mist.ingest.tiff import read_tiff
from mist.volume import Rescale

SLICES = np.arange(3 * 6 * 7, dtype=np.uint16).reshape(3, 6, 7)


def calibrated(path: Path, **said: object) -> Path:
    """A stack that ImageJ has stored with what is said of its values."""
    tifffile.imwrite(path, SLICES, imagej=True, metadata={"axes": "ZYX", **said})
    return path


def integers(path: Path, bits: int, *, is_signed: bool) -> Path:
    """A picture of 8 x 8 packed integers, which no library writes."""
    data = bytes(8 * bits)
    kind = 2 if is_signed else 1
    tags = {256: 8, 257: 8, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: len(data), 339: kind}
    entries = b"".join(struct.pack("<HHLL", tag, 4, 1, value) for tag, value in tags.items())
    path.write_bytes(
        b"II*\0" + struct.pack("<L", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)
    )
    return path


def test_a_line_by_which_imagej_has_calibrated_values_is_the_rescale(tmp_path: Path) -> None:
    path = calibrated(tmp_path / "a.tif", cf=0, c0=-32768.0, c1=1.0, vunit="Gray Value")

    volume = read_tiff(path, is_mask=False).volume

    assert volume.rescale == Rescale(1.0, -32768.0)
    np.testing.assert_array_equal(volume.voxels, SLICES)


def test_a_calibration_keeps_its_unit(tmp_path: Path) -> None:
    path = calibrated(tmp_path / "a.tif", cf=0, c0=-1024.0, c1=0.5, vunit="HU")

    assert read_tiff(path, is_mask=False).volume.rescale == Rescale(0.5, -1024.0, "HU")


@pytest.mark.parametrize("said", [{}, {"cf": 20}, {"cf": 21, "vunit": "OD"}])
def test_values_without_calibration_are_the_samples(tmp_path: Path, said: dict[str, object]) -> None:
    assert read_tiff(calibrated(tmp_path / "a.tif", **said), is_mask=False).volume.rescale == Rescale()


@pytest.mark.parametrize(
    "said", [{"cf": 3, "c0": 1.0, "c1": 2.0, "c2": 1.0}, {"cf": 0, "c0": 1.0}, {"cf": 0, "c0": 1.0, "c1": 0.0}]
)
def test_a_calibration_that_is_no_line_is_refused(tmp_path: Path, said: dict[str, object]) -> None:
    with pytest.raises(SourceRefused, match=r"ImageJ has calibrated its values by a function .* that is no line"):
        read_tiff(calibrated(tmp_path / "a.tif", **said), is_mask=False)


def test_de_identification_refuses_to_lose_a_calibration(tmp_path: Path) -> None:
    path = calibrated(tmp_path / "a.tif", cf=0, c0=-32768.0, c1=1.0)

    with pytest.raises(SourceRefused, match="calibrated its values, which a clean file cannot say"):
        clean_tiff(path.read_bytes())


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate"])
def test_colours_that_would_stay_ycbcr_are_refused(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.tif"
    Image.new("RGB", (8, 8), (250, 10, 60)).convert("YCbCr").save(path, compression=compression)

    for read in (lambda: read_tiff(path, is_mask=False), lambda: clean_tiff(path.read_bytes())):
        with pytest.raises(SourceRefused, match="colours are YCbCr, which is taken in JPEG compression only"):
            read()


@pytest.mark.parametrize(("bits", "is_signed"), [(24, False), (24, True), (12, True)])
def test_integers_packed_in_a_way_that_nobody_agrees_on_are_refused(
    tmp_path: Path, bits: int, *, is_signed: bool
) -> None:
    with pytest.raises(SourceRefused, match=f"signed integers of {bits} bits"):
        read_tiff(integers(tmp_path / "a.tif", bits, is_signed=is_signed), is_mask=False)


def test_unsigned_integers_of_twelve_bits_are_read(tmp_path: Path) -> None:
    assert read_tiff(integers(tmp_path / "a.tif", 12, is_signed=False), is_mask=False).volume.voxels.dtype == np.uint16


def test_de_identification_refuses_a_file_that_leaves_strips_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, SLICES[0], rowsperstrip=3, metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        page = tiff.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        page.tags["StripByteCounts"].overwrite((page.databytecounts[0], 0))

    with pytest.raises(SourceRefused, match="of its 2 strips or tiles 1 have no data"):
        clean_tiff(path.read_bytes())
