"""Numbers as tokens and raw bits: small numbers are tokens themselves, larger ones a power of two and bits.

The rule: 0 to 63 are their own tokens; 64 to 2047 take two tokens for each power of two, with the bits below the second
one raw; larger ones take one token for each power of two, with all bits below it raw. While a block is coded, a token
goes by its code: one byte that also says about how large the number is.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

DIRECT: Final = 64
"""Numbers below this are tokens."""

LONG: Final = 74
"""The first token that stands for one bit length alone: numbers of 12 bits."""

TOKENS: Final = 126
"""Number of tokens: the last one stands for numbers of 63 bits."""

RAW_BITS: Final = np.array(
    [0] * DIRECT + [token // 2 - 27 for token in range(DIRECT, LONG)] + [token - 63 for token in range(LONG, TOKENS)],
    np.uint8,
)
"""Raw bits after each token."""

CODES: Final = np.array([*range(DIRECT), 80, 112, 144, 168, 180, 184, 188, 192, 196, 200, *range(204, 256)], np.uint8)
"""The code of each token: its number, or where that is large something that still grows with it."""

ESCAPE_CODE: Final = 64
"""The code, of no token, that says that a token follows which the table leaves out."""

TOKEN_OF: Final = np.zeros(256, np.uint8)
"""The token of each code; 0 for what is no token's."""
TOKEN_OF[CODES] = np.arange(TOKENS)


@intrinsic
def leading_zeros(_context, number):
    """The processor's count of leading zeros of a whole number, of the same type; all its bits for 0."""

    def build(_context, builder, _signature, arguments):
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return number(number), build


@numba.njit(nogil=True, cache=True, inline="always")
def bit_length(number):
    """How many bits an int64 of at least 0 has; 0 for 0."""
    return 64 - leading_zeros(np.int64(number))


@numba.njit(nogil=True, cache=True, inline="always")
def token_of(number):
    """The token of an int64 of at least 0."""
    if number < DIRECT:
        return number
    length = bit_length(number)
    if length > 11:
        return length + 62
    return 2 * length + 50 + ((number >> (length - 2)) & 1)


@numba.njit(nogil=True, cache=True, inline="always")
def number_of(token, raw):
    """The number of a token of at least `DIRECT` and its raw bits, int64."""
    if token < LONG:
        return ((2 | (token & 1)) << ((token >> 1) - 27)) | raw
    return (np.int64(1) << (token - 63)) | raw
