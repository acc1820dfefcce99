"""Cutting the subbands of a scan into equal blocks, coarsest level first.

The rule: blocks are numbered in the order in which they are stored: level by level from the coarsest, within a level by
plane, then position (z, y, x), then subband. The blocks up to the end of a level are all that this level needs. A block
that reaches over the end of its subband is padded with zeros. Knows nothing of bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, product

from mist.errors import InvalidRequest
from mist.geometry import SPATIAL_AXES
from mist.pyramid import Pyramid, Triple
from mist.subbands import Coefficients, band_names

LOW_PASS = ""
"""The name of the low-pass subband, which only the coarsest level stores."""

IMAGE_BLOCK = (1, 128, 128)
"""Largest block for scans without a z axis: enough for its contexts and its overhead, small enough for a region."""

VOLUME_BLOCK = (8, 64, 64)
"""Largest block for scans with a z axis."""

LINE_BLOCK = (1, 1, 4096)
"""Largest block for scans with an x axis alone."""

LARGEST_BLOCK_VOXELS = 1 << 20
"""A block is decoded as a whole, so this bounds what one block of a hostile scan may take."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block: a box of one subband of one plane.

    Parameters
    ----------
    number
        Its place in storage, from 0.
    level
        The level that it helps to complete.
    band
        Its subband: the axes along which it is high-pass, or `LOW_PASS`.
    plane
        The plane (frame and channel) that it belongs to.
    start, stop
        Its half-open box (z, y, x) in its subband.
    """

    number: int
    level: int
    band: str
    plane: int
    start: Triple
    stop: Triple


@dataclass(frozen=True, slots=True)
class BlockLayout:
    """How the subbands of a scan are cut.

    Parameters
    ----------
    pyramid
        The levels.
    planes
        Number of planes: frames times channels.
    block_shape
        Lengths of a block along (z, y, x); at most `LARGEST_BLOCK_VOXELS` in all.

    Raises
    ------
    InvalidRequest
        There is no plane, or a block is empty or too large.
    """

    pyramid: Pyramid
    planes: int
    block_shape: Triple

    def __post_init__(self) -> None:
        voxels = math.prod(self.block_shape)
        if self.planes < 1 or len(self.block_shape) != 3 or min(self.block_shape) < 1 or voxels > LARGEST_BLOCK_VOXELS:
            raise InvalidRequest(f"not a layout of blocks: {self.planes} planes, blocks of {self.block_shape}")

    @property
    def levels(self) -> range:
        """All levels in the order in which they are stored: coarsest first."""
        return range(self.pyramid.coarsest, -1, -1)

    def bands(self, level: int) -> tuple[str, ...]:
        """The subbands stored for `level`: the low-pass one for the coarsest, the details that lead to it otherwise."""
        return (LOW_PASS,) if level == self.pyramid.coarsest else band_names(self.pyramid.halved[level])

    def band_shape(self, level: int, band: str) -> Triple:
        """Lengths of (z, y, x) of `band` of `level`."""
        if level == self.pyramid.coarsest:
            return self.pyramid.level_shape(level)
        halved, shape = self.pyramid.halved[level], self.pyramid.level_shape(level)
        z, y, x = (
            length if axis not in halved else length // 2 if axis in band else (length + 1) // 2
            for axis, length in zip(SPATIAL_AXES, shape, strict=True)
        )
        return z, y, x

    def blocks(self, level: int) -> tuple[Block, ...]:
        """The blocks stored for `level`, in order."""
        return _blocks(self, level)

    def numbers(self, level: int) -> range:
        """The numbers of the blocks stored for `level`."""
        return _numbers(self)[level]

    def level_values(self, level: int) -> int:
        """How many coefficients the blocks stored for `level` hold, their padding included."""
        return len(self.numbers(level)) * math.prod(self.block_shape)

    @property
    def count(self) -> int:
        """The number of blocks of all levels."""
        return self.numbers(0).stop

    def grid(self, level: int, band: str) -> Triple:
        """How many blocks `band` of `level` has along (z, y, x); 0 where the band is empty."""
        shape = self.band_shape(level, band)
        z, y, x = (-(-length // block) for length, block in zip(shape, self.block_shape, strict=True))
        return z, y, x


def block_shape_for(axes: str, pyramid: Pyramid) -> Triple:
    """The block shape for a scan with `axes`: by its spatial axes, and such that its largest subband is cut evenly."""
    full = VOLUME_BLOCK if "z" in axes else IMAGE_BLOCK if "y" in axes else LINE_BLOCK
    layout = BlockLayout(pyramid, 1, full)
    shapes = [layout.band_shape(level, band) for level in layout.levels for band in layout.bands(level)]
    z, y, x = (_even_part(max(lengths), block) for block, *lengths in zip(full, *shapes, strict=True))
    return z, y, x


def scatter(block: Block, coefficients: Coefficients, band: Coefficients, origin: Triple) -> None:
    """Write what of a block lies in `band`, an array (planes, z, y, x) that begins at `origin` of the whole subband."""
    start = tuple(max(a, o) for a, o in zip(block.start, origin, strict=True))
    ends = zip(block.stop, origin, band.shape[1:], strict=True)
    stop = tuple(max(a, min(b, o + n)) for a, (b, o, n) in zip(start, ends, strict=True))
    source = _slices(_minus(start, block.start), _minus(stop, block.start))
    band[block.plane][_slices(_minus(start, origin), _minus(stop, origin))] = coefficients[source]


def _minus(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(p - q for p, q in zip(a, b, strict=True))


def _slices(start: tuple[int, ...], stop: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in zip(start, stop, strict=True))


def _even_part(length: int, longest: int) -> int:
    """The length of blocks, a multiple of 4 at most `longest`, that cuts `length` into as few alike parts as can be."""
    parts = max(1, -(-length // longest))
    return max(1, length) if parts == 1 else min(longest, -(-length // (4 * parts)) * 4)


@lru_cache(maxsize=256)
def _numbers(layout: BlockLayout) -> tuple[range, ...]:
    """The numbers of the blocks of each level, level 0 first."""
    grids = ([layout.grid(level, band) for band in layout.bands(level)] for level in layout.levels)
    *firsts, end = accumulate((layout.planes * sum(map(math.prod, of_level)) for of_level in grids), initial=0)
    return tuple(range(first, stop) for first, stop in zip(firsts, (*firsts[1:], end), strict=True))[::-1]


@lru_cache(maxsize=256)
def _blocks(layout: BlockLayout, level: int) -> tuple[Block, ...]:
    return tuple(_numbered(layout, level))


def _numbered(layout: BlockLayout, level: int) -> Iterator[Block]:
    numbers = iter(layout.numbers(level))
    bands = [(band, layout.band_shape(level, band), layout.grid(level, band)) for band in layout.bands(level)]
    depth, height, width = (max(lengths) for lengths in zip(*(grid for _, _, grid in bands), strict=True))
    for plane, *place in product(range(layout.planes), range(depth), range(height), range(width)):
        for band, shape, grid in bands:
            if all(p < n for p, n in zip(place, grid, strict=True)):
                start = tuple(p * b for p, b in zip(place, layout.block_shape, strict=True))
                stop = tuple(min(a + b, n) for a, b, n in zip(start, layout.block_shape, shape, strict=True))
                yield Block(next(numbers), level, band, plane, start, stop)  # type: ignore[arg-type]
