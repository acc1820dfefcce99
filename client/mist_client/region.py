"""A region as callers write it, as a box of level-0 voxels.

The rule: a region is text (`10:20,:,0:256`), or one pair (start, stop) or slice for each spatial axis of the scan;
half-open, never negative, never strided. Knows nothing of levels.
"""

from __future__ import annotations

from collections.abc import Sequence

from mist.errors import InvalidRequest
from mist.geometry import SPATIAL_AXES
from mist.request import Box
from mist.scan import ScanHeader

Range = tuple[int, int] | slice
"""Voxels [start, stop) along one axis."""

Region = str | Sequence[Range]
"""Text as `mist.request.Box.parse` takes it, or one range for each spatial axis in the scan's order."""


def region_box(region: Region | None, header: ScanHeader) -> Box | None:
    """The box (z, y, x) that `region` names in the scan of `header`; None, for all, stays None.

    Raises
    ------
    InvalidRequest
        It has another number of ranges than the scan has spatial axes, or a range is empty, negative or strided.
    """
    if region is None:
        return None
    shape = header.pyramid.shape
    if isinstance(region, str):
        return Box.parse(region, shape, header.axes)
    spatial = [axis for axis in header.axes if axis in SPATIAL_AXES]
    if len(region) != len(spatial):
        raise InvalidRequest(f"a region of this scan has one range for each of {', '.join(spatial)}, not {len(region)}")
    given = dict(zip(spatial, region, strict=True))
    z, y, x = (_bounds(given.get(axis, slice(None)), n) for axis, n in zip(SPATIAL_AXES, shape, strict=True))
    return Box((z[0], y[0], x[0]), (z[1], y[1], x[1]))


def _bounds(wanted: Range, length: int) -> tuple[int, int]:
    """Start and stop of a range along an axis of `length`; an open end of a slice is the end of the axis."""
    if not isinstance(wanted, slice):
        start, stop = wanted
        return start, stop
    if wanted.step not in (None, 1):
        raise InvalidRequest(f"a region has no steps, not {wanted}; ask for a level, a size or a spacing instead")
    return wanted.start or 0, length if wanted.stop is None else wanted.stop
