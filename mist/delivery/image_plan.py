"""From an image request to what is read, and to what is delivered: all decided before a byte is read.

The rule: one slice is read as a region of one slice wherever that gives the same voxels, so that a picture of a volume
costs no volume. Knows headers, not stores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mist.codec import Json
from mist.delivery.image_request import ImageRequest
from mist.errors import InvalidRequest
from mist.geometry import Geometry
from mist.plan import Plan, make_plan
from mist.pyramid import Triple
from mist.request import Box, Request
from mist.scan import ScanHeader
from mist.volume import Volume, plane_counts


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """What to read and what of it to deliver.

    Parameters
    ----------
    request
        What is asked of the scan's reader.
    plan
        How the reader answers it.
    picked
        Which index of which axes (`t`, `z`) of the volume read is delivered; the delivered voxels lack these axes.
    axes, shape
        Of the delivered voxels.
    geometry
        Where the delivered voxels lie.
    """

    request: Request
    plan: Plan
    picked: Mapping[str, int]
    axes: str
    shape: tuple[int, ...]
    geometry: Geometry

    def to_json(self) -> dict[str, Json]:
        """What decides the delivered voxels, for a given scan."""
        grid, crop = self.plan.grid, self.plan.crop
        return {
            "level": self.plan.level,
            "crop": [*crop.start, *crop.stop],
            "grid": None if grid is None else [*grid.shape, *grid.scale, *grid.offset],
            "picked": dict(self.picked),
        }

    def delivered(self, volume: Volume) -> Volume:
        """What is delivered of the `volume` that was read."""
        index = tuple(self.picked.get(axis, slice(None)) for axis in volume.axes)
        return Volume(np.ascontiguousarray(volume.voxels[index]), self.axes, self.geometry, volume.rescale)


def plan_image(header: ScanHeader, asked: ImageRequest, max_response_bytes: int) -> ImagePlan:
    """The plan that answers `asked`.

    Raises
    ------
    InvalidRequest
        There is no such level, slice, frame or region, or the answer would be too large.
    """
    plan = make_plan(header, asked.request)
    frames, depth = plane_counts(header.axes, header.shape)[0], _grid_shape(plan)[0]
    frame = _index("frame", "t", header.axes, asked.frame, frames, is_needed=asked.is_picture)
    z = _index("slice", "z", header.axes, asked.slice_index, depth, is_needed=asked.is_picture)
    request, geometry = asked.request, plan.geometry
    if z is not None and request.spacing_mm is None:
        request = replace(request, region=_one_slice(header, request.region, plan, z))
        plan, z = make_plan(header, request), 0
        geometry = plan.geometry
    elif z is not None:  # resampled along z: a slice is made of its neighbours
        geometry = geometry.cropped((z, 0, 0))
    _check_bytes(header, plan, max_response_bytes)
    picked = {axis: index for axis, index in (("t", frame), ("z", z)) if index is not None}
    axes = "".join(axis for axis in header.axes if axis not in picked)
    return ImagePlan(request, plan, picked, axes, _shape(header, plan, axes), geometry)


def _grid_shape(plan: Plan) -> Triple:
    return plan.crop.shape if plan.grid is None else plan.grid.shape


def _shape(header: ScanHeader, plan: Plan, axes: str) -> tuple[int, ...]:
    lengths = dict(zip(header.axes, header.shape, strict=True)) | dict(zip("zyx", _grid_shape(plan), strict=True))
    return tuple(lengths[axis] for axis in axes)


def _index(  # noqa: PLR0913 - a name, an axis, a scan and a wish
    name: str, axis: str, axes: str, asked: int | None, count: int, *, is_needed: bool
) -> int | None:
    """The index along `axis`: the one asked for, else the middle where one is needed; None where all are delivered."""
    if axis not in axes:
        if asked is not None:
            raise InvalidRequest(f"this scan has axes {axes}, without {axis}; leave {name} out")
        return None
    if asked is None:
        return count // 2 if is_needed else None
    if asked >= count:
        raise InvalidRequest(f"{name} must be 0 to {count - 1} at this resolution, not {asked}")
    return asked


def _one_slice(header: ScanHeader, region: Box | None, plan: Plan, z: int) -> Box:
    """The region that holds slice `z` of the plan's crop and no other slice of its level."""
    whole = region or Box.whole(header.pyramid.shape)
    start = (plan.crop.start[0] + z) * header.pyramid.steps(plan.level)[0]
    return Box((start, *whole.start[1:]), (start + 1, *whole.stop[1:]))


def _check_bytes(header: ScanHeader, plan: Plan, max_response_bytes: int) -> None:
    """Refuse what would take too much memory, be it as the level's crop, on the way to the new grid, or on it."""
    planes = math.prod(plane_counts(header.axes, header.shape))
    voxels = planes * math.prod(map(max, plan.crop.shape, _grid_shape(plan)))
    needed = voxels * np.dtype(header.samples.dtype).itemsize
    if needed > max_response_bytes:
        raise InvalidRequest(
            f"the answer takes {needed} bytes, more than this server's {max_response_bytes}; "
            "ask for a coarser level, a region or a slice"
        )
