from __future__ import annotations

import io
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mist.ingest.png_file import PngFile
from mist.kept_wrapping import png_rows_offset

PIXELS = np.add.outer(np.arange(20), np.arange(30) * 3).astype(np.uint8)
COLOURS = np.stack([PIXELS, PIXELS[::-1], PIXELS // 2], axis=-1)


def png(pixels: npt.NDArray[np.uint8 | np.uint16 | np.bool]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def body_of(data: bytes) -> memoryview | None:
    file = PngFile.of(data)
    assert file is not None
    return file.body()


def samples_of(data: bytes) -> npt.NDArray[np.uint8 | np.uint16] | None:
    file, body = PngFile.of(data), body_of(data)
    return None if file is None or body is None else file.samples(body)


def with_stream(data: bytes, change: bytes = b"", *, after: bytes = b"") -> bytes:
    """`data` with `change` after its rows, or with bytes after their checksum."""
    start = data.index(b"IDAT") - 4
    held = data[start + 8 : start + 8 + int.from_bytes(data[start : start + 4], "big")]
    return data[:start] + chunk(b"IDAT", zlib.compress(zlib.decompress(held) + change) + after) + data[-12:]


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS.astype(np.uint16) * 257 - 1, COLOURS])
def test_samples_are_those_that_pillow_decodes(pixels: npt.NDArray[np.uint8 | np.uint16]) -> None:
    samples = samples_of(png(pixels))
    assert samples is not None
    assert samples.dtype == pixels.dtype
    assert np.array_equal(samples, pixels)


def test_the_body_of_a_picture_has_its_rows_where_it_says() -> None:
    body = body_of(png(PIXELS))
    assert body is not None
    assert bytes(body[png_rows_offset(body) :]).startswith(PIXELS.tobytes())


def test_samples_of_a_byte_take_no_room_beside_the_body() -> None:
    file, body = PngFile.of(png(PIXELS)), body_of(png(PIXELS))
    assert file is not None
    assert body is not None
    assert np.shares_memory(file.samples(body), np.frombuffer(body, np.uint8))


def test_a_picture_with_data_after_its_rows_has_no_body_and_is_left_to_pillow() -> None:
    longer = with_stream(png(PIXELS), b"?")
    assert body_of(longer) is None
    assert samples_of(longer) is None


@pytest.mark.parametrize("after", [b"?", b"????", "its own checksum"])
def test_a_picture_with_data_after_its_checksum_has_no_body(after: bytes | str) -> None:
    stream = PngFile.of(png(PIXELS))
    assert stream is not None
    more = stream.compressed[-4:] if isinstance(after, str) else after
    assert body_of(with_stream(png(PIXELS))) is not None
    assert body_of(with_stream(png(PIXELS), after=more)) is None


def test_a_picture_with_a_wrong_checksum_is_left_to_pillow() -> None:
    data = png(PIXELS)
    last = len(data) - 12 - 4 - 1
    assert samples_of(data[:last] + bytes([data[last] ^ 1]) + data[last + 1 :]) is None


def test_a_picture_with_chunks_after_its_rows_is_left_to_pillow_and_has_a_body() -> None:
    whole = png(PIXELS)
    noted = whole[:-12] + chunk(b"tEXt", b"Comment\0a note") + whole[-12:]
    assert samples_of(noted) is None
    assert body_of(noted) is not None


def test_a_picture_that_claims_more_rows_than_it_can_hold_is_left_to_pillow() -> None:
    data = bytearray(png(PIXELS))
    data[20:24] = (1 << 30).to_bytes(4, "big")
    assert samples_of(bytes(data)) is None


@pytest.mark.parametrize("data", [b"", png(PIXELS)[:-20], png(PIXELS)[:40], png(PIXELS > 20)])
def test_a_picture_that_is_broken_or_of_less_than_a_byte_a_sample_is_left_alone(data: bytes) -> None:
    assert PngFile.of(data) is None
