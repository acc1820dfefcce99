from __future__ import annotations

import pytest

from mist.server.byte_range import ByteRange, RangeUnsatisfiable, asked_range

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("text", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=90-", 90, 100),
        ("bytes=90-5000", 90, 100),
        ("bytes=-10", 90, 100),
        ("bytes=-5000", 0, 100),
        ("Bytes= 1-2 ", 1, 3),
    ],
)
def test_one_range_is_half_open_and_ends_with_the_object(text: str, start: int, stop: int) -> None:
    assert asked_range({"Range": text}, ETAG, 100) == ByteRange(start, stop, 100)


@pytest.mark.parametrize("text", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_with_nothing_in_it_is_unsatisfiable(text: str) -> None:
    with pytest.raises(RangeUnsatisfiable, match="100 bytes"):
        asked_range({"Range": text}, ETAG, 100)


@pytest.mark.parametrize(
    "text",
    [
        "bytes=",
        "bytes=-",
        "bytes=9-3",
        "bytes=a-b",
        "items=0-1",
        "bytes=0-1,5-6",
        "bytes=1",
        "",
        "bytes=--1",
        "bytes=+1-2",
    ],
)
def test_what_is_no_single_range_is_ignored(text: str) -> None:
    assert asked_range({"Range": text}, ETAG, 100) is None


def test_a_range_holds_while_the_object_is_the_one_that_the_client_knows() -> None:
    assert asked_range({"Range": "bytes=0-1", "If-Range": ETAG}, ETAG, 100) == ByteRange(0, 2, 100)


@pytest.mark.parametrize("condition", ['"other"', 'W/"abc"', "Mon, 01 Jan 2024 00:00:00 GMT"])
def test_a_range_of_another_version_of_the_object_is_ignored(condition: str) -> None:
    assert asked_range({"Range": "bytes=0-1", "If-Range": condition}, ETAG, 100) is None


def test_the_content_range_names_the_last_byte() -> None:
    assert ByteRange(10, 20, 100).content_range == "bytes 10-19/100"
