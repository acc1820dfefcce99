"""From what a caller asks to the blocks and bytes that it takes.

The rule: everything is decided here, before a byte is read: the level, the window of each level, the blocks.
Knows headers, not stores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from mist.errors import InvalidRequest
from mist.geometry import Geometry
from mist.pyramid import Triple
from mist.request import LARGEST_SIDE, Box, Request
from mist.scan import ScanHeader
from mist.windows import level_windows

Reals = tuple[float, float, float]
"""One real number for each of (z, y, x)."""

LARGEST_GRID_VOXELS = 1 << 31
"""The most voxels of one plane (frame and channel) that a scan is resampled to: nothing is allocated for more."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid to resample to, in voxels of level 0: voxel `i` is centred on `scale * i + offset` along (z, y, x).

    Raises
    ------
    InvalidRequest
        It has more voxels than MIST resamples to.
    """

    shape: Triple
    scale: Reals
    offset: Reals

    def __post_init__(self) -> None:
        if max(self.shape) > LARGEST_SIDE or math.prod(self.shape) > LARGEST_GRID_VOXELS:
            raise InvalidRequest(
                f"resampling to {self.shape} voxels (z, y, x) is more than {LARGEST_SIDE} along an axis "
                f"or {LARGEST_GRID_VOXELS} in all; ask for a smaller size, a larger spacing or a level"
            )


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read and what to make of it.

    Parameters
    ----------
    level
        The level that is read.
    crop
        What of that level is wanted, in its own voxels.
    windows
        What of each level must be rebuilt to have `crop` exactly, by level: the crop, and the reach of the wavelet.
    grid
        What the crop is resampled to, or None where it is delivered as it is.
    geometry
        Where the delivered voxels lie.
    """

    level: int
    crop: Box
    windows: Mapping[int, Box] = field(hash=False)
    grid: Grid | None
    geometry: Geometry


def make_plan(header: ScanHeader, request: Request) -> Plan:
    """The plan that answers `request`.

    Raises
    ------
    InvalidRequest
        There is no such level, the region lies outside the scan, spacing is asked of a scan that has none, or no level
        fits the byte budget.
    """
    region = _checked_region(header, request.region)
    grid = _wanted_grid(header, request, region)
    level = _chosen_level(header, request, region, grid)
    crop = _at_level(header, level, region)
    start = tuple(a * step for a, step in zip(crop.start, header.pyramid.steps(level), strict=True))
    geometry = header.geometry.cropped(start).subsampled(header.pyramid.steps(level))  # type: ignore[arg-type]
    if grid is not None and grid == _grid_of_level(header, level, crop):
        grid = None
    if grid is not None:
        geometry = header.geometry.resampled(grid.scale, grid.offset)
    windows = level_windows(header.pyramid, level, crop, header.lifting.margin)
    return Plan(level, crop, windows, grid, geometry)


def _checked_region(header: ScanHeader, region: Box | None) -> Box:
    shape = header.pyramid.shape
    if region is None:
        return Box.whole(shape)
    if any(b > n for b, n in zip(region.stop, shape, strict=True)):
        raise InvalidRequest(f"region {region.start} to {region.stop} reaches out of the scan of {shape} (z, y, x)")
    return region


def _at_level(header: ScanHeader, level: int, region: Box) -> Box:
    """The voxels of `level` that lie on voxels of `region`; where none does, the one before its start."""
    steps = header.pyramid.steps(level)
    stop = [-(-b // step) for b, step in zip(region.stop, steps, strict=True)]
    starts = zip(region.start, steps, stop, strict=True)
    z, y, x = (min(-(-a // step), b - 1) for a, step, b in starts)
    return Box((z, y, x), (stop[0], stop[1], stop[2]))


def _wanted_grid(header: ScanHeader, request: Request, region: Box) -> Grid | None:
    if request.size is not None:
        return _grid_for_size(header, request.size, region)
    if request.spacing_mm is not None:
        return _grid_for_spacing(header, request.spacing_mm, region)
    return None


def _grid_for_size(header: ScanHeader, size: int | tuple[int, int], region: Box) -> Grid:
    """The grid that shares the region's outer edges; along z it is that of the level which is taken."""
    sides = _sides(header, size, region)
    level = _level_covering(header, sides, region)
    depth, step = _at_level(header, level, region), header.pyramid.steps(level)[0]
    rows, columns = (
        _edge_to_edge(region.start[a], region.shape[a], side) for a, side in zip((1, 2), sides, strict=True)
    )
    scale = (float(step), rows[0], columns[0])
    return Grid((depth.shape[0], *sides), scale, (float(depth.start[0] * step), rows[1], columns[1]))


def _sides(header: ScanHeader, size: int | tuple[int, int], region: Box) -> tuple[int, int]:
    """Height and width in pixels that `size` means for `region`."""
    if "y" not in header.axes:
        if isinstance(size, tuple) and size[0] != 1:
            raise InvalidRequest(f"this scan has no rows: its size is 1 x N, not {size[0]} x {size[1]}")
        return 1, size[1] if isinstance(size, tuple) else size
    if isinstance(size, tuple):
        return size
    _, height, width = region.shape
    shorter = min(height, width)
    return max(1, round(height * size / shorter)), max(1, round(width * size / shorter))


def _grid_for_spacing(header: ScanHeader, spacing_mm: float, region: Box) -> Grid:
    """The grid of exactly `spacing_mm`, centred on the region, no larger than it; axes of length 1 stay as they are."""
    if not header.geometry.in_millimetres:
        raise InvalidRequest("this scan's source tells no spacing in millimetres; ask for a level or a size")
    shape, scale, offset = [], [], []
    for spacing, first, length in zip(header.geometry.spacing, region.start, region.shape, strict=True):
        factor = spacing_mm / spacing if length > 1 else 1.0
        count = int(length / factor + 1e-6)
        if count < 1:
            raise InvalidRequest(f"spacing {spacing_mm} mm is more than the {length * spacing:g} mm that are there")
        shape.append(count)
        scale.append(factor)
        offset.append(first + (length - count * factor) / 2 + factor / 2 - 0.5)
    return Grid((shape[0], shape[1], shape[2]), (scale[0], scale[1], scale[2]), (offset[0], offset[1], offset[2]))


def _edge_to_edge(first: int, length: int, count: int) -> tuple[float, float]:
    """Scale and offset of `count` voxels that span the same edges as `length` voxels from `first` on."""
    scale = length / count
    return scale, first + scale / 2 - 0.5


def _grid_of_level(header: ScanHeader, level: int, crop: Box) -> Grid:
    steps = header.pyramid.steps(level)
    scale = (float(steps[0]), float(steps[1]), float(steps[2]))
    z, y, x = (float(a * step) for a, step in zip(crop.start, steps, strict=True))
    return Grid(crop.shape, scale, (z, y, x))


def _level_covering(header: ScanHeader, sides: tuple[int, int], region: Box) -> int:
    """The coarsest level at which `region` has at least `sides` rows and columns; level 0 where none has."""
    for level in range(header.pyramid.coarsest, 0, -1):
        _, rows, columns = _at_level(header, level, region).shape
        if rows >= sides[0] and columns >= sides[1]:
            return level
    return 0


def _chosen_level(header: ScanHeader, request: Request, region: Box, grid: Grid | None) -> int:
    coarsest = header.pyramid.coarsest
    if grid is not None:
        return _level_for_grid(header, request, region, grid)
    if request.max_bytes is not None:
        return _level_for_budget(header, request.max_bytes)
    level = request.level or 0
    if not 0 <= level <= coarsest:
        raise InvalidRequest(f"this scan has levels 0 to {coarsest}, not {level}")
    return level


def _level_for_grid(header: ScanHeader, request: Request, region: Box, grid: Grid) -> int:
    if request.spacing_mm is None:
        return _level_covering(header, grid.shape[1:], region)
    levels = range(header.pyramid.coarsest, 0, -1)
    wanted = [max(1.0, scale * (1 + 1e-6)) for scale in grid.scale]
    fits = (k for k in levels if all(s <= w for s, w in zip(header.pyramid.steps(k), wanted, strict=True)))
    return next(fits, 0)


def _level_for_budget(header: ScanHeader, max_bytes: int) -> int:
    fits = [level for level, stored in enumerate(header.levels) if stored.end_byte <= max_bytes]
    if not fits:
        least = header.levels[-1].end_byte
        raise InvalidRequest(f"the coarsest level of this scan takes {least} bytes, more than max_bytes {max_bytes}")
    return fits[0]
