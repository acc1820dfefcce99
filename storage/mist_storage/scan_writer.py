"""A volume into the objects of a stored scan.

The rule: what was encoded is decoded again and compared before anything is stored; objects are written whole, the
object of blocks first and `zarr.json` last. Nothing is visible until the catalog has the scan's row.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import IO

import numpy as np

from mist.block_table import entry_length, table_entry
from mist.codec import Json
from mist.encoded_level import encoded_level
from mist.errors import MistError
from mist.geometry import SPATIAL_AXES
from mist.pyramid import Triple
from mist.reconstruct import StoredPlanes, halvings, narrow_planes, planes_dtype
from mist.request import Box, Request
from mist.scan import Display, ScanHeader, StoredLevel, canonical_json
from mist.volume import Volume, Voxels
from mist.wavelet import IMAGE_WAVELET, MASK_WAVELET, wavelet_named
from mist_storage.kept_source import source_objects
from mist_storage.keys import BLOCKS, SOURCE, ZARR_JSON, scan_key
from mist_storage.scan_reader import BytesReader, ScanReader
from mist_storage.store import Store
from mist_storage.workspace import MEMORY, Workspace
from mist_storage.zarr_shard import level_digest, scan_digest, shard_tables, zarr_json


class EncodingFailed(MistError, RuntimeError):
    """A scan did not come back from its own encoding bit for bit: a defect in MIST, nothing was stored."""


@dataclass(frozen=True, slots=True)
class EncodedScan:
    """A scan ready to be stored."""

    header: ScanHeader
    """What readers must know."""
    blocks: memoryview = field(repr=False)
    """The object of blocks."""


@dataclass(frozen=True, slots=True)
class StoredScan:
    """What has been stored."""

    scan_id: str
    digest: str
    """The digest under which the scan's objects lie."""
    header: ScanHeader
    stored_bytes: int
    """Size of all objects of the scan."""


def encode_scan(
    volume: Volume,
    wavelet: str = IMAGE_WAVELET,
    display: Display | None = None,
    workspace: Workspace = MEMORY,
) -> EncodedScan:
    """`volume` as a header and an object of blocks."""
    stored = narrow_planes(volume, is_mask=wavelet == MASK_WAVELET)
    by_level = _encoded_levels(stored, wavelet, workspace)
    header = ScanHeader(
        axes=volume.axes,
        shape=volume.voxels.shape,
        samples=stored.samples,
        colour=stored.colour,
        geometry=volume.geometry,
        rescale=volume.rescale,
        display=display or Display(),
        wavelet=wavelet,
        halved=stored.layout.pyramid.halved,
        block_shape=stored.layout.block_shape,
        levels=_stored_levels(by_level),
    )
    # As every reader will have it: numbers that JSON spells in two ways (1 and 1.0) must not give two digests.
    read_back = ScanHeader.from_json(json.loads(canonical_json(header.to_json())))
    return EncodedScan(read_back, _shard(by_level, workspace))


def write_scan(  # noqa: PLR0913 - each names one part of what is stored
    store: Store,
    scan_id: str,
    volume: Volume,
    *,
    wavelet: str = IMAGE_WAVELET,
    display: Display | None = None,
    sources: Sequence[Mapping[str, Json]] = (),
    kept: bytes | None = None,
    workspace: Workspace = MEMORY,
) -> StoredScan:
    """Encode `volume`, check that it comes back, and write its objects; the catalog is left alone.

    Parameters
    ----------
    store
        The dataset's store.
    scan_id
        See `mist_storage.keys.checked_scan_id`.
    wavelet
        `mist.wavelet.MASK_WAVELET` for label masks.
    sources
        What is said of each source file: its name, size, SHA-256, and how it comes back.
    kept
        What is kept of the files beside the voxels, one after the other; see `mist.kept_bytes`.
    workspace
        Where there is room for what is needed meanwhile.

    Raises
    ------
    EncodingFailed
        The encoding does not give the voxels back.
    StoreError
        The store failed; what was written is not visible.
    """
    encoded = encode_scan(volume, wavelet, display, workspace)
    source = source_objects(sources, kept)
    digest = scan_digest(encoded.header, source[SOURCE])
    _check(encoded, scan_id, digest, volume, workspace.slab_bytes)
    objects: dict[str, bytes | memoryview] = {BLOCKS: encoded.blocks, **source, ZARR_JSON: zarr_json(encoded.header)}
    for name, data in objects.items():
        store.put(scan_key(scan_id, digest, name), data)
    return StoredScan(scan_id, digest, encoded.header, sum(map(len, objects.values())))


@dataclass(frozen=True, slots=True)
class _EncodedLevel:
    """The blocks of a level."""

    blocks: IO[bytes]
    """One after the other."""
    entries: list[bytes]
    """Of the block table."""

    @property
    def bytes(self) -> int:
        return sum(map(entry_length, self.entries))


def _encoded_levels(stored: StoredPlanes, wavelet: str, workspace: Workspace) -> list[_EncodedLevel]:
    """The levels, coarsest first. They are made finest first, so that only one level's subbands are there at a time."""
    dtype = planes_dtype(stored.samples, stored.colour)
    cut = halvings(stored.planes, stored.layout, wavelet_named(wavelet), dtype, workspace.room)
    made = []
    for level, bands in cut:
        made.append(_EncodedLevel(workspace.spool(), []))
        for data in encoded_level(stored.layout, level, bands):
            made[-1].blocks.write(data)
            made[-1].entries.append(table_entry(data))
        bands.clear()  # before those of the next level are made
    return made[::-1]


def _shard(by_level: Sequence[_EncodedLevel], workspace: Workspace) -> memoryview:
    """The object of blocks, of levels given coarsest first, which are spent."""
    whole = workspace.spool()
    for level in by_level:
        level.blocks.seek(0)
        shutil.copyfileobj(level.blocks, whole)
        level.blocks.close()
    whole.write(shard_tables([entry for level in by_level for entry in level.entries]))
    return workspace.content(whole)


def _stored_levels(by_level: Sequence[_EncodedLevel]) -> tuple[StoredLevel, ...]:
    """Ends and digests, level 0 first, of levels given coarsest first."""
    ends = np.cumsum([level.bytes for level in by_level])
    digests = [level_digest(level.entries) for level in by_level]
    return tuple(StoredLevel(int(end), digest) for end, digest in zip(ends, digests, strict=True))[::-1]


def _check(encoded: EncodedScan, scan_id: str, digest: str, volume: Volume, slab_bytes: int) -> None:
    """Read the scan back from its bytes, slab by slab, through the reader that everyone uses."""
    reader = ScanReader(BytesReader(encoded.blocks), scan_id, digest, encoded.header)
    for region in _slabs(volume, encoded.header.block_shape, slab_bytes):
        spatial = dict(zip(SPATIAL_AXES, region.slices(), strict=True))
        expected = volume.voxels[tuple(spatial.get(axis, slice(None)) for axis in volume.axes)]
        if not _same_bits(reader.read(Request(region=region)).voxels, expected):
            raise EncodingFailed(
                f"scan {scan_id!r} did not come back from its encoding; nothing was stored; please report"
            )


def _slabs(volume: Volume, block_shape: Triple, slab_bytes: int) -> Iterator[Box]:
    """`volume` cut into boxes, along which blocks need be decoded twice only where boxes meet."""
    shape = volume.spatial_shape
    sides = _slab_sides(shape, block_shape, math.prod(shape) * slab_bytes // volume.voxels.nbytes)
    first = (range(0, length, side) for length, side in zip(shape, sides, strict=True))
    for z, y, x in product(*first):
        stop = (min(a + side, length) for a, side, length in zip((z, y, x), sides, shape, strict=True))
        yield Box((z, y, x), tuple(stop))  # type: ignore[arg-type] # three of them


def _slab_sides(shape: Triple, block_shape: Triple, voxels: int) -> Triple:
    """Lengths of boxes of about so many voxels: cut along z first, then y, then x, in pairs of blocks."""
    sides = list(shape)
    for axis, length in enumerate(shape):
        pair = 2 * block_shape[axis]  # a block of details, and the one beside it
        pairs = voxels * sides[axis] // (math.prod(sides) * pair)
        sides[axis] = min(length, max(1, pairs) * pair)
    return sides[0], sides[1], sides[2]


def _same_bits(some: Voxels, other: Voxels) -> bool:
    """Whether two arrays are alike in every bit: NaN and the sign of zero too."""
    if (some.dtype, some.shape) != (other.dtype, other.shape):
        return False
    bits = f"u{some.dtype.itemsize}"
    return np.array_equal(np.ascontiguousarray(some).view(bits), np.ascontiguousarray(other).view(bits))
