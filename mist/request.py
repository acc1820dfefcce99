"""What a caller may ask of a scan, before any scan is known.

The rule: regions are half-open boxes in voxels of level 0. Knows axes, not headers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from mist.errors import InvalidRequest
from mist.geometry import LARGEST_LENGTH, SPATIAL_AXES
from mist.pyramid import Triple

_RANGE = re.compile(r" *([0-9]{0,18}) *: *([0-9]{0,18}) *")

LARGEST_SIDE = 1 << 16
"""The most voxels along one axis that a caller may ask a scan to be resampled to."""


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open box of voxels: `start` to `stop` along (z, y, x)."""

    start: Triple
    stop: Triple

    def __post_init__(self) -> None:
        if any(not 0 <= a < b for a, b in zip(self.start, self.stop, strict=True)):
            raise InvalidRequest(f"a region needs 0 <= start < stop along z, y, x, not {self.start} to {self.stop}")

    @classmethod
    def whole(cls, shape: Triple) -> Self:
        """All of an array of `shape`."""
        return cls((0, 0, 0), shape)

    @classmethod
    def parse(cls, text: str, shape: Triple, axes: str) -> Self:
        """The region that `text` names: `start:stop` for each spatial axis in `axes`, comma between; `:` is all.

        `10:20,:,0:256` is slices 10 to 19, all rows, columns 0 to 255 of a scan with axes `zyx`.
        """
        spatial, parts = [axis for axis in axes if axis in SPATIAL_AXES], text.split(",")
        if len(parts) != len(spatial):
            raise InvalidRequest(f"a region of this scan is {','.join(f'{a}0:{a}1' for a in spatial)}, not {text!r}")
        named = dict(zip(spatial, parts, strict=True))
        ranges = [_parse_range(named.get(axis, ":"), length) for axis, length in zip(SPATIAL_AXES, shape, strict=True)]
        return cls(*zip(*ranges, strict=True))

    @property
    def shape(self) -> Triple:
        """Lengths along (z, y, x)."""
        z, y, x = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return z, y, x

    def slices(self, origin: Triple = (0, 0, 0)) -> tuple[slice, slice, slice]:
        """The box as slices of an array that begins at `origin`."""
        z, y, x = (slice(a - o, b - o) for a, b, o in zip(self.start, self.stop, origin, strict=True))
        return z, y, x

    def meets(self, start: Triple, stop: Triple) -> bool:
        """Whether the box [start, stop) shares a voxel with this one."""
        pairs = zip(self.start, self.stop, start, stop, strict=True)
        return all(max(a, c) < min(b, d) for a, b, c, d in pairs)


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks of a scan: at most one of `level`, `size`, `spacing_mm`, `max_bytes`; level 0 without any.

    Parameters
    ----------
    level
        A stored level, never resampled.
    size
        Pixels of the shorter in-plane side, aspect kept; or exactly (height, width). The slice axis is left as the
        level has it.
    spacing_mm
        Spacing along every spatial axis, in millimetres.
    max_bytes
        The finest level whose prefix has at most this many bytes.
    region
        The box of level-0 voxels that is wanted; None for all.
    """

    level: int | None = None
    size: int | tuple[int, int] | None = None
    spacing_mm: float | None = None
    max_bytes: int | None = None
    region: Box | None = None

    def __post_init__(self) -> None:
        given = [n for n in ("level", "size", "spacing_mm", "max_bytes") if getattr(self, n) is not None]
        if len(given) > 1:
            raise InvalidRequest(f"give one of level, size, spacing_mm and max_bytes, not {' and '.join(given)}")
        sizes = self.size if isinstance(self.size, tuple) else (self.size,)
        if any(side is not None and not 1 <= side <= LARGEST_SIDE for side in sizes):
            raise InvalidRequest(f"size must be 1 to {LARGEST_SIDE} pixels, not {self.size}")
        if self.spacing_mm is not None and not 1 / LARGEST_LENGTH <= self.spacing_mm <= LARGEST_LENGTH:
            raise InvalidRequest(f"spacing_mm must be above 0 and finite, not {self.spacing_mm}")


def _parse_range(text: str, length: int) -> tuple[int, int]:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise InvalidRequest(f"a range of a region is start:stop in voxels, not {text!r}")
    return int(found[1] or 0), int(found[2] or length)
