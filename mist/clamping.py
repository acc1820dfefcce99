"""The compiled loop that clamps integers and casts them, at once: NumPy does one after the other, through a buffer."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt


@numba.njit(nogil=True, cache=True)
def clamp_into(integers: npt.NDArray[np.integer], low: int, high: int, out: npt.NDArray[np.integer]) -> None:
    """Fill `out`, which can hold `low` and `high`, with `integers` clamped to these; both flat, C order."""
    kind = integers.dtype.type
    least, most = kind(low), kind(high)
    for i in range(integers.shape[0]):
        value = integers[i]
        value = max(value, least)
        value = min(value, most)
        out[i] = value
