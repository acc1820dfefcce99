"""Arrays of any NumPy type as arrays of the types that volumes may have.

The rule: every value stays what it was. Knows no format.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mist.errors import SourceRefused
from mist.volume import DTYPES, Voxels

_WIDER = {"bool": "uint8", "float16": "float32"}
"""Types that volumes do not have, and the least one that holds all their values."""

_NARROWER = {"int64": "int32", "uint64": "uint32"}
"""Types whose values often fit in less: masks, above all, are written as int64 by many tools."""


def to_voxels(array: npt.NDArray[Any]) -> Voxels:
    """`array` in native byte order, C order and one of `mist.volume.DTYPES`, values unchanged.

    Raises
    ------
    SourceRefused
        The type is complex or wider than a volume's, or holds a number beyond 32 bits.
    """
    name = array.dtype.name
    target = name if name in DTYPES else _WIDER.get(name) or _NARROWER.get(name)
    if target is None:
        raise SourceRefused(f"samples of type {array.dtype} cannot be stored; save them as one of {', '.join(DTYPES)}")
    if name in _NARROWER and not _fits(array, target):
        found = f"{name} samples from {array.min()} to {array.max()}"
        raise SourceRefused(f"{found} do not fit in {target}; shift or scale them")
    return np.ascontiguousarray(array, dtype=target)


def _fits(array: npt.NDArray[Any], target: str) -> bool:
    bounds = np.iinfo(target)
    return array.size == 0 or bool(array.min() >= bounds.min and array.max() <= bounds.max)
