from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mist.delivery.image_request import ImageFormat, parse_image_request
from mist.delivery.picture import check_picture, encode_picture, picture_style
from mist.errors import InvalidRequest
from mist.geometry import geometry_of_indices
from mist.plan import make_plan
from mist.request import Request
from mist.scan import Display
from mist.volume import Rescale, Volume, Voxels
from mist_storage.scan_writer import encode_scan


def volume_of(voxels: Voxels, axes: str = "yx", rescale: Rescale | None = None) -> Volume:
    return Volume(voxels, axes, geometry_of_indices(), rescale or Rescale())


def picture(volume: Volume, display: Display | None = None, **parameters: str) -> npt.NDArray[np.uint8 | np.uint16]:
    header = encode_scan(volume, display=display).header
    asked = parse_image_request(parameters, header)
    check_picture(asked, header.samples.dtype, volume.axes, volume.voxels.shape)
    with np.errstate(all="raise"):
        file = encode_picture(volume, picture_style(header, asked), asked.format)
    return np.asarray(Image.open(io.BytesIO(file)))


RAMP = np.arange(0, 1000, 10, dtype=np.int16).reshape(10, 10)


def test_the_window_asked_for_decides() -> None:
    shown = picture(volume_of(RAMP), window="500,200")
    expected = np.clip((RAMP - 400) / 200, 0, 1) * 255
    assert np.allclose(shown, expected, rtol=0, atol=0.5 + 1e-9)


def test_the_window_is_in_physical_values() -> None:
    rescaled = volume_of(RAMP, rescale=Rescale(2.0, -1000.0))
    assert np.array_equal(picture(rescaled, window="0,400"), picture(volume_of(RAMP), window="500,200"))


def test_the_scans_own_window_is_the_next_choice() -> None:
    own = Display(window_center=500.0, window_width=200.0)
    assert np.array_equal(picture(volume_of(RAMP), own), picture(volume_of(RAMP), window="500,200"))


def test_without_any_window_all_values_of_the_scan_are_shown() -> None:
    assert np.array_equal(picture(volume_of(RAMP)), np.rint(RAMP / 990 * 255))


def test_the_least_value_is_white_where_the_source_says_so() -> None:
    assert np.array_equal(picture(volume_of(RAMP), Display(inverted=True)), 255 - picture(volume_of(RAMP)))


def test_a_constant_scan_is_black() -> None:
    assert not picture(volume_of(np.full((8, 8), 7, np.uint8))).any()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_png_without_window_holds_the_samples(dtype: str) -> None:
    voxels = np.random.default_rng(2).integers(0, np.iinfo(dtype).max, (9, 7), np.dtype(dtype), endpoint=True)
    assert np.array_equal(picture(volume_of(voxels), Display(inverted=True), window="none"), voxels)


@pytest.mark.parametrize(
    ("dtype", "image_format"),
    [("int16", "png"), ("uint32", "png"), ("float32", "png"), ("uint8", "jpeg"), ("uint8", "webp")],
)
def test_samples_that_a_format_cannot_hold_are_refused(dtype: str, image_format: str) -> None:
    with pytest.raises(InvalidRequest, match=f"cannot hold {dtype} samples exactly"):
        picture(volume_of(np.arange(64, dtype=dtype).reshape(8, 8)), window="none", format=image_format)


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_a_byte_are_shown_as_they_are(channels: int) -> None:
    voxels = np.random.default_rng(2).integers(0, 256, (9, 7, channels), np.uint8)
    assert np.array_equal(picture(volume_of(voxels, "yxc")), voxels)


def test_deep_colours_are_windowed() -> None:
    voxels = np.random.default_rng(2).integers(0, 4096, (9, 7, 3), np.uint16)
    shown = picture(volume_of(voxels, "yxc"), window="2048,4096")
    assert np.array_equal(shown, np.rint(np.clip(voxels / 4096, 0, 1) * 255))


def test_two_channels_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="2 channels"):
        picture(volume_of(np.zeros((4, 4, 2), np.uint8), "yxc"))


def test_a_line_is_a_picture_of_one_row() -> None:
    assert picture(volume_of(np.arange(50, dtype=np.uint8), "x")).shape == (1, 50)


def test_what_is_no_number_is_black() -> None:
    voxels = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8) ** 2
    voxels[0, 0], voxels[7, 0], voxels[7, 7] = np.nan, -np.inf, np.inf
    shown = picture(volume_of(voxels), window="0.5,1")
    assert (shown[0, 0], shown[7, 0], shown[7, 7]) == (0, 0, 255)


def test_a_scan_with_infinite_values_is_shown_over_the_finite_ones() -> None:
    voxels = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8) ** 2
    voxels[0, 0] = np.inf
    assert picture(volume_of(voxels))[7, 6] == round(float(voxels[7, 6]) * 255)


@pytest.mark.parametrize("window", ["1e308,1e308", "-1e308,1e-300", "0,1e-320"])
def test_absurd_windows_give_a_picture(window: str) -> None:
    assert picture(volume_of(RAMP), window=window).shape == (10, 10)


@pytest.mark.parametrize("image_format", ["jpeg", "webp"])
def test_lossy_formats_are_close(image_format: ImageFormat) -> None:
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    shown = picture(volume_of(smooth), format=image_format).astype(float)
    grey = shown if shown.ndim == 2 else shown.mean(axis=2)
    assert np.abs(grey - smooth / 126 * 255).mean() < 3


def test_more_pixels_than_a_format_holds_are_refused() -> None:
    header = encode_scan(volume_of(RAMP)).header
    asked = parse_image_request({"format": "webp"}, header)
    with pytest.raises(InvalidRequest, match="at most 16383 pixels"):
        check_picture(asked, "int16", "yx", (1, 16_384))


def test_the_same_values_are_equally_bright_at_every_level() -> None:
    header = encode_scan(volume_of(np.arange(128 * 128, dtype=np.uint16).reshape(128, 128))).header
    coarse = replace(parse_image_request({}, header), request=Request(level=1))
    assert make_plan(header, coarse.request).level == 1
    assert picture_style(header, coarse) == picture_style(header, parse_image_request({}, header))
