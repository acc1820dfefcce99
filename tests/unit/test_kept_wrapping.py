from __future__ import annotations

import gzip
import io
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mist.kept_wrapping import (
    Wrapping,
    dataset_start,
    inflated_dicom,
    png_body,
    png_rows,
    png_rows_offset,
    unzipped,
    wrapped,
)


def png(pixels: npt.NDArray[np.uint8 | np.bool]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


PIXELS = np.add.outer(np.arange(20), np.arange(30) * 3).astype(np.uint8)


def test_a_body_that_was_not_unwrapped_is_the_file() -> None:
    assert wrapped(b"anything", Wrapping.NONE) == b"anything"


def test_gzip_of_several_members_is_unzipped_whole() -> None:
    assert unzipped(gzip.compress(b"one ") + gzip.compress(b"two"), 100) == b"one two"


@pytest.mark.parametrize("data", [b"junk", gzip.compress(b"one")[:-1], gzip.compress(b"one") + b"\0"])
def test_gzip_that_is_broken_is_not_unzipped(data: bytes) -> None:
    assert unzipped(data, 100) is None


def test_gzip_of_more_than_is_allowed_is_not_unzipped() -> None:
    assert unzipped(gzip.compress(bytes(101)), 100) is None
    assert unzipped(gzip.compress(bytes(100)), 100) == bytes(100)


def test_the_body_of_a_picture_has_its_rows_where_it_says() -> None:
    body = png_body(png(PIXELS), PIXELS.tobytes())
    assert body is not None
    assert body[png_rows_offset(body) :].startswith(PIXELS.tobytes())


def test_a_picture_that_shows_other_rows_has_no_body() -> None:
    assert png_body(png(PIXELS), (PIXELS + 1).tobytes()) is None
    assert png_body(png(PIXELS), PIXELS.tobytes()[1:]) is None


def test_a_picture_with_data_after_its_rows_has_no_body() -> None:
    whole = png(PIXELS)
    start = whole.index(b"IDAT") - 4
    stream = zlib.decompress(whole[start + 8 : start + 8 + int.from_bytes(whole[start : start + 4], "big")])
    data = zlib.compress(stream + b"?")
    chunk = b"IDAT" + data
    longer = len(data).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    assert png_body(whole[:start] + longer + whole[-12:], PIXELS.tobytes()) is None


def test_a_picture_cut_short_has_no_body() -> None:
    with pytest.raises(ValueError, match="not those of a PNG file"):
        png_body(png(PIXELS)[:-20], PIXELS.tobytes())


def test_rows_of_less_than_a_byte_a_sample_do_not_lie_plainly() -> None:
    assert png_rows(png(PIXELS)) is not None
    assert png_rows(png(PIXELS > 20)) is None


@pytest.mark.parametrize("body", [b"", png(PIXELS)[:40], b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_what_is_no_body_of_a_picture_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"no image data|not lie plainly"):
        wrapped(body, Wrapping.PNG)


def dicom(dataset: bytes) -> bytes:
    meta = b"\x02\0\x10\0UI\x04\x001.2\0"
    return bytes(128) + b"DICM" + meta + dataset


def test_a_dataset_begins_after_group_two() -> None:
    assert dataset_start(dicom(b"\x08\0")) == 144


@pytest.mark.parametrize("data", [b"", bytes(200), bytes(128) + b"DICM", dicom(b"")[:-1]])
def test_file_meta_that_is_broken_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no preamble|no whole file meta"):
        dataset_start(data)


def deflated(content: bytes) -> bytes:
    deflating = zlib.compressobj(9, wbits=-15)
    return deflating.compress(content) + deflating.flush()


def test_a_deflated_dataset_is_inflated_and_deflated_to_an_even_length() -> None:
    content = bytes(range(200))
    body = inflated_dicom(dicom(deflated(content)))
    assert body == dicom(content)
    again = wrapped(body, Wrapping.DEFLATED_DICOM)
    assert len(again) % 2 == 0
    assert inflated_dicom(again) == body


@pytest.mark.parametrize("data", [b"\xff\xff", deflated(b"abc")[:-1], deflated(b"abc") + b"more"])
def test_a_deflated_dataset_that_would_not_come_back_is_left_alone(data: bytes) -> None:
    assert inflated_dicom(dicom(data)) is None
