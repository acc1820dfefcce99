"""Numbers as tokens and raw bits: small numbers are tokens themselves, larger ones a power of two and bits.

The rule: 0 to 31 are their own tokens; 32 to 2047 take two tokens for each power of two, with the bits below the second
one raw; all else, and every token that a table leaves out, is `ESCAPE`, six raw bits of length and the raw bits.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

TOKENS: Final = 45
"""Number of tokens."""

ESCAPE: Final = 44
"""The token of numbers that have no other."""

DIRECT: Final = 32
"""Numbers below this are tokens."""

LENGTH_BITS: Final = 6
"""Raw bits after `ESCAPE`: how many bits the number has, 0 to 63."""

RAW_BITS: Final = np.array([0] * DIRECT + [token // 2 - 12 for token in range(DIRECT, ESCAPE)] + [0])
"""Raw bits after each token but `ESCAPE`."""


@intrinsic
def _leading_zeros(_context, _number):
    """The processor's count of leading zeros of an int64: 64 for 0."""

    def build(_context, builder, _signature, arguments):
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return numba.types.int64(numba.types.int64), build


@numba.njit(nogil=True, cache=True, inline="always")
def bit_length(number):
    """How many bits an int64 of at least 0 has; 0 for 0."""
    return 64 - _leading_zeros(np.int64(number))


@numba.njit(nogil=True, cache=True, inline="always")
def token_of(number):
    """The token of an int64 of at least 0."""
    if number < DIRECT:
        return number
    length = bit_length(number)
    if length > 11:
        return np.int64(ESCAPE)
    return 2 * length + 20 + ((number >> (length - 2)) & 1)
