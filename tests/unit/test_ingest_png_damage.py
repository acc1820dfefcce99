from __future__ import annotations

import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from mist.errors import SourceRefused
from mist.ingest.pictures import read_picture
from mist.png_rows import HEADER_CONTENT, image_data_bytes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PALETTE = bytes(range(256)) * 3

FORMS = [
    (0, 1),
    (0, 2),
    (0, 4),
    (0, 8),
    (0, 16),
    (2, 8),
    (2, 16),
    (3, 1),
    (3, 4),
    (3, 8),
    (4, 8),
    (4, 16),
    (6, 8),
    (6, 16),
]
"""Colour types and bit depths (PNG 11.2.1)."""


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(width: int, height: int, colour: int, depth: int, *, interlaced: bool) -> bytes:
    return SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def png(before: bytes, rows: bytes) -> bytes:
    palette = chunk(b"PLTE", PALETTE[: 3 << before[24]]) if before[25] == 3 else b""
    return before + palette + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def read(path: Path, data: bytes) -> tuple[int, ...]:
    path.write_bytes(data)
    return read_picture(path, is_mask=False).volume.voxels.shape


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "depth"), FORMS)
def test_image_data_are_as_long_as_another_decoder_wants_them(colour: int, depth: int, interlaced: bool) -> None:  # noqa: FBT001
    for width, height in [(1, 1), (2, 3), (5, 1), (1, 5), (4, 4), (7, 9), (8, 8), (9, 17)]:
        before = header(width, height, colour, depth, interlaced=interlaced)
        size = image_data_bytes(before[HEADER_CONTENT])
        assert imagecodecs.png_decode(png(before, bytes(size))).shape[:2] == (height, width)
        with pytest.raises(imagecodecs.PngError):
            imagecodecs.png_decode(png(before, bytes(size - 1)))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "depth"), FORMS)
def test_rows_that_are_missing_are_never_stored_as_zeros(
    tmp_path: Path,
    colour: int,
    depth: int,
    interlaced: bool,  # noqa: FBT001
) -> None:
    before = header(9, 9, colour, depth, interlaced=interlaced)
    size = image_data_bytes(before[HEADER_CONTENT])
    assert read(tmp_path / "a.png", png(before, bytes(size)))[:2] == (9, 9)
    for fewer in (size - 1, size // 2, 0):
        with pytest.raises(SourceRefused, match=f"hold {fewer} bytes, where its size takes {size}: rows are missing"):
            read(tmp_path / "a.png", png(before, bytes(fewer)))


@pytest.mark.parametrize("missing", [4, 12, 16])
def test_rows_are_missed_in_a_file_that_is_cut_short_too(tmp_path: Path, missing: int) -> None:
    before = header(9, 9, 0, 8, interlaced=False)
    with pytest.raises(SourceRefused, match="rows are missing"):
        read(tmp_path / "a.png", png(before, bytes(30))[:-missing])


def test_a_picture_whose_chunks_are_damaged_is_refused_in_plain_words(tmp_path: Path) -> None:
    before = header(9, 9, 0, 8, interlaced=False)
    data = bytearray(png(before + chunk(b"tEXt", b"Comment\0of no matter"), bytes(np.arange(90, dtype=np.uint8) % 3)))
    data[len(before) + 12] ^= 1  # in what the checksum of the comment is of
    with pytest.raises(SourceRefused, match="what follows is damaged; get the file again"):
        read(tmp_path / "a.png", bytes(data))
