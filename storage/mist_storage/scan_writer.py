"""A volume into the objects of a stored scan.

The rule: what was encoded is decoded again and compared before anything is stored; objects are written whole, the
object of blocks first and `zarr.json` last. Nothing is visible until the catalog has the scan's row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mist.block_table import table_entry
from mist.blocks import BlockLayout, gather
from mist.codec import Json, encode_block
from mist.errors import MistError
from mist.reconstruct import decompose, stored_planes
from mist.request import Request
from mist.scan import Display, ScanHeader, StoredLevel, canonical_json
from mist.volume import Volume
from mist.wavelet import IMAGE_WAVELET, Coefficients, wavelet_named
from mist_storage.kept_source import source_objects
from mist_storage.keys import BLOCKS, SOURCE, ZARR_JSON, scan_key
from mist_storage.scan_reader import BytesReader, ScanReader
from mist_storage.store import Store
from mist_storage.zarr_shard import header_digest, level_digest, scan_digest, shard, zarr_json


class EncodingFailed(MistError, RuntimeError):
    """A scan did not come back from its own encoding bit for bit: a defect in MIST, nothing was stored."""


@dataclass(frozen=True, slots=True)
class EncodedScan:
    """A scan ready to be stored."""

    header: ScanHeader
    """What readers must know."""
    blocks: bytes = field(repr=False)
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


def encode_scan(volume: Volume, wavelet: str = IMAGE_WAVELET, display: Display | None = None) -> EncodedScan:
    """`volume` as a header and an object of blocks.

    Raises
    ------
    SourceRefused
        Its samples cannot be held exactly: see `mist.samples.to_integers`.
    """
    planes, samples, colour, layout = stored_planes(volume)
    by_level = _encoded_blocks(planes, layout, wavelet)
    header = ScanHeader(
        axes=volume.axes,
        shape=volume.voxels.shape,
        samples=samples,
        colour=colour,
        geometry=volume.geometry,
        rescale=volume.rescale,
        display=display or Display(),
        wavelet=wavelet,
        halved=layout.pyramid.halved,
        block_shape=layout.block_shape,
        levels=_stored_levels(by_level),
    )
    # As every reader will have it: numbers that JSON spells in two ways (1 and 1.0) must not give two digests.
    read_back = ScanHeader.from_json(json.loads(canonical_json(header.to_json())))
    return EncodedScan(read_back, shard([block for blocks in by_level for block in blocks]))


def write_scan(  # noqa: PLR0913 - each names one part of what is stored
    store: Store,
    scan_id: str,
    volume: Volume,
    *,
    wavelet: str = IMAGE_WAVELET,
    display: Display | None = None,
    sources: Sequence[Mapping[str, Json]] = (),
    kept: bytes | None = None,
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
        What is kept of the files beside the voxels, one after the other; see `mist.kept_file`.

    Raises
    ------
    SourceRefused
        The samples cannot be held exactly.
    EncodingFailed
        The encoding does not give the voxels back.
    StoreError
        The store failed; what was written is not visible.
    """
    encoded = encode_scan(volume, wavelet, display)
    _check(encoded, scan_id, volume)
    source = source_objects(sources, kept)
    digest = scan_digest(encoded.header, source[SOURCE])
    objects = {BLOCKS: encoded.blocks, **source, ZARR_JSON: zarr_json(encoded.header)}
    for name, data in objects.items():
        store.put(scan_key(scan_id, digest, name), data)
    return StoredScan(scan_id, digest, encoded.header, sum(map(len, objects.values())))


def _encoded_blocks(planes: Coefficients, layout: BlockLayout, wavelet: str) -> list[list[bytes]]:
    """The blocks' bytes, level by level from the coarsest."""
    bands = decompose(planes, layout, wavelet_named(wavelet))
    return [[encode_block(block) for _, block in gather(layout, level, bands[level])] for level in layout.levels]


def _stored_levels(by_level: Sequence[Sequence[bytes]]) -> tuple[StoredLevel, ...]:
    """Ends and digests, level 0 first, of levels of blocks given coarsest first."""
    ends = np.cumsum([sum(map(len, blocks)) for blocks in by_level])
    digests = [level_digest(map(table_entry, blocks)) for blocks in by_level]
    return tuple(StoredLevel(int(end), digest) for end, digest in zip(ends, digests, strict=True))[::-1]


def _check(encoded: EncodedScan, scan_id: str, volume: Volume) -> None:
    """Read the scan back from its bytes through the reader that everyone uses."""
    reader = ScanReader(BytesReader(encoded.blocks), scan_id, header_digest(encoded.header), encoded.header)
    back = reader.read(Request()).voxels
    if back.dtype != volume.voxels.dtype or back.tobytes() != volume.voxels.tobytes():
        raise EncodingFailed(f"scan {scan_id!r} did not come back from its encoding; nothing was stored; please report")
