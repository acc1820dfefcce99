"""How fast scans are decoded and encoded, beside the libraries that others use; one thread each.

The rule: bytes lie in memory, and every decoded voxel is compared with the original once. MIST's time is that of the
whole way from stored bytes to voxels: digests apart, entropy decoding, inverse wavelet, clamping.
"""

from __future__ import annotations

from dataclasses import dataclass

import imagecodecs
import numpy as np
import numpy.typing as npt

from mist.block_table import walk_blocks
from mist.codec import Table, block_spans, decode_blocks_into
from mist.errors import ScanCorrupt
from mist.plan import make_plan
from mist.reconstruct import Fill, Reconstruction
from mist.request import Request
from mist.scan import ScanHeader
from mist.subbands import Coefficients
from mist.volume import Volume
from mist_eval.integer_volume import IntegerVolume, in_plane_levels
from mist_eval.paired_timing import PairedTime, paired_time
from mist_eval.rivals import HTJ2K, Plane, encode_htj2k, fits, htj2k_levels, signed
from mist_storage.scan_writer import encode_scan

QUARTER = 2
"""The in-plane reduction called 1/4."""


@dataclass(frozen=True, slots=True)
class CodecSpeed:
    """One scan's times."""

    voxels: int
    decode: PairedTime
    """MIST to full resolution, as a multiple of OpenJPH."""
    decode_openjpeg: PairedTime
    """The same, of OpenJPEG."""
    quarter: PairedTime | None
    """MIST to 1/4, as a multiple of MIST to full resolution; None where there is no such level."""
    encode: PairedTime
    """MIST, as a multiple of OpenJPH."""


@dataclass(frozen=True, slots=True)
class StoredBlocks:
    """A scan in memory."""

    header: ScanHeader
    blocks: bytes | memoryview
    """The object of blocks."""
    spans: Table
    """Where in it each block begins and ends."""

    @classmethod
    def of(cls, volume: Volume) -> StoredBlocks:
        """A volume, encoded."""
        encoded = encode_scan(volume)
        header = encoded.header
        blocks = walk_blocks(memoryview(encoded.blocks)[: header.levels[0].end_byte], header.layout.count)
        return cls(header, encoded.blocks, block_spans(map(len, blocks)))

    def read(self, level: int) -> Volume:
        """A level, decoded by this thread alone."""
        reconstruction = Reconstruction(self.header, make_plan(self.header, Request(level=level)))
        levels = range(self.header.pyramid.coarsest, level - 1, -1)
        while levels:
            count = reconstruction.together(levels)
            reconstruction.refine(self._fill(levels[:count]), levels=count)
            levels = levels[count:]
        return reconstruction.volume()

    def _fill(self, levels: range) -> Fill:
        first, last = (self.header.layout.numbers(level) for level in (levels[0], levels[-1]))
        spans = self.spans[first.start : last.stop]

        def fill(chunk: slice, out: Coefficients, places: Table) -> None:
            decode_blocks_into(self.blocks, spans[chunk], self.header.block_shape, out, places)

        return fill


def codec_speed(volume: Volume) -> CodecSpeed | None:
    """The times of a scan; None where the rivals cannot take its samples.

    Raises
    ------
    ScanCorrupt
        A codec did not give the voxels back.
    """
    integers = IntegerVolume.of(volume)
    if not fits(integers.planes):
        return None
    slices = integers.slices
    ours, htj2k = StoredBlocks.of(volume), [HTJ2K.encode(plane) for plane in slices]
    jpeg2k = [_openjpeg(plane) for plane in slices]
    _require_equal("MIST", ours.read(0).voxels, volume.voxels)
    for plane, stream, other in zip(slices, htj2k, jpeg2k, strict=True):
        _require_equal("OpenJPH", imagecodecs.htj2k_decode(stream), signed(plane))
        _require_equal("OpenJPEG", imagecodecs.jpeg2k_decode(other), signed(plane))
    quarter = in_plane_levels(ours.header.pyramid).get(QUARTER)
    return CodecSpeed(
        volume.voxels.size,
        paired_time(lambda: ours.read(0), lambda: [imagecodecs.htj2k_decode(stream) for stream in htj2k]),
        paired_time(lambda: ours.read(0), lambda: [imagecodecs.jpeg2k_decode(stream) for stream in jpeg2k], pairs=4),
        None if quarter is None else paired_time(lambda: ours.read(quarter), lambda: ours.read(0)),
        paired_time(lambda: encode_scan(volume), lambda: [encode_htj2k(plane) for plane in slices]),
    )


def _openjpeg(plane: Plane) -> bytes:
    resolutions = htj2k_levels(plane) + 1
    return bytes(
        imagecodecs.jpeg2k_encode(signed(plane), level=0, codecformat="j2k", reversible=True, resolutions=resolutions)
    )


def _require_equal(codec: str, found: npt.NDArray[np.generic], expected: npt.NDArray[np.generic]) -> None:
    if not np.array_equal(found, expected):
        raise ScanCorrupt(codec, 0, "a codec under measurement did not give the voxels back")
