"""What MIST stores and sends at each resolution, beside its rivals.

The rule: sizes are those of real encodings of every scan given; nothing is estimated. A resolution is named by its
in-plane reduction, `1/2`, `1/4` and so on. Ratios are of totals; geometric means over scans stand beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mist.volume import Volume
from mist.wavelet import IMAGE_WAVELET, wavelet_named
from mist_eval.integer_volume import IntegerVolume, in_plane_levels
from mist_eval.rivals import HTJ2K, RIVALS, fits, htj2k_prefixes, nifti_gz_bytes, pyramid_bytes
from mist_storage.scan_writer import encode_scan

MIST = "MIST"
RIVAL_WAVELET = "5/3"
"""HTJ2K's and JPEG 2000's reversible wavelet, against whose levels ours are compared for fidelity."""


@dataclass(frozen=True, slots=True)
class ScanSizes:
    """One scan's sizes in bytes."""

    full: dict[str, int]
    """Full size by codec."""
    mist_levels: dict[int, int]
    """MIST's prefix for each in-plane reduction, 0 being full resolution."""
    htj2k_levels: dict[int, int]
    """The same for HTJ2K, all slices together."""
    psnr_gain: dict[int, float]
    """PSNR of our level less that of the 5/3 level, in decibels, by in-plane reduction."""


def scan_sizes(volume: Volume) -> ScanSizes | None:
    """The sizes of an image; None where the rivals cannot take its samples."""
    integers = IntegerVolume.of(volume)
    if not fits(integers.planes):
        return None
    streams = [HTJ2K.encode(plane) for plane in integers.slices]
    full = {rival.name: sum(map(len, map(rival.encode, integers.slices))) for rival in RIVALS if rival is not HTJ2K}
    header = encode_scan(volume).header
    levels = in_plane_levels(header.pyramid)
    return ScanSizes(
        full={
            MIST: header.levels[0].end_byte,
            HTJ2K.name: sum(map(len, streams)),
            **full,
            "OME-Zarr pyramid": sum(sum(pyramid_bytes(plane)) for plane in integers.planes),
            "nii.gz": sum(nifti_gz_bytes(plane) for plane in integers.planes),
        },
        mist_levels={reduction: header.levels[level].end_byte for reduction, level in levels.items()},
        htj2k_levels=_htj2k_levels(streams),
        psnr_gain=_psnr_gain(integers, levels),
    )


def _htj2k_levels(streams: list[bytes]) -> dict[int, int]:
    """The prefixes of all slices' codestreams together, by in-plane reduction."""
    prefixes = [htj2k_prefixes(stream) for stream in streams]
    return {reduction: sum(ends[reduction] for ends in prefixes) for reduction in range(min(map(len, prefixes)))}


def _psnr_gain(integers: IntegerVolume, levels: dict[int, int]) -> dict[int, float]:
    """How much truer each reduced level of our wavelet is than the same level by 5/3, where either differs at all."""
    fidelity = integers.level_psnr([wavelet_named(IMAGE_WAVELET), wavelet_named(RIVAL_WAVELET)])
    found = {reduction: fidelity[level - 1] for reduction, level in levels.items() if level > 0}
    gains = {reduction: by[IMAGE_WAVELET] - by[RIVAL_WAVELET] for reduction, by in found.items()}
    return {reduction: gain for reduction, gain in gains.items() if np.isfinite(gain)}
