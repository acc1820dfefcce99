"""One slice as a PNG, JPEG or WebP picture.

The rule: what a picture shows is decided from the scan as a whole, not from the slice, so that brightness does not jump
from slice to slice or from level to level. With `window=none` a PNG holds the samples themselves. Pillow encodes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from mist.delivery.image_request import ImageFormat, ImageRequest, Window
from mist.errors import InvalidRequest
from mist.scan import ScanHeader
from mist.volume import Volume

ENCODER_VERSION = f"1 with Pillow {PIL.__version__}"
"""Part of a picture's ETag: another version may give other bytes for the same voxels."""

Pixels = npt.NDArray[np.uint8 | np.uint16]
"""Shape (y, x) for grey, (y, x, c) for colour."""


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """What a format can hold, and how it is written."""

    largest_side: int
    """Pixels along a side: a limit of the format, or of most who read it."""
    channels: tuple[int, ...]
    """The numbers of channels that it takes."""
    options: Mapping[str, int] = field(default_factory=dict)
    """For Pillow."""
    exact: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """The sample types that it holds exactly, by number of channels."""


_EXACT_IN_PNG = {1: ("uint8", "uint16"), 3: ("uint8",), 4: ("uint8",)}

PICTURE_FORMATS: Mapping[ImageFormat, PictureFormat] = {
    "png": PictureFormat(65_535, (1, 3, 4), {"compress_level": 3}, _EXACT_IN_PNG),  # Pillow's 6 is several times slower
    "jpeg": PictureFormat(65_500, (1, 3), {"quality": 90}),
    "webp": PictureFormat(16_383, (1, 3, 4), {"quality": 90}),
}


@dataclass(frozen=True, slots=True)
class Style:
    """How samples become pixels."""

    as_they_are: bool
    """Whether samples are pixels already."""
    window: Window | None
    """The values to show otherwise; None to show from the least to the greatest of the slice."""
    inverted: bool
    """Whether the least value is shown white."""


def picture_style(header: ScanHeader, asked: ImageRequest) -> Style:
    """How to show a scan: by the window asked for, else the source's own, else over all values that the scan has."""
    is_colour_picture = "c" in header.axes and header.samples.dtype == "uint8"
    if asked.raw or (is_colour_picture and asked.window is None):
        return Style(as_they_are=True, window=None, inverted=False)
    window = asked.window or _own_window(header) or _whole_range(header)
    return Style(as_they_are=False, window=window, inverted=header.display.inverted)


def check_picture(asked: ImageRequest, dtype: str, axes: str, shape: tuple[int, ...]) -> None:
    """Refuse, before anything is read, what cannot become a picture.

    Raises
    ------
    InvalidRequest
        The format cannot hold so many pixels or channels, or not exactly where `window=none` asks for that.
    """
    limits, lengths = PICTURE_FORMATS[asked.format], dict(zip(axes, shape, strict=True))
    channels = lengths.pop("c", 1)
    if channels not in limits.channels:
        raise InvalidRequest(f"{asked.format} cannot hold {channels} channels; ask for format=npy")
    if max(lengths.values()) > limits.largest_side:
        raise InvalidRequest(
            f"{asked.format} holds at most {limits.largest_side} pixels a side; ask for a smaller size"
        )
    if asked.raw and dtype not in limits.exact.get(channels, ()):
        raise InvalidRequest(
            f"{asked.format} cannot hold {dtype} samples exactly; ask for format=npy, or leave window out"
        )


def encode_picture(volume: Volume, style: Style, image_format: ImageFormat) -> bytes:
    """The file that shows `volume`, which has no frame axis and no z axis."""
    pixels = volume.voxels if style.as_they_are else _windowed(volume, style)
    if "y" not in volume.axes:
        pixels = pixels[np.newaxis]
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, image_format, **PICTURE_FORMATS[image_format].options)
    return file.getvalue()


def _windowed(volume: Volume, style: Style) -> Pixels:
    """Samples to 0 ... 255 by DICOM's LINEAR_EXACT function (PS3.3 C.11.2.1.3.2); what is no number is black."""
    values = volume.values()
    window = style.window or _range_of(values)
    with np.errstate(all="ignore"):
        shares = np.clip((values - window.center) / window.width + 0.5, 0, 1)
    grey = np.rint(np.nan_to_num(shares) * 255).astype(np.uint8)
    return 255 - grey if style.inverted else grey


def _own_window(header: ScanHeader) -> Window | None:
    center, width = header.display.window_center, header.display.window_width
    return None if center is None or width is None else Window(center, width)


def _whole_range(header: ScanHeader) -> Window | None:
    """From the least to the greatest value of the scan; None where one of them is no number."""
    ends = np.array(header.samples.sample_range)
    with np.errstate(all="ignore"):
        values = ends * header.rescale.slope + header.rescale.intercept
    return _window_from(values) if np.isfinite(values).all() else None


def _range_of(values: npt.NDArray[np.float64]) -> Window:
    finite = values[np.isfinite(values)]
    return _window_from(finite if finite.size else np.zeros(1))


def _window_from(values: npt.NDArray[np.float64]) -> Window:
    """The window from the least to the greatest of `values`; where they are one, it is shown black."""
    least, most = float(values.min()), float(values.max())
    width = most - least if np.isfinite(most - least) and most > least else 1.0
    return Window(least + width / 2, width)
