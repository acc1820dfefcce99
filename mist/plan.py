"""From what a caller asks to the blocks and bytes that it takes.

The rule: everything is decided here, before a byte is read: the level, the window of each level, the blocks. Regions
are half-open boxes in voxels of level 0. Knows headers, not stores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from mist.blocks import Block, BlockLayout
from mist.codec import block_length
from mist.errors import InvalidRequest
from mist.geometry import SPATIAL_AXES, Geometry
from mist.pyramid import Triple
from mist.scan import ScanHeader

Reals = tuple[float, float, float]

TABLE_ENTRY_BYTES = 20
"""A block's entry in the block table: its length as u32le, then the first 16 bytes of its SHA-256."""


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
        spatial = [axis for axis in axes if axis in SPATIAL_AXES]
        parts = dict(zip(spatial, text.split(","), strict=False))
        if len(text.split(",")) != len(spatial):
            raise InvalidRequest(f"a region of this scan is {','.join(f'{a}0:{a}1' for a in spatial)}, not {text!r}")
        ranges = [_parse_range(parts.get(axis, ":"), length) for axis, length in zip(SPATIAL_AXES, shape, strict=True)]
        return cls(*zip(*ranges, strict=True))  # type: ignore[arg-type]

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
        if any(side is not None and not 1 <= side <= _LARGEST_SIDE for side in sizes):
            raise InvalidRequest(f"size must be 1 to {_LARGEST_SIDE} pixels, not {self.size}")
        if self.spacing_mm is not None and not 0 < self.spacing_mm < float("inf"):
            raise InvalidRequest(f"spacing_mm must be above 0, not {self.spacing_mm}")


_LARGEST_SIDE = 1 << 16


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid to resample to, in voxels of level 0: voxel `i` is centred on `scale * i + offset` along (z, y, x)."""

    shape: Triple
    scale: Reals
    offset: Reals


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
    windows: dict[int, Box] = field(hash=False)
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
    return Plan(level, crop, _windows(header, level, crop), grid, geometry)


def needed_blocks(layout: BlockLayout, plan: Plan, level: int, margin: int) -> list[Block]:
    """The blocks of `level` that the plan's window of it is made from, in order of storage."""
    boxes = {band: band_window(layout, plan, level, band, margin) for band in layout.bands(level)}
    return [b for b in layout.blocks(level) if (box := boxes[b.band]) is not None and box.meets(b.start, b.stop)]


def band_window(layout: BlockLayout, plan: Plan, level: int, band: str, margin: int) -> Box | None:
    """The part of `band` of `level` that the plan needs; None where the band is empty there."""
    if level == layout.pyramid.coarsest:
        return plan.windows[level]
    halved, window = layout.pyramid.halved[level], plan.windows[level]
    low = _halved_window(window, halved, margin, layout.pyramid.level_shape(level + 1))
    limits = layout.band_shape(level, band)
    stop = tuple(min(b, n) for b, n in zip(low.stop, limits, strict=True))
    empty = any(a >= b for a, b in zip(low.start, stop, strict=True))
    return None if empty else Box(low.start, stop)  # type: ignore[arg-type]


def table_entry(block: bytes | memoryview) -> bytes:
    """A block's entry in the block table, which level digests are taken of."""
    return len(block).to_bytes(4, "little") + hashlib.sha256(block).digest()[:16]


def walk_blocks(data: memoryview, count: int) -> list[memoryview]:
    """`data` cut into its `count` blocks, each of which says its own length.

    Raises
    ------
    BlockCorrupt
        `data` ends within a block, or goes on after the last one.
    """
    blocks, offset = [], 0
    for _ in range(count):
        length = block_length(data, offset)
        blocks.append(data[offset : offset + length])
        offset += length
    if offset != len(data):
        block_length(data, len(data) + 1)
    return blocks


def _parse_range(text: str, length: int) -> tuple[int, int]:
    first, colon, last = text.partition(":")
    try:
        if not colon:
            raise ValueError(text)
        return int(first or 0), int(last or length)
    except ValueError:
        raise InvalidRequest(f"a range of a region is start:stop in voxels, not {text!r}") from None


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
    """The grid that shares the region's outer edges; along z it is that of the level which is taken: see `_on_level`."""
    _, height, width = region.shape
    if isinstance(size, tuple):
        sides = size
    elif "y" not in header.axes:
        sides = (1, size)
    else:
        shorter = min(height, width)
        sides = (max(1, round(height * size / shorter)), max(1, round(width * size / shorter)))
    level = _least_level(header, lambda shape: shape[1] >= sides[0] and shape[2] >= sides[1], region)
    depth = _at_level(header, level, region)
    step = header.pyramid.steps(level)[0]
    rows, columns = (
        _edge_to_edge(region.start[axis], region.shape[axis], side) for axis, side in ((1, sides[0]), (2, sides[1]))
    )
    scale = (float(step), rows[0], columns[0])
    return Grid((depth.shape[0], *sides), scale, (float(depth.start[0] * step), rows[1], columns[1]))


def _grid_for_spacing(header: ScanHeader, spacing_mm: float, region: Box) -> Grid:
    """The grid of exactly `spacing_mm`, centred on the region, no larger than it; axes of length 1 stay as they are."""
    if not header.geometry.in_millimetres:
        raise InvalidRequest("this scan's source tells no spacing in millimetres; ask for a level or a size")
    shape, scale, offset = [], [], []
    for spacing, first, length in zip(header.geometry.spacing, region.start, region.shape, strict=True):
        factor = spacing_mm / spacing if length > 1 else 1.0
        count = int(length / factor + 1e-6)
        if count < 1:
            raise InvalidRequest(f"spacing {spacing_mm} mm is more than the {length * spacing:g} mm that the scan spans")
        if count > _LARGEST_SIDE:
            raise InvalidRequest(f"spacing {spacing_mm} mm makes more than {_LARGEST_SIDE} voxels along an axis")
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


def _least_level(header: ScanHeader, is_enough, region: Box) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """The coarsest level whose shape of `region` is enough; level 0 where none is."""
    levels = range(header.pyramid.coarsest, 0, -1)
    return next((level for level in levels if is_enough(_at_level(header, level, region).shape)), 0)


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
        return _least_level(header, lambda shape: shape[1] >= grid.shape[1] and shape[2] >= grid.shape[2], region)
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


def _windows(header: ScanHeader, level: int, crop: Box) -> dict[int, Box]:
    """The box of each level, from `level` to the coarsest, that must be rebuilt to have `crop` of `level`."""
    windows = {level: crop}
    for finer in range(level, header.pyramid.coarsest):
        limits = header.pyramid.level_shape(finer + 1)
        halved = header.pyramid.halved[finer]
        windows[finer + 1] = _halved_window(windows[finer], halved, header.lifting.margin, limits)
    return windows


def _halved_window(window: Box, halved: str, margin: int, limits: Sequence[int]) -> Box:
    """The box of the next coarser level, of shape `limits`, on which `window` depends."""
    start, stop = list(window.start), list(window.stop)
    for axis, name in enumerate(SPATIAL_AXES):
        if name in halved:
            start[axis] = max(0, window.start[axis] // 2 - margin)
            stop[axis] = min(limits[axis], (window.stop[axis] + 1) // 2 + margin)
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
