"""Label masks as the places of their labels in a list: the histogram packed.

The rule: exact at every level, since a reduced mask holds no sample that the mask does not (see
`mist.wavelet.MASK_WAVELET`). An image is not packed so: mean and difference of two places mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.integer]

MOST_LISTED: Final = 256
"""The most labels that are listed: their places fit a byte."""

_COUNTED_RANGE: Final = 1 << 16
"""Labels that lie closer together are counted rather than sorted."""


def listed(labels: Labels) -> tuple[npt.NDArray[np.uint8], tuple[int, ...]] | None:
    """The place of each of `labels` in the list of all, the most frequent first, and the list.

    None where there are too many, or where they already are 0 and the whole numbers that follow it: nothing is gained.
    """
    low, high = int(labels.min()), int(labels.max())
    values, counts = _distinct(labels, low, high)
    if len(values) > MOST_LISTED or (low == 0 and high == len(values) - 1):
        return None
    order = np.argsort(-counts, kind="stable")
    places = np.empty(len(values), np.uint8)
    places[order] = np.arange(len(values))
    found = places[np.searchsorted(values, labels)]
    return found, tuple(values[order].tolist())


def unlisted(places: Labels, values: Sequence[int], dtype: npt.DTypeLike) -> Labels:
    """The labels, of `dtype`, at `places` of the list `values`; a place before or behind it is its first or last."""
    return np.array(values, dtype).take(places, mode="clip")


def _distinct(labels: Labels, low: int, high: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The distinct labels in rising order, and how often each comes."""
    if high - low >= _COUNTED_RANGE:
        values, counts = np.unique(labels, return_counts=True)
        return values.astype(np.int64), counts
    counts = np.zeros(high - low + 1, np.int64)
    for part in labels if labels.ndim > 1 else labels[np.newaxis]:  # so that what is cast is a slice
        counts += np.bincount(part.reshape(-1).astype(np.int64) - low, minlength=len(counts))
    there = np.flatnonzero(counts)
    return there + low, counts[there]
