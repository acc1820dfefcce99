"""A volume on its way into storage, for measurements: its integers, the levels that wavelets make of them, their bytes.

The rule: axes, levels and blocks are those that `mist ingest` would choose, and the block coder is the one that is
shipped; the wavelet alone is free, and need not be one that scans may be stored with. Knows no rivals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from mist.blocks import LOW_PASS, BlockLayout
from mist.colour import Colour, restored, stored
from mist.encoded_level import encoded_level
from mist.pyramid import Pyramid
from mist.reconstruct import decompose, stored_planes
from mist.samples import SampleMap
from mist.subbands import Coefficients
from mist.volume import Volume
from mist.wavelet import Wavelet, forward
from mist_eval.fidelity import lanczos_subsample, psnr


@dataclass(frozen=True, slots=True, eq=False)
class IntegerVolume:
    """The integers that hold a volume, and how they would be cut.

    Parameters
    ----------
    planes
        int32 or int64, (planes, z, y, x).
    samples
        How they hold the volume's samples.
    colour
        How channels would be held as planes; `planes` are the channels themselves.
    layout
        Levels and blocks.
    """

    planes: Coefficients
    samples: SampleMap
    colour: Colour
    layout: BlockLayout

    @classmethod
    def of(cls, volume: Volume) -> Self:
        """The integers of `volume`."""
        planes, samples, colour, layout = stored_planes(volume)
        return cls(restored(planes, colour), samples, colour, layout)

    @property
    def slices(self) -> list[Coefficients]:
        """Each slice of each plane, (y, x)."""
        return list(self.planes.reshape(-1, *self.planes.shape[2:]))

    def level_bytes(self, wavelet: Wavelet) -> list[int]:
        """What each level takes with all coarser ones, by `wavelet`, full resolution first."""
        bands = decompose(stored(self.planes, self.colour), self.layout, wavelet)
        own = [
            sum(len(block) for block in encoded_level(self.layout, level, bands[level])) for level in self.layout.levels
        ]
        return [int(end) for end in np.cumsum(own)[::-1]]

    def level_voxels(self, wavelet: Wavelet) -> Iterator[Coefficients]:
        """Each level by `wavelet`, clamped as it is delivered, level 1 first."""
        low = stored(self.planes, self.colour)
        for axes in self.layout.pyramid.halved:
            low = forward(low, axes, wavelet)[LOW_PASS]
            yield np.clip(restored(low, self.colour), self.samples.low, self.samples.high)

    def level_psnr(self, wavelets: Sequence[Wavelet]) -> list[Mapping[str, float]]:
        """How true each level is, level 1 first: PSNR in decibels by the wavelet's name.

        The reference is a Lanczos-filtered subsample; the peak is the range of the full image's values.
        """
        made = zip(*(self.level_voxels(wavelet) for wavelet in wavelets), strict=True)
        return [self._psnr_of(level, wavelets, voxels) for level, voxels in enumerate(made, start=1)]

    def _psnr_of(self, level: int, wavelets: Sequence[Wavelet], voxels: Sequence[Coefficients]) -> Mapping[str, float]:
        peak = float(self.samples.high - self.samples.low)
        reference = lanczos_subsample(self.planes, (1, *self.layout.pyramid.steps(level)))
        return {wavelet.name: psnr(made, reference, peak) for wavelet, made in zip(wavelets, voxels, strict=True)}


def in_plane_levels(pyramid: Pyramid) -> dict[int, int]:
    """For each in-plane reduction, 0 being full resolution and k being 1/2^k, the finest level that has it.

    A level is named by the in-plane axis that is reduced most, so it never has less resolution than another image that
    is reduced so often along both.
    """
    levels: dict[int, int] = {}
    for level in range(pyramid.coarsest + 1):
        _, y, x = pyramid.steps(level)
        levels.setdefault(max(y, x).bit_length() - 1, level)
    return levels
