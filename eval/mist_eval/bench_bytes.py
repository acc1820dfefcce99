"""What MIST stores and sends at each resolution, beside its rivals.

The rule: sizes are those of real encodings of every scan given; nothing is estimated. A resolution is named by its
in-plane reduction, `1/2`, `1/4` and so on. Ratios are of totals; geometric means over scans stand beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mist.samples import to_integers
from mist.scan import ScanHeader
from mist.volume import Volume, to_planes
from mist.wavelet import IMAGE_WAVELET, MASK_WAVELET, coefficient_dtype, forward, wavelet_named
from mist_eval.fidelity import lanczos_subsample, psnr
from mist_eval.rivals import HTJ2K, RIVALS, fits, htj2k_prefixes, nifti_gz_bytes, pyramid_bytes
from mist_eval.volumes import NamedVolume
from mist_storage.scan_writer import encode_scan

MIST = "MIST"
RIVAL_WAVELET = "5/3"
"""HTJ2K's and JPEG 2000's reversible wavelet, against whose levels ours are compared for fidelity."""


@dataclass(frozen=True, slots=True)
class ScanSizes:
    """One scan's sizes in bytes."""

    name: str
    is_volume: bool
    thick: bool
    """Whether a volume's slices are more than twice as far apart as its pixels."""
    full: dict[str, int]
    """Full size by codec."""
    mist_levels: dict[int, int]
    """MIST's prefix for each in-plane reduction, 0 being full resolution."""
    htj2k_levels: dict[int, int]
    """The same for HTJ2K, all slices together."""
    psnr_gain: dict[int, float]
    """PSNR of our level less that of the 5/3 level, in decibels, by in-plane reduction; empty for masks."""


def scan_sizes(named: NamedVolume) -> ScanSizes | None:
    """The sizes of a scan; None where the rivals cannot take its samples."""
    planes = _planes(named.volume)
    if not fits(planes):
        return None
    header = encode_scan(named.volume, MASK_WAVELET if named.is_mask else IMAGE_WAVELET).header
    slices = planes.reshape(-1, *planes.shape[2:])
    streams = [HTJ2K.encode(plane) for plane in slices]
    full = {rival.name: sum(len(rival.encode(plane)) for plane in slices) for rival in RIVALS if rival is not HTJ2K}
    prefixes = [htj2k_prefixes(stream) for stream in streams]
    pyramids = [pyramid_bytes(plane) for plane in planes]
    z, y, x = named.volume.geometry.spacing
    return ScanSizes(
        named.name,
        is_volume="z" in named.volume.axes,
        thick="z" in named.volume.axes and z > 2 * max(y, x),
        full={
            MIST: header.levels[0].end_byte,
            HTJ2K.name: sum(map(len, streams)),
            **full,
            "OME-Zarr pyramid": sum(map(sum, pyramids)),
            "nii.gz": sum(nifti_gz_bytes(plane) for plane in planes),
        },
        mist_levels=_in_plane_levels(header),
        htj2k_levels={
            reduction: sum(ends[reduction] for ends in prefixes) for reduction in range(min(map(len, prefixes)))
        },
        psnr_gain={} if named.is_mask else _psnr_gain(named.volume, header),
    )


def _planes(volume: Volume) -> npt.NDArray[np.int64]:
    """The integers that hold a volume, (planes, z, y, x)."""
    integers, _ = to_integers(volume.voxels)
    return np.asarray(to_planes(integers, volume.axes), np.int64)


def _in_plane_levels(header: ScanHeader) -> dict[int, int]:
    """The prefix of the coarsest level of each in-plane reduction."""
    levels: dict[int, int] = {}
    for level, stored in enumerate(header.levels):
        reduction = sum("y" in axes or "x" in axes for axes in header.halved[:level])
        levels[reduction] = stored.end_byte
    return levels


def _psnr_gain(volume: Volume, header: ScanHeader) -> dict[int, float]:
    """How much truer each level of our wavelet is than the same level by 5/3."""
    ours, theirs = (_levels(volume, header, name) for name in (IMAGE_WAVELET, RIVAL_WAVELET))
    planes = _planes(volume)
    peak = float(planes.max() - planes.min())
    gains: dict[int, float] = {}
    for level in range(1, len(header.levels)):
        reduction = sum("y" in axes for axes in header.halved[:level])
        reference = lanczos_subsample(planes, (1, *header.pyramid.steps(level)))
        if peak > 0:
            gains[reduction] = psnr(ours[level], reference, peak) - psnr(theirs[level], reference, peak)
    return gains


def _levels(volume: Volume, header: ScanHeader, wavelet: str) -> list[npt.NDArray[np.signedinteger]]:
    """The voxels of each level by a wavelet, clamped as they are delivered, full resolution first."""
    integers, samples = to_integers(volume.voxels)
    low = np.ascontiguousarray(to_planes(integers, volume.axes), coefficient_dtype(samples.low, samples.high))
    levels = [low]
    for axes in header.halved:
        low = forward(low, axes, wavelet_named(wavelet))[""]
        levels.append(np.clip(low, samples.low, samples.high))
    return levels
