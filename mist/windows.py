"""What of each level, subband and block must be rebuilt to have a box of one level.

The rule: boxes and nothing else. Scans of one shape that are read alike, as those of a dataset are, have the same
answers, so the latest ones are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from mist.blocks import Block, BlockLayout
from mist.geometry import SPATIAL_AXES
from mist.pyramid import Pyramid, Triple
from mist.request import Box


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a block goes in an array of what is needed of its subband.

    Parameters
    ----------
    block
        The block.
    origin
        Where in the subband that array begins.
    start, stop
        The block's box, padding left out, in that array; it may reach beyond.
    inside
        Whether it does not.
    """

    block: Block
    origin: Triple
    start: Triple
    stop: Triple
    inside: bool


@dataclass(frozen=True, slots=True)
class LevelPart:
    """What is needed of the subbands stored for one level.

    Parameters
    ----------
    shapes
        The lengths (z, y, x) that are needed of each subband; a length is 0 where it has no samples there.
    placements
        The blocks that it is made from, in order of storage.
    """

    shapes: Mapping[str, Triple]
    placements: tuple[Placement, ...]


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
def level_part(layout: BlockLayout, level: int, window: Box, margin: int) -> LevelPart:
    """What of the subbands stored for `level` is needed to rebuild `window` of it."""
    pyramid, coarsest = layout.pyramid, level == layout.pyramid.coarsest
    low = window if coarsest else _coarser(window, pyramid.halved[level], margin, pyramid.level_shape(level + 1))
    ends = {band: _least(low.stop, layout.band_shape(level, band)) for band in layout.bands(level)}
    shapes = {band: _lengths(low.start, end) for band, end in ends.items()}
    boxes = {band: Box(low.start, ends[band]) for band, shape in shapes.items() if min(shape) > 0}
    placed = ((block, boxes[block.band]) for block in layout.blocks(level) if block.band in boxes)
    placements = tuple(_placement(block, box) for block, box in placed if box.meets(block.start, block.stop))
    return LevelPart(MappingProxyType(shapes), placements)


def _placement(block: Block, box: Box) -> Placement:
    inside = all(a <= b and c <= d for a, b, c, d in zip(box.start, block.start, block.stop, box.stop, strict=True))
    return Placement(block, box.start, _less(block.start, box.start), _less(block.stop, box.start), inside)


def _coarser(window: Box, halved: str, margin: int, limits: Sequence[int]) -> Box:
    """The box of the next coarser level, of shape `limits`, on which `window` depends."""
    start, stop = list(window.start), list(window.stop)
    for axis, name in enumerate(SPATIAL_AXES):
        if name in halved:
            start[axis] = max(0, window.start[axis] // 2 - margin)
            stop[axis] = min(limits[axis], (window.stop[axis] + 1) // 2 + margin)
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _least(a: Triple, b: Triple) -> Triple:
    z, y, x = map(min, a, b)
    return z, y, x


def _less(place: Triple, origin: Triple) -> Triple:
    """`place`, counted from `origin`."""
    z, y, x = (a - b for a, b in zip(place, origin, strict=True))
    return z, y, x


def _lengths(start: Triple, stop: Triple) -> Triple:
    z, y, x = (max(0, b - a) for a, b in zip(start, stop, strict=True))
    return z, y, x
