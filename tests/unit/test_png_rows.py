from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from mist.png_rows import FILTERS, Bytes, PngRows

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("kind", range(FILTERS))
@pytest.mark.parametrize("pixel_bytes", [1, 2, 3, 8])
def test_rows_filtered_in_any_way_come_back(kind: int, pixel_bytes: int) -> None:
    form = PngRows(9, 7 * pixel_bytes, pixel_bytes, 1)
    rows = RNG.integers(0, 256, (form.height, form.row_bytes), np.uint8)
    stream = form.filtered(bytes([kind]) * form.height, rows.tobytes())
    assert stream[:: 1 + form.row_bytes] == bytes([kind]) * form.height
    assert np.array_equal(form.unfiltered(stream), rows)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_rows_are_what_pillow_decodes_whatever_their_filters(mode: str) -> None:
    form = PngRows(25, 11 * len(mode), len(mode), 1)
    kinds = bytes(RNG.integers(0, FILTERS, form.height, np.uint8))
    rows = RNG.integers(0, 256, (form.height, form.row_bytes), np.uint8)
    shown = Image.open(io.BytesIO(png(form, mode, form.filtered(kinds, rows.tobytes()))))
    assert shown.mode == mode
    assert np.array_equal(np.asarray(shown).reshape(rows.shape), rows)


def test_paeth_chooses_as_the_standard_says_whatever_the_neighbours() -> None:
    neighbours = np.indices((256, 256, 256), np.uint8).reshape(3, -1)
    left, up, corner = neighbours
    form = PngRows(2, 2 * left.size, left.size, 1)  # of two pixels a row, each of which has all neighbours there are
    rows = np.concatenate([corner, up, left, np.zeros_like(left)])
    stream = np.frombuffer(form.filtered(bytes([0, 4]), rows.tobytes()), np.uint8)
    assert np.array_equal(-stream[-left.size :], paeth(*neighbours))


def paeth(left: Bytes, up: Bytes, corner: Bytes) -> Bytes:
    """PNG 9.4, word by word."""
    a, b, c = left.astype(np.int16), up.astype(np.int16), corner.astype(np.int16)
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    chosen: Bytes = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, up, corner))
    return chosen


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("kinds", [b"\4", b"\4\4\4", b"\1\4\4\2\4\3\4\4"])
def test_rows_come_back_however_many_follow_each_other_and_however_narrow(kinds: bytes, width: int) -> None:
    form = PngRows(len(kinds), 3 * width, 3, 1)
    rows = RNG.integers(0, 256, (form.height, form.row_bytes), np.uint8)
    assert np.array_equal(form.unfiltered(form.filtered(kinds, rows.tobytes())), rows)


def test_rows_without_a_pixel_do_not_lie_plainly() -> None:
    assert PngRows.of(png(PngRows(25, 0, 3, 1), "RGB", bytes(25))) is None


def test_the_first_chunk_says_how_rows_lie() -> None:
    form = PngRows(25, 33, 3, 1)
    assert PngRows.of(png(form, "RGB", bytes(form.stream_bytes))) == form
    assert PngRows.of(b"") is None


def png(form: PngRows, mode: str, stream: bytes) -> bytes:
    """A PNG file of 8 bits a sample with that filtered stream."""
    colour = {"L": 0, "LA": 4, "RGB": 2, "RGBA": 6}[mode]
    sides = [side.to_bytes(4, "big") for side in (form.row_bytes // form.pixel_bytes, form.height)]
    header = chunk(b"IHDR", b"".join((*sides, bytes((8, colour, 0, 0, 0)))))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(stream)) + chunk(b"IEND", b"")


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
