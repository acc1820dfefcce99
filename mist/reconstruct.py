"""From volumes to levels of blocks, and from blocks back to volumes.

The rule: `decompose` and `Reconstruction` are the only two ways between voxels and blocks. A reconstruction starts at
the coarsest level and refines, level by level; what it holds is never decoded twice. Knows nothing of bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from mist.blocks import LOW_PASS, Block, BlockLayout, block_shape_for, scatter
from mist.codec import Table
from mist.colour import Colour, colour_for, colour_range, restored, stored
from mist.errors import InvalidRequest
from mist.plan import Plan
from mist.pyramid import Pyramid
from mist.resample import resample
from mist.samples import SampleMap, from_integers, to_integers
from mist.scan import ScanHeader
from mist.scratch import scratch_for
from mist.subbands import Bands, Coefficients, Room
from mist.volume import Volume, from_planes, plane_counts, to_planes
from mist.wavelet import Run, Wavelet, coefficient_dtype, forward, inverse
from mist.windows import Chunk, LevelsPart, levels_part
from mist.words import joined, split

Fill = Callable[[slice, Coefficients, Table], None]
"""Decodes the blocks of a slice of those that are wanted into an array of one axis, to the places that the table says:
all of them, or it raises. It may be called from several threads. See `mist.codec.decode_blocks_into`."""

MOST_VALUES_TOGETHER = 1 << 18
"""The most coefficients of levels that are decoded by one call: as many as stay in a core's cache."""


class StoredPlanes(NamedTuple):
    """A volume as what the wavelet is applied to."""

    planes: Coefficients
    """(planes, z, y, x)."""
    samples: SampleMap
    """How samples are held as integers."""
    colour: Colour
    """How channels are held as planes."""
    layout: BlockLayout
    """The levels and blocks that suit the volume."""


def stored_planes(volume: Volume, *, is_mask: bool = False) -> StoredPlanes:
    """The planes of `volume`, and how they are to be cut; `is_mask` if only wavelets that mix no samples will do."""
    planes, samples, colour, layout = narrow_planes(volume, is_mask=is_mask)
    return StoredPlanes(np.ascontiguousarray(planes, planes_dtype(samples, colour)), samples, colour, layout)


def narrow_planes(volume: Volume, *, is_mask: bool = False) -> StoredPlanes:
    """The same, of any integer type: often a view of the voxels. They are to be cast to what `planes_dtype` says."""
    integers, samples = to_integers(volume.voxels, are_labels=is_mask)
    colour = colour_for(plane_counts(volume.axes, volume.voxels.shape)[1], *samples.stored_range)
    planes: Any = to_planes(integers, volume.axes)
    if samples.is_wide:
        planes = split(planes)
    if colour is not Colour.SEPARATE:  # differences need the wider type
        planes = stored(np.ascontiguousarray(planes, planes_dtype(samples, colour)), colour)
    pyramid = Pyramid.for_spacing(volume.spatial_shape, volume.geometry.spacing)
    layout = BlockLayout(pyramid, len(planes), block_shape_for(volume.axes, pyramid))
    return StoredPlanes(planes, samples, colour, layout)


def planes_dtype(samples: SampleMap, colour: Colour) -> np.dtype[np.signedinteger]:
    """The type in which planes are lifted."""
    return coefficient_dtype(*colour_range(colour, *samples.stored_range))


def decompose(planes: Coefficients, layout: BlockLayout, wavelet: Wavelet) -> dict[int, Bands]:
    """The subbands to be stored for each level, from voxels (planes, z, y, x)."""
    return dict(halvings(planes, layout, wavelet))


def halvings(
    planes: Coefficients,
    layout: BlockLayout,
    wavelet: Wavelet,
    dtype: np.dtype[np.signedinteger] | None = None,
    room: Room = np.empty,
) -> Iterator[tuple[int, Bands]]:
    """Each level, the finest first, and the subbands to be stored for it: none is made before the one before is used.

    Parameters
    ----------
    planes
        Voxels (planes, z, y, x).
    dtype
        That of the subbands; the planes' own if None.
    room
        Makes the arrays for the subbands.
    """
    for level, axes in enumerate(layout.pyramid.halved):
        bands = forward(planes, axes, wavelet, dtype, room)
        planes = bands.pop(LOW_PASS)
        yield level, bands
        del bands  # before there are those of the next level
    yield layout.pyramid.coarsest, {LOW_PASS: planes if dtype is None else planes.astype(dtype, copy=False)}


class Reconstruction:
    """The voxels of a plan's windows, from the coarsest level to the plan's own.

    `wanted(level)` says which blocks `refine` needs next; call it for each level from the coarsest to `plan.level`, or
    for several levels at once, as `together` says.
    """

    def __init__(self, header: ScanHeader, plan: Plan) -> None:
        self._header = header
        self._plan = plan
        self._layout = header.layout
        self._level = header.pyramid.coarsest + 1
        self._low: Coefficients | None = None
        self._scratch = scratch_for(self)

    @property
    def level(self) -> int:
        """The level that has been reached; one more than the coarsest before the first `refine`."""
        return self._level

    def together(self, levels: Sequence[int]) -> int:
        """How many of `levels`, coarse to fine, are best refined at once: the first, and the small ones that follow.

        The few blocks of a small level do not keep a core busy; those of several do.
        """
        values = accumulate(map(self._layout.level_values, levels))
        return max(1, sum(value <= MOST_VALUES_TOGETHER for value in values))

    def wanted(self, *levels: int) -> tuple[Block, ...]:
        """The blocks of `levels`, coarse to fine, that their windows are made from, in order of storage."""
        return self._part(levels).blocks

    def refine(self, fill: Fill, run: Run = map, *, levels: int = 1) -> None:
        """Go so many levels finer; `fill` is called, by `run`, until it was for all that `wanted` names for them.

        Whatever `fill` raises is raised; nothing is ever filled in for a block that it cannot give.
        """
        part = self._part(range(self._level - 1, self._level - 1 - levels, -1))
        for level, bands in self._assembled(part, fill, run).items():
            self._low = bands[LOW_PASS] if self._low is None else self._merged(level, bands, self._low, run)
            self._level = level

    def volume(self) -> Volume:
        """The voxels of the level that has been reached: what the plan asks for once that is the plan's own."""
        if self._low is None:
            raise InvalidRequest("no level has been read yet")
        header, plan = self._header, self._plan
        integers = restored(self._low, header.colour)
        if self._level == plan.level:
            integers, geometry = resample(integers, plan, header), plan.geometry
        else:
            whole = header.pyramid.level_geometry(self._level, header.geometry)
            geometry = whole.cropped(plan.windows[self._level].start)
        channels = plane_counts(header.axes, header.shape)[1]
        if header.samples.is_wide:
            integers = joined(integers)
        voxels = from_planes(from_integers(integers, header.samples), header.axes, channels)
        return Volume(voxels, header.axes, geometry, header.rescale)

    def _origin(self, level: int) -> tuple[int, int, int]:
        """Where, in voxels of `level`, the array begins that the inverse transform of the windows gives."""
        coarser, halved = self._plan.windows[level + 1], self._layout.pyramid.halved[level]
        z, y, x = (2 * a if axis in halved else a for axis, a in zip("zyx", coarser.start, strict=True))
        return z, y, x

    def _merged(self, level: int, bands: Bands, low: Coefficients, run: Run) -> Coefficients:
        """The window of `level`, from its subbands and the level before, which are spent."""
        halved, lifting = self._layout.pyramid.halved[level], self._header.lifting
        whole = inverse({LOW_PASS: low} | bands, halved, lifting, run, self._room(level))
        return whole[:, *self._plan.windows[level].slices(self._origin(level))]

    def _part(self, levels: Sequence[int]) -> LevelsPart:
        windows = tuple((level, self._plan.windows[level]) for level in levels)
        return levels_part(self._layout, windows, self._header.lifting.margin)

    def _assembled(self, part: LevelsPart, fill: Fill, run: Run) -> dict[int, Bands]:
        """By level, the parts of its subbands that the plan needs, from its blocks."""
        name = "bands" if self._low is not None else "low-pass"  # which the next level is made from
        held = self._scratch.empty(name, (part.size,), self._header.coefficients)
        levels: dict[int, Bands] = {}
        for (level, band), one in part.bands.items():
            levels.setdefault(level, {})[band] = held[one.first : one.last].reshape(one.shape)

        def act(chunk: Chunk) -> None:
            out = np.empty(chunk.size, held.dtype) if chunk.loose else held
            fill(chunk.wanted, out, chunk.places)
            for block, first in chunk.loose:
                z, y, x = (b - a for a, b in zip(block.start, block.stop, strict=True))
                values, target = out[first : first + z * y * x].reshape(z, y, x), part.bands[block.level, block.band]
                scatter(block, values, levels[block.level][block.band], target.origin)

        deque(run(act, part.chunks), maxlen=0)
        return levels

    def _room(self, level: int) -> Room:
        """Where the array of `level` goes: not to where that of the coarser one is, from which it is made."""
        name = f"level {level % 2}"
        return lambda shape, dtype: self._scratch.empty(name, shape, dtype)
