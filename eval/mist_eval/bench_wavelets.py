"""What other wavelets would cost and give in place of the one that images are stored with.

The rule: all else is equal: the levels, the blocks and the block coder are those that MIST ships, the tables too, which
were trained on its own wavelet. A level is named by its in-plane reduction, as in `mist_eval.bench_bytes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mist.volume import Volume
from mist.wavelet import IMAGE_WAVELET, WAVELETS, Phase, Step, Wavelet
from mist_eval.integer_volume import IntegerVolume, in_plane_levels

INTERPOLATING = Wavelet("(4,2)", (Step(Phase.ODD, -9, 1, 4), Step(Phase.EVEN, 1, 0, 2)))
"""The integer (4, 2) of Calderbank, Daubechies, Sweldens and Yeo, Applied and Computational Harmonic Analysis 5 (1998):
predicts as 13/7 does and updates as 5/3 does. No scan may be stored with it."""

COMPARED = (WAVELETS[IMAGE_WAVELET], WAVELETS["5/3"], INTERPOLATING)
"""The wavelets that `mist bench wavelets` compares; the first is the one that the others are measured against."""


@dataclass(frozen=True, slots=True)
class WaveletLevel:
    """One level of one scan by each wavelet; all by the wavelet's name."""

    size: Mapping[str, int]
    """Bytes of the level and all coarser ones."""
    psnr: Mapping[str, float]
    """Against a Lanczos-filtered subsample of the full image, in decibels; empty for full resolution."""


def wavelet_levels(volume: Volume) -> dict[int, WaveletLevel]:
    """Each in-plane reduction of `volume`, 0 being full resolution, by each of `COMPARED`."""
    integers = IntegerVolume.of(volume)
    sizes = {wavelet.name: integers.level_bytes(wavelet) for wavelet in COMPARED}
    fidelity = [{}, *integers.level_psnr(COMPARED)]
    return {
        reduction: WaveletLevel({name: ends[level] for name, ends in sizes.items()}, fidelity[level])
        for reduction, level in in_plane_levels(integers.layout.pyramid).items()
    }
