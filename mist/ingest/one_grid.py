"""Whether a mask lies on the voxels of its image.

The rule: a mask is paired with its image voxel by voxel, so both have one shape, and each voxel of the mask lies nearer
to its own voxel of the image than to any other. Where positions are not known, spacings are compared; where these are
not known either, nothing more can be. What a segmentation's labels are put on is the image's own grid: that is
`mist.ingest.dicom_segments`.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from mist.errors import SourceRefused
from mist.geometry import Geometry, Space
from mist.ingest.source import SourceScan

_NEAREST = 0.5 + 1e-3
"""Voxels: how far a voxel of the mask may lie from its own of the image, along any axis; beyond the half by what
float32 headers round off."""
_REMEDY = (
    "resample the mask onto the image's grid, correct the header that is wrong, "
    "or take the mask out of the table to store it by itself"
)


def require_one_grid(image: SourceScan, mask: SourceScan) -> None:
    """Refuse a mask whose voxels are not those of its image.

    Raises
    ------
    SourceRefused
        They differ in shape, in where they lie, or in spacing.
    """
    shape, other = image.decoded.volume.spatial_shape, mask.decoded.volume.spatial_shape
    if shape != other:
        found = f"{image.scan_id} has {shape}, {mask.scan_id} has {other}"
        raise SourceRefused(f"an image and its mask differ in shape (z, y, x): {found}")
    distance = _distance(image.decoded.volume.geometry, mask.decoded.volume.geometry, shape)
    if distance > _NEAREST:
        raise SourceRefused(
            f"mask {mask.scan_id} does not lie on its image {image.scan_id}: voxels of the same index are up to "
            f"{distance:.3g} voxels apart by their headers; {_REMEDY}"
        )


def _distance(image: Geometry, mask: Geometry, shape: tuple[int, int, int]) -> float:
    """How far voxels of the same index lie apart at most along an axis of the image, in its voxels, as far as known."""
    if not (image.in_millimetres and mask.in_millimetres):
        return 0.0
    corners = np.array(list(product(*((0, length - 1) for length in shape))), dtype=np.float64)
    if image.space is mask.space is Space.PATIENT:
        found = np.linalg.solve(image.affine[:3, :3], (mask.positions(corners) - image.affine[:3, 3]).T).T
    else:
        found = corners * mask.spacing / image.spacing
    return float(np.abs(found - corners).max())
