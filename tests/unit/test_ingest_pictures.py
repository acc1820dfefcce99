from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from mist.errors import SourceRefused
from mist.geometry import Space
from mist.ingest.arrays import read_array
from mist.ingest.pictures import read_picture
from mist.ingest.source import DecodedSource
from mist.ingest.tiff import read_tiff


def counted(*shape: int, dtype: str = "uint8") -> npt.NDArray[Any]:
    return (np.arange(np.prod(shape)) * 37).reshape(shape).astype(dtype)


def image_of(path: Path, *, is_mask: bool = False) -> DecodedSource:
    return read_tiff(path, is_mask=is_mask) if path.suffix == ".tif" else read_picture(path, is_mask=is_mask)


@pytest.mark.parametrize(
    ("samples", "axes"),
    [
        (counted(5, 7), "yx"),
        (counted(5, 7, dtype="uint16"), "yx"),
        (counted(5, 7, 3), "yxc"),
        (counted(5, 7, 4), "yxc"),
        (counted(5, 7, 3, dtype="uint16"), "yxc"),
        (counted(5, 7, 4, dtype="uint16"), "yxc"),
    ],
)
def test_png_samples_keep_their_depth_and_channels(tmp_path: Path, samples: npt.NDArray[Any], axes: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(samples))

    volume = read_picture(path, is_mask=False).volume

    assert (volume.axes, volume.geometry.space) == (axes, Space.INDEX)
    assert volume.voxels.dtype == samples.dtype
    np.testing.assert_array_equal(volume.voxels, samples)


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_stays_what_it_is_in_the_file(tmp_path: Path, bits: int) -> None:
    samples = (np.arange(5 * 8, dtype=np.uint8) % (1 << bits)).reshape(5, 8)
    packed = np.packbits(np.unpackbits(samples[..., None], axis=-1)[..., -bits:].reshape(5, -1), axis=-1)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 8, 5, bits, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    )

    for is_mask in (False, True):
        np.testing.assert_array_equal(read_picture(tmp_path / "a.png", is_mask=is_mask).volume.voxels, samples)


def test_one_bit_becomes_zero_and_one(tmp_path: Path) -> None:
    bits = counted(5, 7) % 2
    Image.fromarray(bits.astype(bool)).save(tmp_path / "a.png")

    voxels = read_picture(tmp_path / "a.png", is_mask=False).volume.voxels

    assert voxels.dtype == np.uint8
    np.testing.assert_array_equal(voxels, bits)


def test_a_palette_is_colours_in_an_image_and_labels_in_a_mask(tmp_path: Path) -> None:
    indices = counted(5, 7) % 3
    picture = Image.frombytes("P", (7, 5), indices.tobytes())
    palette = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    picture.putpalette(palette.tobytes())
    picture.save(tmp_path / "a.png")

    np.testing.assert_array_equal(read_picture(tmp_path / "a.png", is_mask=False).volume.voxels, palette[indices])
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png", is_mask=True).volume.voxels, indices)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_samples_are_those_of_pillow(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(counted(16, 24, 3)).convert(mode).save(path)

    with Image.open(path) as picture:
        np.testing.assert_array_equal(read_picture(path, is_mask=False).volume.voxels, np.asarray(picture))


def test_exif_orientation_does_not_turn_the_samples(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(counted(16, 24)).save(tmp_path / "a.jpg", exif=exif)

    assert read_picture(tmp_path / "a.jpg", is_mask=False).volume.voxels.shape == (16, 24)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
def test_tiff_samples_keep_their_type(tmp_path: Path, dtype: str) -> None:
    samples = counted(5, 7, dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", samples, byteorder=">")

    voxels = image_of(tmp_path / "a.tif").volume.voxels

    assert voxels.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(voxels, samples)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_colours_are_the_last_axis(tmp_path: Path, planar: str) -> None:
    samples = counted(5, 7, 3)
    stored = samples if planar == "contig" else np.moveaxis(samples, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)

    volume = image_of(tmp_path / "a.tif").volume

    assert volume.axes == "yxc"
    np.testing.assert_array_equal(volume.voxels, samples)


def test_white_is_zero_in_a_tiff_is_shown_inverted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", counted(5, 7), photometric="miniswhite")

    assert image_of(tmp_path / "a.tif").display.inverted


def test_pages_that_agree_are_frames(tmp_path: Path) -> None:
    pages = counted(3, 5, 7, dtype="uint16")
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")

    volume = image_of(tmp_path / "a.tif").volume

    assert volume.axes == "tyx"
    np.testing.assert_array_equal(volume.voxels, pages)


def test_pages_that_differ_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(counted(5, 7))
        tiff.write(counted(5, 8))

    with pytest.raises(SourceRefused, match="2 pages differ in size"):
        image_of(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_other_colour_spaces_are_refused(tmp_path: Path, name: str) -> None:
    Image.fromarray(counted(5, 7, 4), mode="CMYK").save(tmp_path / name)

    with pytest.raises(SourceRefused, match="convert it to grey or RGB"):
        image_of(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_picture_meant_to_exhaust_memory_is_not_decoded(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(counted(50, 70)).save(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)

    with pytest.raises((SourceRefused, Image.DecompressionBombWarning, Image.DecompressionBombError)):
        image_of(tmp_path / name)


@pytest.mark.parametrize(
    ("array", "axes", "dtype"),
    [
        (counted(5, 7, dtype="uint16"), "yx", "uint16"),
        (counted(3, 5, 7, dtype=">i4"), "zyx", "int32"),
        (counted(5, 7) > 100, "yx", "uint8"),
        (counted(5, 7, dtype="float16"), "yx", "float32"),
        (np.asfortranarray(counted(5, 7)), "yx", "uint8"),
    ],
)
def test_numpy_arrays_are_images_and_volumes(tmp_path: Path, array: npt.NDArray[Any], axes: str, dtype: str) -> None:
    np.save(tmp_path / "a.npy", array)

    volume = read_array(tmp_path / "a.npy").volume

    assert (volume.axes, volume.voxels.dtype.name) == (axes, dtype)
    np.testing.assert_array_equal(volume.voxels, array)


def test_a_numpy_array_of_other_axes_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", counted(5))

    with pytest.raises(SourceRefused, match=r"an array of shape \(5,\)"):
        read_array(tmp_path / "a.npy")


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[{}]], dtype=object), allow_pickle=True)

    with pytest.raises(ValueError, match="Python objects"):
        read_array(tmp_path / "a.npy")


def with_chunk(data: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG file with a further chunk behind its header."""
    return (
        data[:33]
        + struct.pack(">I4s", len(content), kind)
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        + data[33:]
    )


def test_a_clear_colour_is_no_channel_of_sixteen_bits_either(tmp_path: Path) -> None:
    samples = np.arange(8 * 8 * 3, dtype=np.uint16).reshape(8, 8, 3) * 300
    path = tmp_path / "a.png"
    path.write_bytes(with_chunk(bytes(imagecodecs.png_encode(samples)), b"tRNS", bytes(6)))

    np.testing.assert_array_equal(read_picture(path, is_mask=False).volume.voxels, samples)


def test_an_index_beyond_the_palette_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    grey = bytearray(imagecodecs.png_encode(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    grey[25] = 3
    grey[29:33] = struct.pack(">I", zlib.crc32(grey[12:29]))
    path.write_bytes(with_chunk(bytes(grey), b"PLTE", bytes(3 * 64)))
    assert read_picture(path, is_mask=False).volume.axes == "yxc"
    path.write_bytes(with_chunk(bytes(grey), b"PLTE", bytes(3 * 63)))

    with pytest.raises(SourceRefused, match="its palette has 63 colours, and a pixel the index 63"):
        read_picture(path, is_mask=False)
    assert read_picture(path, is_mask=True).volume.voxels.max() == 63
