"""The frame of a block: what its first bytes say.

    length of the rest | flags | extents | table | shift | lane lengths | lanes

Lengths are LEB128 varints: seven bits a byte, lowest first, the top bit set on all bytes but the last. Extents, shift
and lane lengths stand only where the flags and the extents call for them.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

# Flags: how the numbers are held in bits 0 and 1, then one bit for each part of the frame that may be left out.
EMPTY: Final = 0
"""All values are 0; nothing follows."""
CODED: Final = 1
"""Numbers are in lanes."""
RAW: Final = 2
"""Numbers are held at a fixed width of whole bits, which one byte states."""
HELD: Final = 3
"""The bits of the flags that say how the numbers are held."""
HAS_EXTENTS: Final = 4
"""The lengths (z, y, x) of the part that is held follow; all else is 0."""
PREDICTED: Final = 8
"""Values are residuals of `mist.codec.prediction`."""
HAS_SHIFT: Final = 16
"""The number of low bits that are held apart follows."""
ALL_FLAGS: Final = 31

VARINT_BYTES: Final = 5
"""The most bytes of a varint: lengths are below 2^35."""

LARGEST_SHIFT: Final = 25
"""The most low bits that are held apart: wherever they begin in a byte, they end within four."""


@numba.njit(nogil=True, cache=True)
def value_limit(itemsize):
    """The magnitude that values of so many bytes stay below: 2^30 or 2^61, so that sums of some of them do not wrap."""
    return min(np.int64(1) << (8 * itemsize - 2), np.int64(1) << 61)


@numba.njit(nogil=True, cache=True)
def take_varint(data, at, end):
    """A varint at `at`, and where it ends; -1 where `end` comes before, or it is too long."""
    value, shift = np.int64(0), np.int64(0)
    for _ in range(VARINT_BYTES):
        if at >= end:
            break
        byte = np.int64(data[at])
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
    return np.int64(-1), at


@numba.njit(nogil=True, cache=True)
def put_varint(out, at, value):
    """Write a varint at `at`; where it ends comes back."""
    while value >= 128:
        out[at] = value & 127 | 128
        at += 1
        value >>= 7
    out[at] = value
    return at + 1
