"""What of each level, subband and block must be rebuilt to have a box of one level.

The rule: boxes and places, no values. Scans of one shape that are read alike, as those of a dataset are, have the same
answers, so the latest ones are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from types import MappingProxyType

from mist.blocks import Block, BlockLayout
from mist.codec import Table, block_places
from mist.geometry import SPATIAL_AXES
from mist.pyramid import Pyramid, Triple
from mist.request import Box

Band = tuple[int, str]
"""A subband: its level, and its name."""

CHUNK_BLOCKS = 16
"""Blocks that are decoded together: enough for their lanes to be, few enough for all cores to have some."""


@dataclass(frozen=True, slots=True)
class BandPart:
    """What is needed of a subband, and where it lies in the array that the blocks of a level are decoded into.

    Parameters
    ----------
    first
        Where it begins.
    shape
        (planes, z, y, x); a length is 0 where the subband has no samples that are needed.
    origin
        Where in the subband it begins, (z, y, x).
    """

    first: int
    shape: tuple[int, int, int, int]
    origin: Triple

    @property
    def last(self) -> int:
        """Where it ends."""
        return self.first + math.prod(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Blocks that are decoded together.

    Parameters
    ----------
    wanted
        Which of the wanted blocks.
    places
        Where they go: see `mist.codec.block_places`.
    loose
        Where all of a block is not needed, the blocks and where each begins: they then go to an array of their own, one
        behind the other, and what is needed is copied from there.
    size
        The length of that array.
    """

    wanted: slice
    places: Table
    loose: tuple[tuple[Block, int], ...]
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class LevelsPart:
    """What is needed of the subbands stored for some levels.

    Parameters
    ----------
    bands
        Each subband's part, by level and name.
    blocks
        The blocks that they are made from, in order of storage.
    chunks
        The same blocks, a few together.
    size
        The length of the array that holds the subbands' parts.
    """

    bands: Mapping[Band, BandPart]
    blocks: tuple[Block, ...]
    chunks: tuple[Chunk, ...]
    size: int


@lru_cache(maxsize=256)
def level_windows(pyramid: Pyramid, level: int, crop: Box, margin: int) -> Mapping[int, Box]:
    """The box of each level, from `level` to the coarsest, that must be rebuilt to have `crop` of `level`.

    `margin` is that of the wavelet: see `mist.wavelet.Wavelet.margin`.
    """
    windows = {level: crop}
    for finer in range(level, pyramid.coarsest):
        windows[finer + 1] = _coarser(windows[finer], pyramid.halved[finer], margin, pyramid.level_shape(finer + 1))
    return MappingProxyType(windows)


@lru_cache(maxsize=64)
def levels_part(layout: BlockLayout, windows: tuple[tuple[int, Box], ...], margin: int) -> LevelsPart:
    """What of the subbands stored for some levels, coarse to fine, is needed to rebuild a window of each."""
    boxes = {
        (level, band): _clipped(low, layout.band_shape(level, band))
        for level, low in _low_windows(layout.pyramid, windows, margin)
        for band in layout.bands(level)
    }
    bands = _bands(boxes, layout.planes)
    there = {band: Box(*box) for band, box in boxes.items() if all(a < b for a, b in zip(*box, strict=True))}
    all_blocks = (block for level, _ in windows for block in layout.blocks(level))
    blocks = tuple(
        b for b in all_blocks if (b.level, b.band) in there and there[b.level, b.band].meets(b.start, b.stop)
    )
    slices = [slice(first, first + CHUNK_BLOCKS) for first in range(0, len(blocks), CHUNK_BLOCKS)]
    chunks = tuple(_chunk(wanted, blocks[wanted], bands, there) for wanted in slices)
    return LevelsPart(MappingProxyType(bands), blocks, chunks, max(part.last for part in bands.values()))


def _low_windows(pyramid: Pyramid, windows: Iterable[tuple[int, Box]], margin: int) -> Iterator[tuple[int, Box]]:
    """The levels, and what of the low-pass subband each of the `windows` takes: the coarsest is its own."""
    for level, window in windows:
        if level == pyramid.coarsest:
            yield level, window
        else:
            yield level, _coarser(window, pyramid.halved[level], margin, pyramid.level_shape(level + 1))


def _chunk(wanted: slice, blocks: Sequence[Block], bands: Mapping[Band, BandPart], boxes: Mapping[Band, Box]) -> Chunk:
    """`blocks` together, the `wanted` ones: where they go of `bands`, if all of them lie in the `boxes` needed."""
    if all(_is_inside(block, boxes[block.level, block.band]) for block in blocks):
        return Chunk(wanted, block_places(_place(block, bands[block.level, block.band]) for block in blocks), (), 0)
    shapes = [_less(block.stop, block.start) for block in blocks]
    *firsts, size = accumulate(map(math.prod, shapes), initial=0)
    places = ((first, shape, (0, 0, 0), shape) for first, shape in zip(firsts, shapes, strict=True))
    return Chunk(wanted, block_places(places), tuple(zip(blocks, firsts, strict=True)), size)


def _bands(boxes: Mapping[Band, tuple[Triple, Triple]], planes: int) -> dict[Band, BandPart]:
    """The parts [start, stop) of some subbands, one behind the other."""
    bands, first = {}, 0
    for band, (start, stop) in boxes.items():
        z, y, x = (max(0, b - a) for a, b in zip(start, stop, strict=True))
        bands[band] = BandPart(first, (planes, z, y, x), start)
        first = bands[band].last
    return bands


def _place(block: Block, part: BandPart) -> tuple[int, Triple, Triple, Triple]:
    """Where a block goes of its subband's `part`."""
    shape = part.shape[1:]
    first = part.first + block.plane * math.prod(shape)
    return first, shape, _less(block.start, part.origin), _less(block.stop, part.origin)


def _is_inside(block: Block, box: Box) -> bool:
    return all(a <= b and c <= d for a, b, c, d in zip(box.start, block.start, block.stop, box.stop, strict=True))


def _clipped(window: Box, shape: Triple) -> tuple[Triple, Triple]:
    """The start and the stop of `window`, the latter within `shape`."""
    z, y, x = map(min, window.stop, shape)
    return window.start, (z, y, x)


def _coarser(window: Box, halved: str, margin: int, limits: Sequence[int]) -> Box:
    """The box of the next coarser level, of shape `limits`, on which `window` depends."""
    start, stop = list(window.start), list(window.stop)
    for axis, name in enumerate(SPATIAL_AXES):
        if name in halved:
            start[axis] = max(0, window.start[axis] // 2 - margin)
            stop[axis] = min(limits[axis], (window.stop[axis] + 1) // 2 + margin)
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _less(place: Triple, origin: Triple) -> Triple:
    """`place`, counted from `origin`."""
    z, y, x = (a - b for a, b in zip(place, origin, strict=True))
    return z, y, x
