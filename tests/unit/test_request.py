from __future__ import annotations

import math

import pytest

from mist.errors import InvalidRequest
from mist.request import LARGEST_SIDE, Box, Request


def test_a_region_names_a_range_for_each_spatial_axis() -> None:
    assert Box.parse("10:20,:,0:256", (30, 100, 512), "zyx") == Box((10, 0, 0), (20, 100, 256))


def test_an_open_range_reaches_to_the_end_it_leaves_out() -> None:
    assert Box.parse(":5,3:", (1, 10, 20), "yx") == Box((0, 0, 3), (1, 5, 20))


def test_frames_and_colours_have_no_range() -> None:
    assert Box.parse("1:2,3:4", (1, 9, 9), "tyxc") == Box((0, 1, 3), (1, 2, 4))


def test_spaces_around_numbers_are_allowed() -> None:
    assert Box.parse(" 1 : 2 , : ", (1, 9, 9), "yx") == Box((0, 1, 0), (1, 2, 9))


@pytest.mark.parametrize(
    "text",
    [
        "", ":", ":,:,:", "1,2", "1:2:3,:", "-1:2,:", "2:2,:", "3:2,:", "a:b,:", "1.0:2,:", "1_0:20,:", "1:,1",
        "\N{ARABIC-INDIC DIGIT ONE}:2,:", "9" * 5000 + ":,:", "0:0,:", "+1:2,:", "1:2;3:4",
    ],
)  # fmt: skip
def test_text_that_names_no_region_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="region"):
        Box.parse(text, (1, 50, 50), "yx")


def test_a_box_has_a_shape_and_slices() -> None:
    box = Box((1, 2, 3), (4, 6, 8))
    assert box.shape == (3, 4, 5)
    assert box.slices() == (slice(1, 4), slice(2, 6), slice(3, 8))
    assert box.slices((1, 1, 1)) == (slice(0, 3), slice(1, 5), slice(2, 7))


def test_boxes_that_only_touch_do_not_meet() -> None:
    assert not Box((0, 0, 0), (1, 4, 4)).meets((0, 4, 0), (1, 8, 4))
    assert Box((0, 0, 0), (1, 5, 4)).meets((0, 4, 0), (1, 8, 4))


@pytest.mark.parametrize("start", [(-1, 0, 0), (1, 0, 0), (2, 0, 0)])
def test_an_empty_or_negative_box_is_refused(start: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidRequest, match="region"):
        Box(start, (1, 1, 1))


def test_two_resolutions_at_once_are_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="not level and spacing_mm"):
        Request(level=1, spacing_mm=2.0)


@pytest.mark.parametrize("size", [0, -1, LARGEST_SIDE + 1, (0, 5), (5, LARGEST_SIDE + 1)])
def test_a_size_out_of_range_is_refused(size: int | tuple[int, int]) -> None:
    with pytest.raises(InvalidRequest, match="size"):
        Request(size=size)


@pytest.mark.parametrize("spacing_mm", [0.0, -1.0, math.nan, math.inf, 5e-324, 1e300])
def test_a_spacing_that_no_voxels_have_is_refused(spacing_mm: float) -> None:
    with pytest.raises(InvalidRequest, match="spacing_mm"):
        Request(spacing_mm=spacing_mm)
