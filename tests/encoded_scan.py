"""A scan held in memory: volumes to encoded blocks and back, with the pure core alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mist.blocks import BlockLayout, block_shape_for
from mist.codec import Table, block_spans, decode_blocks_into
from mist.encoded_level import encoded_level
from mist.plan import make_plan
from mist.pyramid import Pyramid, Triple
from mist.reconstruct import Reconstruction, decompose, stored_planes
from mist.request import Request
from mist.scan import Display, ScanHeader, StoredLevel
from mist.subbands import Coefficients
from mist.volume import Volume
from mist.wavelet import IMAGE_WAVELET, MASK_WAVELET, wavelet_named


@dataclass(frozen=True, slots=True)
class EncodedScan:
    """What would be stored."""

    header: ScanHeader
    """What a reader must know."""
    blocks: tuple[bytes, ...]
    """The blocks' bytes, by number."""

    def read(self, request: Request) -> Volume:
        """What `request` asks for, from no other blocks than those that the reconstruction wants."""
        plan = make_plan(self.header, request)
        reconstruction = Reconstruction(self.header, plan)
        for _ in range(self.header.pyramid.coarsest, plan.level - 1, -1):
            self.refine(reconstruction)
        return reconstruction.volume()

    def refine(self, reconstruction: Reconstruction, levels: int = 1) -> None:
        """One step of a reconstruction, over so many levels."""
        finer = range(reconstruction.level - 1, reconstruction.level - 1 - levels, -1)
        wanted = [self.blocks[block.number] for block in reconstruction.wanted(*finer)]

        def fill(chunk: slice, out: Coefficients, places: Table) -> None:
            blocks = wanted[chunk]
            spans = block_spans(map(len, blocks))
            decode_blocks_into(b"".join(blocks), spans, self.header.block_shape, out, places)

        reconstruction.refine(fill, levels=levels)


def encode_scan(
    volume: Volume,
    wavelet: str = IMAGE_WAVELET,
    halved: tuple[str, ...] | None = None,
    block_shape: Triple | None = None,
) -> EncodedScan:
    """`volume` as it would be stored; the levels and blocks that MIST would choose, unless given."""
    planes, samples, colour, usual = stored_planes(volume, is_mask=wavelet == MASK_WAVELET)
    pyramid = usual.pyramid if halved is None else Pyramid(volume.spatial_shape, halved)
    layout = BlockLayout(pyramid, len(planes), block_shape or block_shape_for(volume.axes, pyramid))
    stored = decompose(planes, layout, wavelet_named(wavelet))
    encoded = {level: list(map(bytes, encoded_level(layout, level, stored[level]))) for level in layout.levels}
    ends = np.cumsum([sum(map(len, encoded[level])) for level in layout.levels])[::-1]
    header = ScanHeader(
        axes=volume.axes,
        shape=volume.voxels.shape,
        samples=samples,
        colour=colour,
        geometry=volume.geometry,
        rescale=volume.rescale,
        display=Display(),
        wavelet=wavelet,
        halved=pyramid.halved,
        block_shape=layout.block_shape,
        levels=tuple(StoredLevel(int(end), "0" * 64) for end in ends),
    )
    return EncodedScan(header, tuple(block for level in layout.levels for block in encoded[level]))
