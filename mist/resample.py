"""Resampling a level to a grid that no level has, with anti-aliasing; label masks by nearest neighbour.

The rule: a grid is given in voxels of level 0, so that a size or a spacing means the same grid whichever level it is
made from. Pillow does the filtering. Knows nothing of blocks or bytes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from mist.plan import Plan
from mist.scan import ScanHeader
from mist.subbands import Coefficients
from mist.wavelet import MASK_WAVELET


def resample(crop: Coefficients, plan: Plan, header: ScanHeader) -> Coefficients:
    """`crop`, the plan's crop of its level (planes, z, y, x), on the plan's grid; as it is where there is no grid."""
    if plan.grid is None:
        return crop
    nearest = header.wavelet == MASK_WAVELET
    for axis, step in enumerate(header.pyramid.steps(plan.level)):
        # In voxels of the crop: where the first new voxel is centred, and how far apart they are.
        first = plan.grid.offset[axis] / step - plan.crop.start[axis]
        apart = plan.grid.scale[axis] / step
        count = plan.grid.shape[axis]
        if (first, apart, count) != (0.0, 1.0, crop.shape[1 + axis]):
            method = _nearest if nearest else _filtered
            crop = np.moveaxis(method(np.moveaxis(crop, 1 + axis, -1), first, apart, count), -1, 1 + axis)
    return crop


def _nearest(lines: Coefficients, first: float, apart: float, count: int) -> Coefficients:
    indices = np.floor(first + apart * np.arange(count) + 0.5).astype(np.intp)
    return lines[..., np.clip(indices, 0, lines.shape[-1] - 1)]


def _filtered(lines: Coefficients, first: float, apart: float, count: int) -> Coefficients:
    """Lanczos along the last axis. Edges are repeated as far as the new grid reaches over them."""
    left, right = first - apart / 2 + 0.5, first + apart * (count - 0.5) + 0.5  # edges, pixel i being [i, i + 1)
    before, after = _whole_above(-left), _whole_above(right - lines.shape[-1])
    flat = lines.reshape(-1, lines.shape[-1]).astype(np.float32)
    padded = np.pad(flat, ((0, 0), (before, after)), mode="edge")
    box = (left + before, 0.0, min(right + before, float(padded.shape[1])), float(padded.shape[0]))
    image = Image.fromarray(padded).resize((count, padded.shape[0]), Image.Resampling.LANCZOS, box=box)
    filtered: npt.NDArray[np.float64] = np.rint(np.asarray(image, dtype=np.float64))
    return filtered.astype(lines.dtype).reshape(*lines.shape[:-1], count)


def _whole_above(length: float) -> int:
    return max(0, int(np.ceil(length)))
