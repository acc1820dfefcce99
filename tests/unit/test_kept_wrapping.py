from __future__ import annotations

import gzip
import zlib

import pytest

from mist.kept_wrapping import (
    Wrapping,
    dataset_start,
    inflated_dicom,
    unzipped,
    wrapped,
)


def test_a_body_that_was_not_unwrapped_is_the_file() -> None:
    assert wrapped(b"anything", Wrapping.NONE) == b"anything"


def test_gzip_of_several_members_is_unzipped_whole() -> None:
    assert unzipped(gzip.compress(b"one ") + gzip.compress(b"two"), 100) == b"one two"


@pytest.mark.parametrize("data", [b"junk", gzip.compress(b"one", mtime=0)[:-1], gzip.compress(b"one", mtime=0) + b"\0"])
def test_gzip_that_is_broken_is_not_unzipped(data: bytes) -> None:
    assert unzipped(data, 100) is None


def test_gzip_of_more_than_is_allowed_is_not_unzipped() -> None:
    assert unzipped(gzip.compress(bytes(101)), 100) is None
    assert unzipped(gzip.compress(bytes(100)), 100) == bytes(100)


@pytest.mark.parametrize("body", [b"", b"\x89PNG\r\n\x1a\n" + bytes(20), b"\x89PNG\r\n\x1a\n" + bytes(100)])
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
