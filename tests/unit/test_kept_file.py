from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
import pytest

from mist.errors import InvalidRequest
from mist.kept_bytes import kept_of, restored_body, sheets_of, spans_of
from mist.kept_file import KeptFile, Layout, Span
from mist.kept_wrapping import Wrapping

SHEETS = np.random.default_rng(0).integers(-30000, 30000, (4, 5, 6)).astype(np.int16)
LAYOUT = Layout("<i2")
SHEET_BYTES = 60


def body_of(*sheets: int) -> bytes:
    return b"head" + b"".join(LAYOUT.lay(SHEETS[sheet]) for sheet in sheets) + b"tail"


def file_of(body: bytes, spans: Sequence[Span]) -> KeptFile:
    digest = hashlib.sha256(body).hexdigest()
    return KeptFile("a", len(body), digest, Wrapping.NONE, len(body), digest, LAYOUT, tuple(spans))


def spans(body: bytes, *sheets: int) -> tuple[Span, ...]:
    return spans_of(body, LAYOUT, SHEETS, [(4 + place * SHEET_BYTES, sheet) for place, sheet in enumerate(sheets)])


def test_sheets_that_follow_each_other_are_one_span() -> None:
    assert spans(body_of(0, 1, 2, 3), 0, 1, 2, 3) == (Span(4, 0, 4, is_exact=True),)


def test_sheets_in_another_order_are_spans_of_their_own() -> None:
    assert [span.sheet for span in spans(body_of(2, 0, 1), 2, 0, 1)] == [2, 0]


def test_a_sheet_that_is_not_there_is_left_out() -> None:
    assert spans(body_of(0), 1) == ()
    assert spans(body_of(0), 0, 1) == (Span(4, 0, 1, is_exact=True),)


def test_only_what_surrounds_exact_sheets_is_kept() -> None:
    body = body_of(0, 1)
    assert kept_of(body, file_of(body, spans(body, 0, 1)), SHEETS) == b"headtail"


def test_of_a_sheet_with_few_other_bytes_the_difference_is_kept() -> None:
    body = bytearray(body_of(0, 1))
    body[5] ^= 0x80
    found = spans(bytes(body), 0, 1)
    file = file_of(bytes(body), found)
    kept = kept_of(bytes(body), file, SHEETS)
    assert [span.is_exact for span in found] == [False, True]
    assert kept == b"head" + b"\0\x80" + bytes(SHEET_BYTES - 2) + b"tail"
    assert restored_body(memoryview(kept), file, SHEETS) == body


def test_how_a_file_comes_back_survives_json() -> None:
    body = body_of(0, 2)
    file = file_of(body, spans(body, 0, 2))
    assert KeptFile.from_json(file.to_json()) == file
    assert file.kept_bytes(30) == 8


@pytest.mark.parametrize(
    "change",
    [{"name": 3}, {"bytes": "4"}, {"wrapping": "zip"}, {"type": "O"}, {"planar": 1}, {"spans": [[1]]}, {"spans": 1}],
)
def test_json_of_another_kind_is_refused(change: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        KeptFile.from_json({**file_of(b"", ()).to_json(), **change})


@pytest.mark.parametrize(
    "span", [Span(4, 3, 2, is_exact=True), Span(4, -1, 1, is_exact=True), Span(0, 0, 0, is_exact=True)]
)
def test_spans_of_sheets_that_are_not_there_are_refused(span: Span) -> None:
    with pytest.raises(ValueError, match="does not fit 4 sheets"):
        restored_body(memoryview(b"headtail"), file_of(body_of(0), [span]), SHEETS)


def test_spans_that_overlap_are_refused() -> None:
    both = [Span(4, 0, 1, is_exact=True), Span(5, 1, 1, is_exact=True)]
    with pytest.raises(ValueError, match="does not fit"):
        restored_body(memoryview(b"headtail"), file_of(body_of(0), both), SHEETS)


@pytest.mark.parametrize("kept", [b"", b"headtai", b"headtail?"])
def test_kept_bytes_of_another_length_are_refused(kept: bytes) -> None:
    body = body_of(0)
    with pytest.raises(ValueError, match="bytes come back, not"):
        restored_body(memoryview(kept), file_of(body, spans(body, 0)), SHEETS)


def test_a_difference_that_is_cut_short_is_refused() -> None:
    inexact = dataclasses.replace(file_of(body_of(0), ()), spans=(Span(4, 0, 1, is_exact=False),))
    with pytest.raises(ValueError, match="bytes are kept where"):
        restored_body(memoryview(b"head???"), inexact, SHEETS)


def test_a_type_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="not '<c8'"):
        Layout("<c8")


def test_planes_of_colour_lie_one_after_the_other() -> None:
    sheet = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert Layout("<i1", planar=True).lay(sheet) == bytes([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11])
    assert Layout("<i1").lay(sheet) == bytes(range(12))


@pytest.mark.parametrize(
    ("axes", "shape", "sheets"),
    [
        ("yx", (2, 3), (1, 2, 3)),
        ("tzyx", (4, 5, 2, 3), (20, 2, 3)),
        ("zyxc", (5, 2, 3, 3), (5, 2, 3, 3)),
        ("x", (3,), (1, 3)),
    ],
)
def test_sheets_are_what_lies_along_y_x_and_c(axes: str, shape: tuple[int, ...], sheets: tuple[int, ...]) -> None:
    assert sheets_of(np.zeros(shape, np.uint8), axes).shape == sheets
