"""The query of an image, parsed: which voxels, which slice, how shown, in what format.

The rule: a parameter that is malformed is `BadQuery`; whether the scan can answer is decided in
`mist.delivery.image_plan`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from mist.delivery.parameter import BadQuery, real_number, whole_number
from mist.errors import InvalidRequest
from mist.request import Box, Request
from mist.scan import ScanHeader

PARAMETERS = ("level", "size", "spacing", "max_bytes", "slice", "frame", "region", "window", "format")
"""Everything that may be said of an image."""

ImageFormat = Literal["png", "jpeg", "webp", "npy", "nii.gz"]

FORMATS: tuple[ImageFormat, ...] = ("png", "jpeg", "webp", "npy", "nii.gz")
"""What an image may be sent as; the first is the default."""

PICTURES: tuple[ImageFormat, ...] = ("png", "jpeg", "webp")
"""The formats that hold one slice of one frame; the others hold whatever was asked for."""


@dataclass(frozen=True, slots=True)
class Window:
    """The physical values that a picture shows between black and white."""

    center: float
    """The value that becomes the middle grey."""
    width: float
    """The distance from the value that becomes black to the one that becomes white; above 0."""

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise InvalidRequest(f"a window's width must be above 0, not {self.width}")


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """What is asked of a scan's image.

    Parameters
    ----------
    request
        The level, size, spacing or budget, and the region.
    slice_index
        Which slice along z of the delivered level; None where it is not said.
    frame
        Which frame; None where it is not said.
    window
        What a picture shows; None where the scan decides.
    raw
        Whether a picture holds the voxels themselves (`window=none`).
    format
        What it is sent as.
    """

    request: Request
    slice_index: int | None
    frame: int | None
    window: Window | None
    raw: bool
    format: ImageFormat

    @property
    def is_picture(self) -> bool:
        """Whether the format holds one slice of one frame."""
        return self.format in PICTURES


def parse_image_request(parameters: Mapping[str, str], header: ScanHeader) -> ImageRequest:
    """What `parameters`, of those in `PARAMETERS`, ask of the scan that `header` describes.

    Raises
    ------
    BadQuery
        One of them is malformed.
    InvalidRequest
        They contradict each other, or are out of range.
    """
    window = parameters.get("window")
    raw = window == "none"
    return ImageRequest(
        request=_request(parameters, header),
        slice_index=_optional_number(parameters, "slice"),
        frame=_optional_number(parameters, "frame"),
        window=None if window is None or raw else _window(window),
        raw=raw,
        format=_format(parameters.get("format", FORMATS[0])),
    )


def _request(parameters: Mapping[str, str], header: ScanHeader) -> Request:
    request = Request(
        level=_optional_number(parameters, "level"),
        size=_size(parameters["size"]) if "size" in parameters else None,
        spacing_mm=real_number("spacing", parameters["spacing"]) if "spacing" in parameters else None,
        max_bytes=_optional_number(parameters, "max_bytes"),
    )
    if "region" not in parameters:
        return request
    return replace(request, region=Box.parse(parameters["region"], header.pyramid.shape, header.axes))


def _optional_number(parameters: Mapping[str, str], name: str) -> int | None:
    return whole_number(name, parameters[name]) if name in parameters else None


def _size(text: str) -> int | tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,6})(?:x([0-9]{1,6}))?", text)
    if match is None:
        raise BadQuery(f"size is N, or HEIGHTxWIDTH, in pixels, not {text!r}")
    return int(match[1]) if match[2] is None else (int(match[1]), int(match[2]))


def _window(text: str) -> Window:
    center, comma, width = text.partition(",")
    if not comma:
        raise BadQuery(f"window is CENTER,WIDTH in physical values, or none, not {text!r}")
    return Window(real_number("window's center", center), real_number("window's width", width))


def _format(text: str) -> ImageFormat:
    if text not in FORMATS:
        raise InvalidRequest(f"format must be one of {', '.join(FORMATS)}, not {text!r}")
    return text
