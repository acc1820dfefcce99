"""The codes of a block into the bytes of its lanes.

The rule: what can be said before a table set is chosen (contexts) is said first; rANS runs backwards, over all lanes
together. See `mist.codec.lanes` for what a lane is.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from mist.codec.context import COLUMNS_BEFORE, COLUMNS_OUTSIDE, CONTEXTS, close_row, context_of, open_row
from mist.codec.lanes import LOWEST_STATE, STATE_BYTES, WORD_BITS
from mist.codec.simd import WIDTH, any_of, choose
from mist.codec.simd_memory import gather, load, scaled, scatter, store
from mist.codec.tables import ESCAPED_FREQUENCY, FREQUENCY_BITS, FREQUENCY_TOTAL, SYMBOL_OF, SYMBOLS
from mist.codec.tokens import DIRECT, TOKEN_OF

_HISTOGRAMS: Final = 4
"""Neighbours count into different ones, since what is counted twice in a row waits for itself."""

_INVERSE_BITS: Final = np.uint64(43)

_INVERSE: Final = np.array([0, *(-(-(1 << 43) // f) for f in range(1, FREQUENCY_TOTAL + 1))], np.uint64)
"""2^43 by each frequency, rounded up. A state below `frequency << 21` times this is below 2^64, and its bits from 43 on
are the whole quotient: the error, state * frequency / 2^43 at most, is less than what is between 1 and any fraction."""


@numba.njit(nogil=True, cache=True)
def find_contexts(codes, events):
    """Fill `events`, uint16, of the shape of `codes`, with context and symbol: `context * SYMBOLS + symbol`.

    How often each event comes is returned, uint32 (`CONTEXTS * SYMBOLS`).
    """
    depth, height, columns, lanes = codes.shape
    first, count = COLUMNS_BEFORE * lanes, (columns - COLUMNS_OUTSIDE) * lanes
    sums = np.empty(count, np.uint16)
    counts = np.zeros((_HISTOGRAMS, CONTEXTS * SYMBOLS), np.uint32)
    flat, found = codes.reshape(-1), events.reshape(-1)
    for z in range(depth):
        for y in range(height):
            weights = open_row(flat, z, y, codes.shape, sums)
            own = (z * height + y) * columns * lanes + first
            _find_row(flat, np.uint64(own), np.uint64(lanes), weights, sums, found)
            _count(found[own : own + count], counts)
            close_row(flat, z, y, codes.shape)
    for one in range(1, _HISTOGRAMS):
        for event in range(counts.shape[1]):  # sum(axis=0) takes seconds more to compile
            counts[0, event] += counts[one, event]
    return counts[0]


@numba.njit(nogil=True, cache=True)
def _find_row(codes, own, lanes, weights, sums, events):
    """Fill the row of `events` from `own` on."""
    weight_w, weight_ww = weights
    w, ww, largest = own - lanes, own - np.uint64(2) * lanes, np.uint8(0)
    for i in range(np.uint64(sums.shape[0])):
        total = np.uint32(sums[i] + weight_w * codes[w + i] + weight_ww * codes[ww + i])
        events[own + i] = np.uint32(context_of(total) * np.uint32(SYMBOLS) + codes[own + i])
        largest = max(largest, codes[own + i])
    if largest >= DIRECT:  # all others are their own symbols
        for i in range(np.uint64(sums.shape[0])):
            events[own + i] += np.uint16(SYMBOL_OF[codes[own + i]]) - codes[own + i]


@numba.njit(nogil=True, cache=True)
def _count(events, counts):
    """Add the `events` of a row to `counts`, several histograms."""
    whole = events.shape[0] - events.shape[0] % _HISTOGRAMS
    for i in range(0, whole, _HISTOGRAMS):
        for one in range(_HISTOGRAMS):
            counts[one, events[i + one]] += np.uint32(1)
    for i in range(whole, events.shape[0]):
        counts[0, events[i]] += np.uint32(1)


@numba.njit(nogil=True, cache=True, inline="always")
def _put_symbol(state, span, words, front):
    """The state after a symbol of the range `span`, and where the words begin, before which it may have put one."""
    frequency = np.uint64(span & np.uint32(0xFFFF))
    short = np.uint64(state) >= frequency << np.uint64(32 - FREQUENCY_BITS)
    words[np.uint32(front - np.uint32(1))] = state & np.uint32(0xFFFF)
    left = np.uint64(state >> WORD_BITS) if short else np.uint64(state)
    whole = left * _INVERSE[frequency] >> _INVERSE_BITS
    after = left + whole * (np.uint64(FREQUENCY_TOTAL) - frequency) + np.uint64(span >> np.uint32(16))
    return np.uint32(after), np.uint32(front - np.uint32(short))


@numba.njit(nogil=True, cache=True)
def _put_codes(codes, spans, escapes, events, states, fronts, words):
    """Put a code of each lane: by its range, or where `spans` has none, its token behind the escape."""
    for lane in range(states.shape[0]):
        state, front, span = states[lane], fronts[lane], spans[lane]
        if span == 0:
            token = np.uint32(TOKEN_OF[codes[lane]]) * ESCAPED_FREQUENCY << np.uint32(16) | ESCAPED_FREQUENCY
            state, front = _put_symbol(state, token, words, front)
            span = escapes[events[lane] // SYMBOLS]
        states[lane], fronts[lane] = _put_symbol(state, span, words, front)


@numba.njit(nogil=True, cache=True)
def _write_row(codes, events, begin, end, ranges, escapes, states, fronts, words):
    """Put the codes [begin, end) of a row of one lane or two."""
    lanes = states.shape[0]
    spans = np.empty(lanes, np.uint32)
    for at in range(end - lanes, begin - 1, -lanes):
        for lane in range(lanes):
            spans[lane] = ranges[events[at + lane]]
        _put_codes(codes[at : at + lanes], spans, escapes, events[at : at + lanes], states, fronts, words)


@numba.njit(nogil=True, cache=True)
def _write_row_of_eight(codes, events, begin, end, ranges, escapes, states, fronts, words):
    """`_write_row` for eight lanes at once."""
    state, front = load(states, 0), load(fronts, 0)
    spans = np.empty(WIDTH, np.uint32)
    for at in range(end - WIDTH, begin - 1, -WIDTH):
        span = gather(ranges, load(events, at))
        if any_of(span == np.uint32(0)):
            store(states, 0, state)
            store(fronts, 0, front)
            store(spans, 0, span)
            _put_codes(codes[at : at + WIDTH], spans, escapes, events[at : at + WIDTH], states, fronts, words)
            state, front = load(states, 0), load(fronts, 0)
        else:
            frequency = span & np.uint32(0xFFFF)
            long = state >> np.uint32(32 - FREQUENCY_BITS) < frequency
            before = front - np.uint32(1)
            scatter(words, before, state)
            front = before + (long & np.uint32(1))
            state = choose(long, state, state >> WORD_BITS)
            whole = scaled(state, _INVERSE, frequency, _INVERSE_BITS)
            state = state + whole * (np.uint32(FREQUENCY_TOTAL) - frequency) + (span >> np.uint32(16))
    store(states, 0, state)
    store(fronts, 0, front)


@numba.njit(nogil=True, cache=True)
def write_words(codes, events, ranges, escapes, words):
    """Fill `words` (lanes, uint16) from the ends of the lanes; where in all of it they begin, and the states come back.

    `ranges` and `escapes` are those of one table set of `mist.codec.tables.EncodingTables`.
    """
    depth, height, columns, lanes = codes.shape
    flat, found, out = codes.reshape(-1), events.reshape(-1), words.reshape(-1)
    states, fronts = np.full(lanes, LOWEST_STATE, np.uint32), np.empty(lanes, np.uint32)
    for lane in range(lanes):
        fronts[lane] = (lane + 1) * words.shape[1]
    for row in range(depth * height - 1, -1, -1):
        begin, end = (row * columns + COLUMNS_BEFORE) * lanes, ((row + 1) * columns - 1) * lanes
        if lanes == WIDTH:
            _write_row_of_eight(flat, found, begin, end, ranges, escapes, states, fronts, out)
        else:
            _write_row(flat, found, begin, end, ranges, escapes, states, fronts, out)
    return fronts, states


@numba.njit(nogil=True, cache=True)
def write_lane(state, words, raw, out, at):
    """Write what follows a lane's low bits: `state`, `words` and `raw`."""
    for place in range(STATE_BYTES):
        out[at + place] = state >> np.uint32(8 * place) & np.uint32(255)
    at += STATE_BYTES
    for i in range(words.shape[0]):
        out[at + 2 * i], out[at + 2 * i + 1] = words[i] & 255, words[i] >> 8
    at += 2 * words.shape[0]
    for i in range(raw.shape[0]):
        out[at + i] = raw[i]
    return at + raw.shape[0]
