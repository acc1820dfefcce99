from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from mist.errors import SourceRefused
from mist.ingest.dicom_streams import require_size, stream_size

PICTURE = np.arange(40 * 70, dtype=np.uint16).reshape(40, 70)
STREAMS = {
    "JPEG": imagecodecs.jpeg8_encode(PICTURE.astype(np.uint8)),
    "lossless JPEG": imagecodecs.ljpeg_encode(PICTURE),
    "JPEG-LS": imagecodecs.jpegls_encode(PICTURE),
    "JPEG 2000": imagecodecs.jpeg2k_encode(PICTURE, codecformat="j2k", level=0),
    "HTJ2K": imagecodecs.htj2k_encode(PICTURE, reversible=True),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_says_how_large_its_image_is(kind: str) -> None:
    assert stream_size(bytes(STREAMS[kind])) == PICTURE.shape


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_that_was_cut_off_says_what_it_still_can_or_nothing(kind: str) -> None:
    stream = bytes(STREAMS[kind])
    assert {stream_size(stream[:length]) for length in range(min(len(stream), 700))} <= {None, PICTURE.shape}


@pytest.mark.parametrize("stream", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd8" * 9, b"\xff\xd8\xff\xff\xff", b"\0" * 64])
def test_bytes_that_are_no_stream_say_nothing(stream: bytes) -> None:
    assert stream_size(stream) is None


def test_a_fill_byte_before_a_marker_is_passed_over() -> None:
    stream = bytes(STREAMS["JPEG-LS"])
    assert stream_size(stream[:2] + b"\xff" + stream[2:]) == PICTURE.shape


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "MR_small_jpeg_ls_lossless.dcm", "JPEG2000.dcm"])
def test_the_frames_of_dicom_files_say_what_their_headers_say(name: str) -> None:
    dataset = dcmread(str(get_testdata_file(name)))
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    assert stream_size(frame) == (dataset.Rows, dataset.Columns)


def test_a_stream_of_another_size_than_its_object_is_refused() -> None:
    require_size(bytes(STREAMS["JPEG-LS"]), 40, 70)
    with pytest.raises(SourceRefused, match="header says 70 x 40 pixels, and the compressed stream 40 x 70"):
        require_size(bytes(STREAMS["JPEG-LS"]), 70, 40)
