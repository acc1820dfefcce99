from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from mist.png_rows import FILTERS, PngRows

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
