from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from mist.ingest.deidentify.marked_codestream import without_texts

PICTURE = np.random.default_rng(1).integers(0, 256, (40, 56, 3)).astype(np.uint8)


def _jpeg(**options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, "JPEG", comment=b"a name", **options)
    return stream.getvalue() + b"a name behind"


@pytest.mark.parametrize("is_progressive", [False, True])
def test_a_jpeg_loses_its_texts_and_no_pixel(*, is_progressive: bool) -> None:
    whole = _jpeg(progressive=is_progressive)
    clean = without_texts(whole)
    assert b"a name" not in clean
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(clean))), np.asarray(Image.open(io.BytesIO(whole))))


def test_jpeg_ls_loses_a_comment_and_no_pixel() -> None:
    whole = bytes(imagecodecs.jpegls_encode(PICTURE[..., 0]))
    marked = whole[:2] + b"\xff\xfe\x00\x08a name" + whole[2:]
    clean = without_texts(marked)
    assert b"a name" not in clean
    assert np.array_equal(imagecodecs.jpegls_decode(clean), PICTURE[..., 0])


def test_jpeg_2000_loses_a_comment_and_no_pixel() -> None:
    whole = bytes(imagecodecs.jpeg2k_encode(PICTURE, codecformat="j2k", reversible=True))
    comment = b"\xff\x64\x00\x0a\x00\x01a name"
    end = whole.index(b"\xff\x90")
    clean = without_texts(whole[:end] + comment + whole[end:])
    assert b"a name" not in clean
    assert np.array_equal(imagecodecs.jpeg2k_decode(clean), PICTURE)


def test_a_cut_jpeg_is_an_error() -> None:
    with pytest.raises(ValueError, match="end within a scan"):
        without_texts(_jpeg()[:1500])


def test_jpeg_2000_loses_a_comment_in_a_tile_part_and_bytes_behind_the_end_and_no_pixel() -> None:
    whole = bytes(imagecodecs.jpeg2k_encode(PICTURE, codecformat="j2k", reversible=True))
    comment, at = b"\xff\x64\x00\x0a\x00\x01a name", whole.index(b"\xff\x90")
    length = int.from_bytes(whole[at + 6 : at + 10]) + len(comment)
    marked = whole[: at + 6] + length.to_bytes(4) + whole[at + 10 : at + 12] + comment + whole[at + 12 :] + b"a name"
    clean = without_texts(marked)
    assert b"a name" not in clean
    assert np.array_equal(imagecodecs.jpeg2k_decode(clean), PICTURE)


def test_a_jpeg_loses_a_segment_that_no_decoder_knows() -> None:
    whole = _jpeg()
    assert b"a text" not in without_texts(whole[:2] + b"\xff\xf0\x00\x08a text" + whole[2:])
