"""The numbers of a block into the bytes of its lanes.

The rule: what can be said before a table set is chosen (codes, raw bits, contexts) is said first; rANS runs backwards,
over all lanes together. See `mist.codec.lanes` for what a lane is.
"""

from __future__ import annotations

import numba
import numpy as np

from mist.codec.context import COLUMNS_BEFORE, COLUMNS_OUTSIDE, CONTEXTS, close_row, context_of, open_row
from mist.codec.lanes import LOWEST_STATE, STATE_BYTES, STATE_SHIFT, WORD_BITS, tile_grid, tile_of
from mist.codec.tables import ESCAPED_FREQUENCY, FREQUENCY_BITS, SYMBOL_OF, SYMBOLS
from mist.codec.tokens import CODES, DIRECT, RAW_BITS, TOKEN_OF, token_of


@numba.njit(nogil=True, cache=True, inline="always")
def _put_bits(out, at, held, count, bits, width):
    """Append `width` <= 32 bits to the bits `held`, moving whole bytes to `out`."""
    held |= bits << np.uint64(count)
    count += width
    while count >= 8:
        out[at] = held & np.uint64(255)
        at += 1
        held >>= np.uint64(8)
        count -= 8
    return at, held, count


@numba.njit(nogil=True, cache=True)
def _put_long(out, at, held, count, bits, width):
    """`_put_bits` for up to 64 bits."""
    while width > 0:
        part = min(width, 32)
        at, held, count = _put_bits(out, at, held, count, bits & np.uint64((1 << part) - 1), part)
        bits >>= np.uint64(part)
        width -= part
    return at, held, count


@numba.njit(nogil=True, cache=True)
def write_codes(numbers, shift, codes, raw):
    """Fill `codes` from the upper bits of `numbers` (z, y, x), and `raw` (lanes, bytes) with their raw bits.

    How many bytes of raw bits each lane has comes back.
    """
    depth, height, width = numbers.shape
    lanes, grid = codes.shape[3], tile_grid(depth, height, width)
    raw_bytes = np.zeros(lanes, np.int64)
    for lane in range(lanes):
        top, bottom, left, right = tile_of(lane, grid, height, width)
        if bottom - top < codes.shape[1] or right - left + COLUMNS_OUTSIDE < codes.shape[2]:
            codes[:, :, :, lane] = 0
        held, count, at = np.uint64(0), 0, 0
        for z in range(depth):
            for y in range(top, bottom):
                source, line = numbers[z, y, left:right], codes[z, y - top, COLUMNS_BEFORE:, lane]
                for x in range(right - left):
                    number = np.int64(source[x]) >> shift
                    line[x] = number
                    if number >= DIRECT:
                        token = token_of(number)
                        line[x] = CODES[token]
                        bits = np.int64(RAW_BITS[token])
                        rest = np.uint64(number & ((np.int64(1) << bits) - 1))
                        at, held, count = _put_long(raw[lane], at, held, count, rest, bits)
        if count > 0:
            raw[lane, at] = held
            at += 1
        raw_bytes[lane] = at
    return raw_bytes


@numba.njit(nogil=True, cache=True)
def find_contexts(codes, events):
    """Fill `events`, uint16, of the shape of `codes`, with context and symbol: `context * SYMBOLS + symbol`.

    How often each event comes is returned, uint32 (`CONTEXTS * SYMBOLS`).
    """
    depth, height, columns, lanes = codes.shape
    first, count = COLUMNS_BEFORE * lanes, (columns - COLUMNS_OUTSIDE) * lanes
    sums = np.empty(count, np.uint16)
    counts = np.zeros(CONTEXTS * SYMBOLS, np.uint32)
    flat, found = codes.reshape(-1), events.reshape(-1)
    for z in range(depth):
        for y in range(height):
            weight_w, weight_ww = open_row(flat, z, y, codes.shape, sums)
            own = np.uint64((z * height + y) * columns * lanes + first)
            w, ww = own - np.uint64(lanes), own - np.uint64(2 * lanes)
            for i in range(np.uint64(count)):
                total = np.uint32(sums[i] + weight_w * flat[w + i] + weight_ww * flat[ww + i])
                found[own + i] = context_of(total) * SYMBOLS
            for i in range(np.uint64(count)):
                event = found[own + i] + SYMBOL_OF[flat[own + i]]
                found[own + i] = event
                counts[event] += np.uint32(1)
            close_row(flat, z, y, codes.shape)
    return counts


@numba.njit(nogil=True, cache=True, inline="always")
def _put_symbol(state, span, words, count):
    """The state after a symbol of the range `span`, and how many words there are, of which it may have put one."""
    frequency = span & np.uint32(0xFFFF)
    short = np.uint64(state) >= np.uint64(frequency) << np.uint64(32 - FREQUENCY_BITS)
    words[count] = state & np.uint32(0xFFFF)
    state = np.uint32(state >> WORD_BITS) if short else state
    whole = np.uint32(np.float64(state) / np.float64(frequency))  # exact, and faster than whole numbers are divided
    rest = np.uint32(state - whole * frequency)
    return np.uint32((whole << STATE_SHIFT) + rest + (span >> np.uint32(16))), count + np.int64(short)


@numba.njit(nogil=True, cache=True)
def write_words(codes, events, ranges, escapes, words):
    """Fill `words` (lanes, uint16), each lane's last one first; their counts and the states come back.

    `ranges` and `escapes` are those of one table set of `mist.codec.tables.EncodingTables`.
    """
    depth, height, columns, lanes = codes.shape
    first, last = COLUMNS_BEFORE * lanes, (columns - 1) * lanes
    states, counts = np.full(lanes, LOWEST_STATE, np.uint32), np.zeros(lanes, np.int64)
    for z in range(depth - 1, -1, -1):
        for y in range(height - 1, -1, -1):
            row, found = codes[z, y].reshape(-1)[first:last], events[z, y].reshape(-1)[first:last]
            for end in range(last - first, 0, -lanes):
                for lane in range(lanes):
                    i = np.uint64(end - lanes + lane)
                    span = ranges[found[i]]
                    if span == 0:
                        token = np.uint32(TOKEN_OF[row[i]]) * ESCAPED_FREQUENCY << np.uint32(16) | ESCAPED_FREQUENCY
                        states[lane], counts[lane] = _put_symbol(states[lane], token, words[lane], counts[lane])
                        span = escapes[found[i] // SYMBOLS]
                    states[lane], counts[lane] = _put_symbol(states[lane], span, words[lane], counts[lane])
    return counts, states


@numba.njit(nogil=True, cache=True)
def write_low_bits(numbers, shift, lane, codes, out, at):
    """Write the lowest `shift` bits of a lane's `numbers` (z, y, x), 0 where its tile reaches beyond them."""
    depth, height, width = numbers.shape
    top, bottom, left, right = tile_of(lane, tile_grid(depth, height, width), height, width)
    mask = (np.int64(1) << shift) - 1
    held, count = np.uint64(0), 0
    for z in range(depth):
        for y in range(codes.shape[1]):
            inside = top + y < bottom
            for x in range(codes.shape[2] - COLUMNS_OUTSIDE):
                low = np.uint64(numbers[z, top + y, left + x] & mask) if inside and left + x < right else np.uint64(0)
                at, held, count = _put_bits(out, at, held, count, low, shift)
    if count > 0:
        out[at] = held
        at += 1
    return at


@numba.njit(nogil=True, cache=True)
def write_lane(state, words, raw, out, at):
    """Write what follows a lane's low bits: state, `words`, which are in the opposite order, and `raw`, backwards."""
    for place in range(STATE_BYTES):
        out[at + place] = state >> np.uint32(8 * place) & np.uint32(255)
    at += STATE_BYTES
    for i in range(words.shape[0] - 1, -1, -1):
        out[at], out[at + 1] = words[i] & 255, words[i] >> 8
        at += 2
    for i in range(raw.shape[0] - 1, -1, -1):
        out[at] = raw[i]
        at += 1
    return at
