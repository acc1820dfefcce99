"""How true a reduced level is: against a Lanczos-filtered subsample of the full image, on the same grid.

The rule: the reference is made from the full image alone, by the filter that image processing takes for the best
practical one, and is sampled exactly where a level's voxels lie. Knows nothing of how levels are made.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d

_LOBES = 3
"""Lobes of the Lanczos kernel on either side."""


def lanczos_subsample(image: npt.NDArray[np.generic], steps: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Every `steps`-th sample along each axis of `image`, filtered before by a Lanczos kernel of that scale."""
    filtered = image.astype(np.float64)
    for axis, step in enumerate(steps):
        if step > 1:
            filtered = correlate1d(filtered, _kernel(step), axis=axis, mode="mirror")
            filtered = filtered[(slice(None),) * axis + (slice(None, None, step),)]
    return filtered


def psnr(level: npt.NDArray[np.generic], reference: npt.NDArray[np.float64], peak: float) -> float:
    """Peak signal-to-noise ratio in decibels; `peak` is the range of the full image's values.

    Infinite where nothing differs, and for an image of one value, whose levels differ by rounding alone.
    """
    error = float(np.mean((level.astype(np.float64) - reference) ** 2))
    return float("inf") if error == 0 or peak == 0 else 10 * np.log10(peak**2 / error)


def _kernel(step: int) -> npt.NDArray[np.float64]:
    reach = _LOBES * step
    positions = np.arange(-reach + 1, reach) / step
    weights: npt.NDArray[np.float64] = np.sinc(positions) * np.sinc(positions / _LOBES)
    normalised: npt.NDArray[np.float64] = weights / weights.sum()
    return normalised
