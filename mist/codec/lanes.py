"""Coding the numbers of a lane: tokens by range asymmetric numeral systems (rANS), the rest as raw bits.

The rule: a lane is a strip of a block's rows through all of its slices, and stands alone: its low bits first, at a
fixed width; then the rANS state and words, read forwards; then the raw bits, read backwards from the lane's end. Both
readers check every byte against the other's place before they take it, so that no bytes make them read or write
elsewhere.

rANS: Duda, arXiv:1311.2540 (2013); interleaving of streams: Giesen, arXiv:1402.3392 (2014).
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from mist.codec.context import LARGEST_MAGNITUDE, row_sums
from mist.codec.tables import FREQUENCY_BITS, FREQUENCY_TOTAL
from mist.codec.tokens import DIRECT, ESCAPE, LENGTH_BITS, bit_length, token_of

LANES: Final = 4
"""Lanes of a block, where it is large enough."""

SMALLEST_FOUR_LANES: Final = 4096
"""A block of fewer numbers has one lane: the bytes of a further lane would outweigh what it is for."""

STATE_BYTES: Final = 4
"""A lane's rANS state comes first, little-endian; words are 16 bits, little-endian."""

_LOWEST_STATE = np.uint64(1 << 16)
_SLOT_MASK = np.uint64(FREQUENCY_TOTAL - 1)
_SHIFT = np.uint64(FREQUENCY_BITS)
_WORD = np.uint64(16)
_BYTE = np.uint64(8)


@numba.njit(nogil=True, cache=True)
def lane_count(depth, height, width):
    """How many lanes a block has; of `n`, lane `i` has the rows [i * height // n, (i + 1) * height // n)."""
    return LANES if depth * height * width >= SMALLEST_FOUR_LANES and height >= LANES else 1


# ------------------------------------------------------------------------------------------------------------- encoding


@numba.njit(nogil=True, cache=True)
def model_lane(numbers, shift, lookup, tokens, contexts):
    """Fill `tokens` and `contexts`, uint8, for all `numbers`, int64 (slices, rows, columns), less their low bits."""
    depth, height, width = numbers.shape
    magnitudes = np.empty((depth, height, width), np.uint16)
    sums = np.empty(width, np.int32)
    top = lookup.shape[0] - 1
    at = 0
    for z in range(depth):
        for y in range(height):
            weight_w, weight_ww, w = row_sums(magnitudes, z, y, height, sums)
            ww = w
            for x in range(width):
                number = numbers[z, y, x] >> shift
                contexts[at] = lookup[min((sums[x] + weight_w * w + weight_ww * ww) >> 2, top)]
                tokens[at] = token_of(number)
                at += 1
                ww = w
                w = np.int32(min(number, LARGEST_MAGNITUDE))
                magnitudes[z, y, x] = w


@numba.njit(nogil=True, cache=True, inline="always")
def _put_bits(out, at, held, count, bits, width):
    """Append `width` <= 32 bits to the bits `held`, moving whole bytes to `out`."""
    held |= bits << np.uint64(count)
    count += width
    while count >= 8:
        out[at] = held & np.uint64(255)
        at += 1
        held >>= _BYTE
        count -= 8
    return at, held, count


@numba.njit(nogil=True, cache=True, inline="always")
def _put_long(out, at, held, count, bits, width):
    """`_put_bits` for up to 64 bits."""
    while width > 0:
        part = min(width, 32)
        at, held, count = _put_bits(out, at, held, count, bits & np.uint64((1 << part) - 1), part)
        bits >>= np.uint64(part)
        width -= part
    return at, held, count


@numba.njit(nogil=True, cache=True)
def _put_low_bits(numbers, shift, out, at):
    held, count = np.uint64(0), 0
    mask = (np.int64(1) << shift) - 1
    flat = numbers.reshape(-1)
    for i in range(flat.shape[0]):
        at, held, count = _put_long(out, at, held, count, np.uint64(flat[i] & mask), shift)
    if count > 0:
        out[at] = held
        at += 1
    return at


@numba.njit(nogil=True, cache=True)
def _put_raw_bits(numbers, shift, tokens, frequencies, contexts, out):
    """Write the raw bits of all numbers to `out`, and turn tokens that the table leaves out into `ESCAPE`."""
    held, count, at = np.uint64(0), 0, 0
    flat = numbers.reshape(-1)
    for i in range(flat.shape[0]):
        number, token = flat[i], tokens[i]
        if token == ESCAPE or frequencies[contexts[i], token] == 0:
            tokens[i] = ESCAPE
            length = bit_length(number >> shift)
            at, held, count = _put_bits(out, at, held, count, np.uint64(length), LENGTH_BITS)
            raw = max(length - 1, 0)
        else:
            raw = token // 2 - 12 if token >= DIRECT else 0
        if raw > 0:
            bits = (number >> shift) & ((np.int64(1) << raw) - 1)
            at, held, count = _put_long(out, at, held, count, np.uint64(bits), raw)
    if count > 0:
        out[at] = held
        at += 1
    return at


@numba.njit(nogil=True, cache=True)
def _put_words(tokens, contexts, frequencies, starts, words):
    """Write the rANS words, last one first, to `words`; their number and the final state come back."""
    state, count = _LOWEST_STATE, 0
    for i in range(tokens.shape[0] - 1, -1, -1):
        frequency = np.uint64(frequencies[contexts[i], tokens[i]])
        if state >= frequency << np.uint64(32 - FREQUENCY_BITS):
            words[count] = state & np.uint64(0xFFFF)
            count += 1
            state >>= _WORD
        whole = np.uint32(state) // np.uint32(frequency)
        rest = state - np.uint64(whole) * frequency
        state = (np.uint64(whole) << _SHIFT) + rest + np.uint64(starts[contexts[i], tokens[i]])
    return count, state


@numba.njit(nogil=True, cache=True)
def encode_lane(numbers, shift, tokens, contexts, frequencies, starts, out, at):
    """Write a lane to `out` from `at` on; where it ends comes back. `out` must have `lane_room` bytes."""
    if shift > 0:
        at = _put_low_bits(numbers, shift, out, at)
    raw = np.empty(9 * numbers.size + 16, np.uint8)
    raw_bytes = _put_raw_bits(numbers, shift, tokens, frequencies, contexts, raw)
    words = np.empty(numbers.size + 4, np.uint16)
    count, state = _put_words(tokens, contexts, frequencies, starts, words)
    for _ in range(STATE_BYTES):
        out[at] = state & np.uint64(255)
        state >>= _BYTE
        at += 1
    for i in range(count - 1, -1, -1):
        out[at], out[at + 1] = words[i] & 255, words[i] >> 8
        at += 2
    for i in range(raw_bytes - 1, -1, -1):
        out[at] = raw[i]
        at += 1
    return at


# ------------------------------------------------------------------------------------------------------------- decoding


@numba.njit(nogil=True, cache=True)
def read_bits(data, begin, width, out, rows):
    """Fill the first `rows` rows of all slices of `out` with numbers of `width` <= 32 bits from `begin` of `data` on.

    The caller has checked that the bytes are there.
    """
    held, count, at = np.uint64(0), 0, begin
    mask = (np.uint64(1) << np.uint64(width)) - np.uint64(1)
    for z in range(out.shape[0]):
        for y in range(rows):
            for x in range(out.shape[2]):
                while count < width:
                    held |= np.uint64(data[at]) << np.uint64(count)
                    at += 1
                    count += 8
                out[z, y, x] = held & mask
                held >>= np.uint64(width)
                count -= width


@numba.njit(nogil=True, cache=True, inline="always")
def _take_bits(data, front, back, held, count, width):
    """`width` <= 32 raw bits from before `back`; `back` < `front` comes back where there are too few."""
    while count < width:
        back -= 1
        if back < front:
            return back, held, count, np.uint64(0)
        held |= np.uint64(data[back]) << np.uint64(count)
        count += 8
    bits = held & ((np.uint64(1) << np.uint64(width)) - np.uint64(1))
    return back, held >> np.uint64(width), count - width, bits


@numba.njit(nogil=True, cache=True)
def _take_number(token, data, front, back, held, count):
    """The number of a token of at least `DIRECT`, with its raw bits."""
    if token < ESCAPE:
        width = (token >> 1) - 12
        back, held, count, bits = _take_bits(data, front, back, held, count, width)
        return ((2 | (token & 1)) << width) | np.int64(bits), back, held, count
    back, held, count, length = _take_bits(data, front, back, held, count, LENGTH_BITS)
    if length <= np.uint64(1) or back < front:
        return np.int64(length), back, held, count
    width = np.int64(length) - 1
    low, low_width = np.uint64(0), np.int64(0)
    if width > 32:
        low_width = np.int64(32)
        back, held, count, low = _take_bits(data, front, back, held, count, low_width)
        if back < front:
            return np.int64(0), back, held, count
    back, held, count, high = _take_bits(data, front, back, held, count, width - low_width)
    return (np.int64(1) << width) | np.int64(high << np.uint64(low_width) | low), back, held, count


@numba.njit(nogil=True, cache=True, inline="always")
def _state_at(data, at):
    state = np.uint64(data[at]) | np.uint64(data[at + 1]) << np.uint64(8)
    return state | np.uint64(data[at + 2]) << np.uint64(16) | np.uint64(data[at + 3]) << np.uint64(24)


@numba.njit(nogil=True, cache=True, inline="always")
def next_state(state, span):
    """The state after a token whose frequency and start are `span`: see `mist.codec.tables.DecodingTables`."""
    frequency, start = np.uint64(span & np.uint32(0xFFFF)), np.uint64(span >> np.uint32(16))
    return frequency * (state >> _SHIFT) + (state & _SLOT_MASK) - start


@numba.njit(nogil=True, cache=True)
def decode_lane(data, begin, end, symbols, ranges, lookup, largest, magnitudes, numbers, height):
    """Fill the first `height` rows of `numbers` (slices, rows, columns) from what follows a lane's low bits.

    That is the bytes [begin, end) of `data`. False where they are no lane, or a number is above `largest`, which is at
    least 31. `magnitudes` is scratch, uint16, of the same shape as `numbers`.
    """
    depth, _, width = numbers.shape
    if end - begin < STATE_BYTES:
        return False
    state, front, back = _state_at(data, begin), begin + STATE_BYTES, end
    held, count, top = np.uint64(0), 0, lookup.shape[0] - 1
    sums = np.empty(width, np.int32)
    for z in range(depth):
        for y in range(height):
            weight_w, weight_ww, w = row_sums(magnitudes, z, y, height, sums)
            ww = w
            for x in range(width):
                context = lookup[min((sums[x] + weight_w * w + weight_ww * ww) >> 2, top)]
                token = symbols[context, state & _SLOT_MASK]
                state = next_state(state, ranges[context, token])
                if state < _LOWEST_STATE:
                    if front + 2 > back:
                        return False
                    state = state << _WORD | np.uint64(data[front]) | np.uint64(data[front + 1]) << _BYTE
                    front += 2
                number = np.int64(token)
                if number >= DIRECT:
                    number, back, held, count = _take_number(number, data, front, back, held, count)
                    if back < front or number > largest:
                        return False
                ww = w
                w = np.int32(min(number, LARGEST_MAGNITUDE))
                magnitudes[z, y, x] = w
                numbers[z, y, x] = number
    return state == _LOWEST_STATE and front == back
