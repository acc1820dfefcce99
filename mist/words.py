"""Integers of 64 bits as two planes of 32: more than the wavelet and the coder take.

The rule: exact at full resolution. The upper words are a picture by themselves, and alone decide what a reduced level
looks like: there the lower words are what the filter leaves of noise, and change a float64 by less than a millionth.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Planes = npt.NDArray[np.signedinteger]
"""Shape (planes, z, y, x)."""

WORD_BITS = 32

LOWER_RANGE = (0, 2**WORD_BITS - 1)
"""Of the lower words, which have no sign."""

UPPER_RANGE = (-(2 ** (WORD_BITS - 1)), 2 ** (WORD_BITS - 1) - 1)
"""Of the upper words."""


def split(planes: Planes) -> Planes:
    """The upper words of all `planes`, int64, then the lower ones: twice as many planes, int64."""
    return np.concatenate([planes >> WORD_BITS, planes & LOWER_RANGE[1]])


def joined(planes: Planes) -> Planes:
    """The inverse of `split`; words that a filter has driven out of their range are clamped."""
    upper, lower = np.split(planes, 2)
    return np.clip(upper, *UPPER_RANGE) << WORD_BITS | np.clip(lower, *LOWER_RANGE)
