from __future__ import annotations

import numpy as np
import pytest

from mist.colour import Colour, colour_for, colour_range, restored, stored
from mist.errors import InvalidRequest
from mist.geometry import geometry_from_spacing
from mist.request import Request
from mist.scan import ScanHeader
from mist.volume import Volume
from tests.encoded_scan import encode_scan

RNG = np.random.default_rng(0)
GEOMETRY = geometry_from_spacing((1, 1, 1))


def picture(*, is_grey: bool = False, dtype: type[np.integer] = np.uint8) -> Volume:
    y, x = np.indices((160, 200))
    shades = [y + x, y + x, y + x] if is_grey else [y + x, 2 * y, 250 - x]
    noisy = np.stack(shades, axis=-1) // 2 + RNG.integers(0, 6, (160, 200, 1))
    return Volume(noisy.astype(dtype), "yxc", GEOMETRY)


@pytest.mark.parametrize(("low", "high"), [(0, 255), (-300, 200), (0, 65535)])
def test_differences_are_colours_again_and_stay_in_their_range(low: int, high: int) -> None:
    planes = RNG.integers(low, high, (6, 2, 5, 7), dtype=np.int32, endpoint=True)
    differences = stored(planes, Colour.REVERSIBLE)
    np.testing.assert_array_equal(restored(differences, Colour.REVERSIBLE), planes)
    least, most = colour_range(Colour.REVERSIBLE, low, high)
    assert least <= differences.min()
    assert differences.max() <= most


def test_the_planes_are_those_of_jpeg_2000() -> None:
    red, green, blue = 200, 100, 31
    differences = stored(np.array([red, green, blue], np.int32).reshape(3, 1, 1, 1), Colour.REVERSIBLE)
    assert differences.ravel().tolist() == [(red + 2 * green + blue) // 4, blue - green, red - green]


@pytest.mark.parametrize(("channels", "high"), [(1, 255), (4, 255), (3, 2**17)])
def test_what_is_no_colour_or_ranges_too_far_is_left_alone(channels: int, high: int) -> None:
    assert colour_for(channels, 0, high) is Colour.SEPARATE
    assert colour_for(3, 0, 65535) is Colour.REVERSIBLE


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_comes_back(dtype: type[np.integer]) -> None:
    volume = picture(dtype=dtype)
    back = encode_scan(volume).read(Request())
    np.testing.assert_array_equal(back.voxels, volume.voxels, strict=True)


def test_grey_that_is_held_as_colour_takes_next_to_no_more_than_grey() -> None:
    colour = picture(is_grey=True)
    grey = Volume(np.ascontiguousarray(colour.voxels[..., 0]), "yx", GEOMETRY)
    sizes = [sum(map(len, encode_scan(volume).blocks)) for volume in (colour, grey)]
    assert sizes[0] < 1.02 * sizes[1]


def test_a_level_of_a_picture_is_a_level_of_each_channel_but_for_rounding() -> None:
    volume = picture()
    level = encode_scan(volume).read(Request(level=2)).voxels.astype(int)
    for channel in range(3):
        alone = Volume(np.ascontiguousarray(volume.voxels[..., channel]), "yx", GEOMETRY)
        assert np.abs(level[..., channel] - encode_scan(alone).read(Request(level=2)).voxels).max() <= 3


def test_a_header_with_colours_but_no_channels_is_refused() -> None:
    header = encode_scan(Volume(np.zeros((9, 9), np.uint8), "yx", GEOMETRY)).header.to_json()
    with pytest.raises(InvalidRequest, match="reversible"):
        ScanHeader.from_json(header | {"colour": "reversible"})
