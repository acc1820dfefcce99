"""Colours as brightness and two differences, reversibly: most of a picture is then in one plane of three.

The rule: exact in integers, at every resolution nearly linear, so that a level of the differences is a level of the
colours. The reversible component transform of JPEG 2000 (ITU-T T.800 G.2).
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

Planes = npt.NDArray[np.signedinteger]
"""Shape (planes, z, y, x), plane = frame * channels + channel."""

CHANNELS = 3
"""What there must be of colours: red, green and blue."""

WIDEST_RANGE = 1 << 17
"""Samples that range over this or more are left alone: their differences would need larger coefficients."""


class Colour(StrEnum):
    """How the channels of a scan are held as planes."""

    SEPARATE = "separate"
    """Each as it is."""
    REVERSIBLE = "reversible"
    """Brightness, blue less green, red less green."""


def colour_for(channels: int, low: int, high: int) -> Colour:
    """How to hold `channels` of integers from `low` to `high`."""
    return Colour.REVERSIBLE if channels == CHANNELS and high - low < WIDEST_RANGE else Colour.SEPARATE


def colour_range(colour: Colour, low: int, high: int) -> tuple[int, int]:
    """The least and the greatest integer of the planes of channels that range from `low` to `high`."""
    span = high - low if colour is Colour.REVERSIBLE else 0
    return min(low, -span), max(high, span)


def stored(planes: Planes, colour: Colour) -> Planes:
    """The planes to be stored for those of channels."""
    return _to_differences(planes) if colour is Colour.REVERSIBLE else planes


def restored(planes: Planes, colour: Colour) -> Planes:
    """The inverse of `stored`."""
    return _from_differences(planes) if colour is Colour.REVERSIBLE else planes


def _to_differences(planes: Planes) -> Planes:
    red, green, blue = _channels(planes)
    return _planes(red + 2 * green + blue >> 2, blue - green, red - green)


def _from_differences(planes: Planes) -> Planes:
    brightness, blue_less, red_less = _channels(planes)
    green = brightness - (blue_less + red_less >> 2)
    return _planes(red_less + green, green, blue_less + green)


def _channels(planes: Planes) -> tuple[Planes, Planes, Planes]:
    return planes[0::CHANNELS], planes[1::CHANNELS], planes[2::CHANNELS]


def _planes(*channels: Planes) -> Planes:
    stacked = np.stack(channels, axis=1)
    return stacked.reshape(-1, *stacked.shape[2:])
