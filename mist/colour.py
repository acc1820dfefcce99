"""Colours as brightness and two differences, reversibly: most of a picture is then in one plane of three.

The rule: exact in integers, at every resolution nearly linear, so that a level of the differences is a level of the
colours. The reversible component transform of JPEG 2000 (ITU-T T.800 G.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum

import numba
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
    return _mapped(_to_differences, planes) if colour is Colour.REVERSIBLE else planes


def restored(planes: Planes, colour: Colour) -> Planes:
    """The inverse of `stored`."""
    return _mapped(_from_differences, planes) if colour is Colour.REVERSIBLE else planes


def _mapped(act: Callable[[Planes, Planes], None], planes: Planes) -> Planes:
    """What `act` makes of the channels of each frame."""
    whole = np.ascontiguousarray(planes)
    out = np.empty_like(whole)
    voxels = math.prod(whole.shape[1:])
    act(whole.reshape(-1, CHANNELS, voxels), out.reshape(-1, CHANNELS, voxels))
    return out


@numba.njit(nogil=True, cache=True)
def _to_differences(channels: Planes, planes: Planes) -> None:
    """Fill `planes` from `channels`; both (frames, channels, voxels). NumPy would make an array for each step."""
    for frame in range(channels.shape[0]):
        red, green, blue = channels[frame, 0], channels[frame, 1], channels[frame, 2]
        for i in range(red.shape[0]):
            planes[frame, 0, i] = red[i] + 2 * green[i] + blue[i] >> 2
            planes[frame, 1, i] = blue[i] - green[i]
            planes[frame, 2, i] = red[i] - green[i]


@numba.njit(nogil=True, cache=True)
def _from_differences(planes: Planes, channels: Planes) -> None:
    """The inverse of `_to_differences`."""
    for frame in range(planes.shape[0]):
        brightness, blue_less, red_less = planes[frame, 0], planes[frame, 1], planes[frame, 2]
        for i in range(brightness.shape[0]):
            green = brightness[i] - (blue_less[i] + red_less[i] >> 2)
            channels[frame, 0, i] = red_less[i] + green
            channels[frame, 1, i] = green
            channels[frame, 2, i] = blue_less[i] + green
