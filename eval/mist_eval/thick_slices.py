"""Thick slices made of thin ones: what a scanner gives that averages over more of the patient for each slice.

The rule: a thick slice is the mean of a whole number of thin ones, rounded to whole samples, and lies in their middle.
Nothing is resampled. Slices at the end that are too few for a thick one are left out.
"""

from __future__ import annotations

import numpy as np

from mist.errors import InvalidRequest, SourceRefused
from mist.volume import Volume

FEWEST_SLICES = 2
"""A volume of fewer thick slices is none."""


def thick_slices(volume: Volume, spacing_mm: float) -> Volume:
    """`volume` with slices about `spacing_mm` apart.

    Parameters
    ----------
    volume
        Integer samples and a z axis, with spacing in millimetres.
    spacing_mm
        As the whole number of slices comes nearest to it; above 0.

    Raises
    ------
    InvalidRequest
        `spacing_mm` is not above 0.
    SourceRefused
        The volume has no slices, is not of integers or of unknown spacing; or it has too few slices, or slices that
        are as thick already.
    """
    if not spacing_mm > 0:
        raise InvalidRequest(f"slices must be more than 0 mm apart, not {spacing_mm:g}")
    if "z" not in volume.axes or volume.voxels.dtype.kind not in "iu" or not volume.geometry.in_millimetres:
        raise SourceRefused(
            f"thick slices are made of integer slices of known spacing, not of {volume.voxels.dtype} {volume.axes}, "
            f"geometry {volume.geometry.space.value!r}"
        )
    averaged = round(spacing_mm / volume.geometry.spacing[0])
    count = volume.spatial_shape[0] // max(1, averaged)
    if averaged < 2 or count < FEWEST_SLICES:
        raise SourceRefused(
            f"{volume.spatial_shape[0]} slices {volume.geometry.spacing[0]:.3g} mm apart do not make "
            f"{FEWEST_SLICES} or more of {spacing_mm:g} mm"
        )
    return _averaged(volume, averaged, count)


def _averaged(volume: Volume, averaged: int, count: int) -> Volume:
    """`count` slices, each the rounded mean of `averaged` ones."""
    slices = np.moveaxis(volume.voxels, volume.axes.index("z"), 0)[: count * averaged]
    means = np.rint(slices.reshape(count, averaged, *slices.shape[1:]).mean(axis=1))
    thick = np.moveaxis(means.astype(volume.voxels.dtype), 0, volume.axes.index("z"))
    geometry = volume.geometry.resampled((averaged, 1.0, 1.0), ((averaged - 1) / 2, 0.0, 0.0))
    return volume.with_voxels(np.ascontiguousarray(thick), geometry)
