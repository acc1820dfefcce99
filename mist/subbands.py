"""The subbands of an array that is halved along some of its axes: their names, their shapes, room for them.

The rule: lengths and memory, no values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from mist.geometry import SPATIAL_AXES

Coefficients = npt.NDArray[np.signedinteger]
"""int32 or int64, shape (planes, z, y, x), C order."""

Bands = dict[str, Coefficients]
"""The subbands of one halving, keyed by the axes along which they are high-pass: `` is the low-pass band, `yx` is
high-pass along y and x."""


Room = Callable[[Sequence[int], np.dtype[np.signedinteger]], Coefficients]
"""Makes an array of a shape and dtype, of any content, C order."""


@lru_cache(maxsize=8)
def band_names(axes: str) -> tuple[str, ...]:
    """The names of the high-pass subbands of a halving along `axes`, in the order in which they are stored."""
    count = len(axes)
    masks = range(1, 2**count)
    return tuple("".join(axes[bit] for bit in range(count) if mask >> (count - 1 - bit) & 1) for mask in masks)


def band_shape(shape: Sequence[int], name: str, axes: str) -> tuple[int, ...]:
    """The shape of subband `name` of an array of `shape` halved along `axes`: empty if `name` has another axis."""
    planes, *lengths = shape
    highs = [length // 2 if axis in axes else 0 for axis, length in zip(SPATIAL_AXES, lengths, strict=True)]
    both = zip(SPATIAL_AXES, lengths, highs, strict=True)
    return planes, *(high if axis in name else length - high for axis, length, high in both)


def room_for_bands(shape: Sequence[int], axes: str, dtype: np.dtype[np.signedinteger], room: Room) -> Bands:
    """The subbands of an array of `shape`: the details in one piece, for which the system gives large pages sooner."""
    shapes = [band_shape(shape, name, axes) for name in band_names(axes)]
    *firsts, size = accumulate(map(math.prod, shapes), initial=0)
    details = room((size,), dtype)
    parts = (details[first : first + math.prod(of)].reshape(of) for first, of in zip(firsts, shapes, strict=True))
    return {"": room(band_shape(shape, "", axes), dtype)} | dict(zip(band_names(axes), parts, strict=True))


def whole_shape(bands: Bands, axes: str) -> tuple[int, ...]:
    """The shape of the array of which `bands` are the subbands along `axes`."""
    planes, *lows = bands[""].shape
    named = enumerate(zip(SPATIAL_AXES, lows, strict=True), start=1)
    return planes, *(low + (bands[axis].shape[at] if axis in axes else 0) for at, (axis, low) in named)
