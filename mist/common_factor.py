"""The factor of which all magnitudes of a float image are whole multiples.

The rule: most float images are integers times a slope that a program wrote and rounded; the slope is found again from
the values alone. What is found is a proposal, which the caller proves on every sample. Knows no image.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

END_OF_COUNTS = 2**31
"""More often than this the factor may not go into a magnitude: counts are stored as 32-bit integers."""

_INT64_END = 2**63

_NEIGHBOURS = np.array([0, 1, -1, 2, -2, 3, -3])
"""In units in the last place, nearest first: more than the rounding of two bounds and their middle can amount to."""


def common_factor(magnitudes: npt.NDArray[np.floating]) -> float | None:
    """A factor of which all of the sorted, distinct `magnitudes` are whole multiples after rounding, or None.

    A first estimate counts how many times the factor goes into each magnitude. Each magnitude then bounds the factor:
    it must round to that magnitude when multiplied by its count. Any factor within all bounds will do; those of
    float64 magnitudes are as narrow as a float64 itself, so the neighbours of the middle are tried, too.
    """
    exact = magnitudes.astype(np.float64)
    if exact[-1] < _INT64_END and np.array_equal(exact, np.rint(exact)):
        return float(np.gcd.reduce(exact.astype(np.int64)) or 1)
    values = exact[exact > 0]
    least_gap = float(np.diff(exact).min(initial=values[0]))
    if values[-1] / least_gap >= END_OF_COUNTS:
        return None
    counts = np.rint(values / _refined(least_gap, values))
    wanted = magnitudes[magnitudes > 0]
    half_ulp = np.spacing(wanted).astype(np.float64) / 2
    middle = (((values - half_ulp) / counts).max() + ((values + half_ulp) / counts).min()) / 2
    nearest = middle + np.spacing(middle) * _NEIGHBOURS
    return next((float(at) for at in nearest if np.array_equal((counts * at).astype(wanted.dtype), wanted)), None)


def _refined(factor: float, values: npt.NDArray[np.float64]) -> float:
    """An estimated `factor`, made finer with each of the rising `values`, which it divides ever more often."""
    for value in values.tolist():
        factor = value / max(1, round(value / factor))
    return factor
