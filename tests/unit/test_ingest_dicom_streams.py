from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames

from mist.errors import SourceRefused
from mist.ingest.dicom_streams import StreamForm, begins_picture, require_form, stream_form

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
    assert stream_form(bytes(STREAMS[kind])) == StreamForm(PICTURE.shape, 1, 8 if kind == "JPEG" else 16)


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_that_was_cut_off_says_what_it_still_can_or_nothing(kind: str) -> None:
    stream = bytes(STREAMS[kind])
    found = {stream_form(stream[:length]) for length in range(min(len(stream), 700))}
    assert found <= {None, stream_form(stream)}


@pytest.mark.parametrize("stream", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd8" * 9, b"\xff\xd8\xff\xff\xff", b"\0" * 64])
def test_bytes_that_are_no_stream_say_nothing(stream: bytes) -> None:
    assert stream_form(stream) is None


def test_a_fill_byte_before_a_marker_is_passed_over() -> None:
    stream = bytes(STREAMS["JPEG-LS"])
    assert stream_form(stream[:2] + b"\xff" + stream[2:]) == stream_form(stream) is not None


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "MR_small_jpeg_ls_lossless.dcm", "JPEG2000.dcm"])
def test_the_frames_of_dicom_files_say_what_their_headers_say(name: str) -> None:
    dataset = dcmread(str(get_testdata_file(name)))
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    form = stream_form(frame)
    assert form is not None
    assert (form.size, form.components) == ((dataset.Rows, dataset.Columns), dataset.SamplesPerPixel)


def an_object(**attributes: object) -> FileDataset:
    dataset = FileDataset("a.dcm", {})
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.BitsAllocated = 40, 70, 1, 16
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"Rows": 70, "Columns": 40}, "header says 70 x 40 pixels, and the compressed stream 40 x 70"),
        ({"SamplesPerPixel": 3}, "header says 3 samples a pixel, and the compressed stream has 1"),
        ({"BitsAllocated": 8}, "header says 8 bits a sample .*, and the compressed stream has 16"),
    ],
)
@pytest.mark.parametrize("kind", ["lossless JPEG", "JPEG-LS", "JPEG 2000", "HTJ2K"])
def test_a_stream_of_another_form_than_its_object_is_refused(
    kind: str, attributes: dict[str, object], reason: str
) -> None:
    require_form(bytes(STREAMS[kind]), an_object())
    with pytest.raises(SourceRefused, match=reason):
        require_form(bytes(STREAMS[kind]), an_object(**attributes))


def coloured(*, transform: int, names: bytes) -> bytes:
    """The headers of a JPEG stream of three components of those `names`, with Adobe's marker."""
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])
    components = b"".join(bytes([name]) + b"\x11\0" for name in names)
    return b"\xff\xd8" + adobe + b"\xff\xc0\0\x11\x08\0\x28\0\x46\x03" + components


@pytest.mark.parametrize(
    ("transform", "said", "contradicted"),
    [(0, ["RGB"], ["YBR_FULL", "YBR_FULL_422"]), (1, ["YBR_FULL", "YBR_FULL_422"], ["RGB"])],
)
def test_colours_that_the_marker_of_adobe_contradicts_are_refused(
    transform: int, said: list[str], contradicted: list[str]
) -> None:
    stream = coloured(transform=transform, names=b"\1\2\3")
    for photometric in said:
        require_form(stream, an_object(SamplesPerPixel=3, PhotometricInterpretation=photometric))
    for photometric in contradicted:
        with pytest.raises(SourceRefused, match=f"is {photometric}, and the compressed stream says .*Adobe"):
            require_form(stream, an_object(SamplesPerPixel=3, PhotometricInterpretation=photometric))


def test_components_named_r_g_and_b_are_what_they_are_named() -> None:
    stream = coloured(transform=0, names=b"RGB")
    require_form(stream, an_object(SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL"))


@pytest.mark.parametrize("kind", STREAMS)
def test_a_picture_begins_with_its_stream_alone(kind: str) -> None:
    stream = bytes(STREAMS[kind])
    middle = len(stream) // 2
    assert begins_picture(stream)
    assert not any(begins_picture(stream[place:]) for place in range(middle, len(stream)))


def test_a_frame_of_rle_begins_with_its_header() -> None:
    assert begins_picture(bytes([2, 0, 0, 0, 64, 0, 0, 0]) + bytes(99), is_rle=True)
    assert not begins_picture(bytes(64), is_rle=True)
    assert not begins_picture(b"\2", is_rle=True)
