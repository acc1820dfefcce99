"""The codes of several lanes, from their words: the loop that decoding spends its time in.

The rule: lanes of one shape are worked on together, number after number, so that a core has as many independent things
to do: one lane, a vector of eight, or two vectors. Bytes are read where they must lie if a lane is whole, and no
further than its slack: what was read beyond is found out at the end, and nothing but codes came of it.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from mist.codec.context import COLUMNS_BEFORE, COLUMNS_OUTSIDE, close_row, context_of, contexts_of, open_row
from mist.codec.lanes import LOWEST_STATE, SLOT_MASK, STATE_SHIFT, WORD_BITS
from mist.codec.simd import WIDTH, any_of, choose
from mist.codec.simd_memory import gather, load, store
from mist.codec.tables import (
    CODE_MASK,
    ESCAPED_BITS,
    ESCAPED_FREQUENCY,
    FREQUENCY_BITS,
    FREQUENCY_MASK,
    FREQUENCY_SHIFT,
    OFFSET_SHIFT,
)
from mist.codec.tokens import CODES, ESCAPE_CODE, TOKENS

WORDS_BYTES: Final = 4
"""The most bytes of words that a number takes: one for its token, one for an escaped token."""

_ESCAPED_SHIFT = np.uint32(FREQUENCY_BITS - ESCAPED_BITS)


@numba.njit(nogil=True, cache=True)
def slack(width):
    """The bytes that must follow a lane of rows of `width` numbers: one row may run beyond the end, and four bytes."""
    return 1 + WORDS_BYTES * width + 4


@numba.njit(nogil=True, cache=True)
def read_codes(data, fronts, ends, states, bases, tables, codes):
    """Fill `codes` from the words at `fronts`, which move on; whether all states end as they must.

    Parameters
    ----------
    data
        The bytes of the lanes, uint8, each followed by `slack`.
    fronts, ends
        Where in `data` each lane's words begin, and where the lane ends; uint32.
    states, bases
        Each lane's state, and where in `tables`, flat, its set begins; uint32.
    codes
        uint8 (vectors, slices, rows, columns, lanes of a vector): one lane, or one or two vectors of eight.
    """
    vectors, depth, height, columns, lanes = codes.shape
    shape, flat = (depth, height, columns, lanes), codes.reshape(vectors, -1)
    sums = np.empty((vectors, (columns - COLUMNS_OUTSIDE) * lanes), np.uint16)
    whole = True
    for z in range(depth):
        for y in range(height):
            weights = open_row(flat[0], z, y, shape, sums[0])
            if vectors > 1:
                open_row(flat[1], z, y, shape, sums[1])
            for lane in range(fronts.shape[0]):
                fronts[lane] = min(fronts[lane], ends[lane] + np.uint32(1))  # where no lane ends well
            begin = ((z * height + y) * columns + COLUMNS_BEFORE) * lanes
            if vectors > 1:
                whole &= _read_row_of_two(data, fronts, states, bases, tables, sums, weights, flat, begin)
            elif lanes == WIDTH:
                whole &= _read_row_of_one(data, fronts, states, bases, tables, sums, weights, flat, begin)
            else:
                whole &= _read_row_alone(data, fronts, states, bases, tables, sums, weights, flat, begin)
            for vector in range(vectors):
                close_row(flat[vector], z, y, shape)
    for lane in range(states.shape[0]):
        whole &= states[lane] == LOWEST_STATE
    return whole


@numba.njit(nogil=True, cache=True, inline="always")
def _with_word(state, data, front):
    """`state` and `front` after a word is taken, if the state is to take one; arithmetic, since guesses would fail."""
    short = np.uint32(state < LOWEST_STATE)
    word = np.uint32(data[front]) | np.uint32(data[front + 1]) << np.uint32(8)
    return np.uint32(state << short * WORD_BITS | word & (np.uint32(0) - short)), front + 2 * np.int64(short)


@numba.njit(nogil=True, cache=True)
def _read_row_alone(data, fronts, states, bases, tables, sums, weights, codes, begin):
    """Fill the row at `begin` of the flat `codes` of a single lane; False where an escape is of no token."""
    weight_w, weight_ww = weights
    owed, line, base = sums[0], codes[0], np.uint32(bases[0])
    state, front, good = states[0], np.int64(fronts[0]), True
    w, ww = np.uint32(line[begin - 1]), np.uint32(line[begin - 2])
    for x in range(owed.shape[0]):
        context = context_of(np.uint32(owed[x] + weight_w * w + weight_ww * ww))
        entry = tables[base + (context << STATE_SHIFT | state & SLOT_MASK)]
        frequency = entry >> FREQUENCY_SHIFT & FREQUENCY_MASK
        state = np.uint32(frequency * (state >> STATE_SHIFT) + (entry >> OFFSET_SHIFT))
        state, front = _with_word(state, data, front)
        w, ww = np.uint32(entry & CODE_MASK), w
        if w == ESCAPE_CODE:
            token, state = _escaped(state)
            state, front = _with_word(state, data, front)
            good &= token < TOKENS
            w = np.uint32(CODES[min(token, TOKENS - 1)])
        line[begin + x] = w
    states[0], fronts[0] = state, front
    return good


@numba.njit(nogil=True, cache=True, inline="always")
def _next(data, tables, base, state, front, total):
    """One number of each of eight lanes: its code, the state and the front after it. `total` is the context's sum."""
    entry = gather(tables, base + (contexts_of(total) << STATE_SHIFT | state & SLOT_MASK))
    state = (entry >> FREQUENCY_SHIFT & FREQUENCY_MASK) * (state >> STATE_SHIFT) + (entry >> OFFSET_SHIFT)
    word = gather(data, front) & np.uint32(0xFFFF)
    short = state < LOWEST_STATE
    state = choose(short, state << WORD_BITS | word, state)
    return entry & CODE_MASK, state, front + (short & np.uint32(2))


@numba.njit(nogil=True, cache=True)
def _read_row_of_one(data, fronts, states, bases, tables, sums, weights, codes, begin):
    """`_read_row_alone` for a vector of lanes: the same, on all of them at once."""
    good = True
    weight_w, weight_ww = weights
    owed, line, base = sums[0], codes[0], load(bases, 0)
    state, front = load(states, 0), load(fronts, 0)
    w, ww = load(line, begin - WIDTH), load(line, begin - 2 * WIDTH)
    for at in range(0, owed.shape[0], WIDTH):
        total = load(owed, at) + w * weight_w + ww * weight_ww
        ww = w
        w, state, front = _next(data, tables, base, state, front, total)
        store(line, begin + at, w)
        if any_of(w == np.uint32(ESCAPE_CODE)):
            store(states, 0, state)
            store(fronts, 0, front)
            good &= _read_escaped(data, fronts, states, line[begin + at : begin + at + WIDTH])
            state, front, w = load(states, 0), load(fronts, 0), load(line, begin + at)
    store(states, 0, state)
    store(fronts, 0, front)
    return good


@numba.njit(nogil=True, cache=True)
def _read_row_of_two(data, fronts, states, bases, tables, sums, weights, codes, begin):
    """`_read_row_of_one` for two vectors: while one waits for memory, the other does not."""
    good = True
    weight_w, weight_ww = weights
    owed_a, owed_b, line_a, line_b = sums[0], sums[1], codes[0], codes[1]
    base_a, base_b = load(bases, 0), load(bases, WIDTH)
    state_a, state_b = load(states, 0), load(states, WIDTH)
    front_a, front_b = load(fronts, 0), load(fronts, WIDTH)
    a, aa = load(line_a, begin - WIDTH), load(line_a, begin - 2 * WIDTH)
    b, bb = load(line_b, begin - WIDTH), load(line_b, begin - 2 * WIDTH)
    for at in range(0, owed_a.shape[0], WIDTH):
        total_a = load(owed_a, at) + a * weight_w + aa * weight_ww
        total_b = load(owed_b, at) + b * weight_w + bb * weight_ww
        aa, bb = a, b
        a, state_a, front_a = _next(data, tables, base_a, state_a, front_a, total_a)
        b, state_b, front_b = _next(data, tables, base_b, state_b, front_b, total_b)
        store(line_a, begin + at, a)
        store(line_b, begin + at, b)
        if any_of((a == np.uint32(ESCAPE_CODE)) | (b == np.uint32(ESCAPE_CODE))):
            store(states, 0, state_a)
            store(states, WIDTH, state_b)
            store(fronts, 0, front_a)
            store(fronts, WIDTH, front_b)
            good &= _read_escaped(data, fronts[:WIDTH], states[:WIDTH], line_a[begin + at : begin + at + WIDTH])
            good &= _read_escaped(data, fronts[WIDTH:], states[WIDTH:], line_b[begin + at : begin + at + WIDTH])
            state_a, front_a, a = load(states, 0), load(fronts, 0), load(line_a, begin + at)
            state_b, front_b, b = load(states, WIDTH), load(fronts, WIDTH), load(line_b, begin + at)
    store(states, 0, state_a)
    store(states, WIDTH, state_b)
    store(fronts, 0, front_a)
    store(fronts, WIDTH, front_b)
    return good


@numba.njit(nogil=True, cache=True, inline="always")
def _escaped(state):
    """The token behind an escape, which need not be one, and the state after it."""
    slot = state & SLOT_MASK
    after = ESCAPED_FREQUENCY * (state >> STATE_SHIFT) + (slot & (ESCAPED_FREQUENCY - np.uint32(1)))
    return np.int64(slot >> _ESCAPED_SHIFT), np.uint32(after)


@numba.njit(nogil=True, cache=True)
def _read_escaped(data, fronts, states, codes):
    """Replace the escapes among `codes`, one of each lane, by the codes that follow; False where one is of no token."""
    good = True
    for lane in range(codes.shape[0]):
        if codes[lane] == ESCAPE_CODE:
            token, state = _escaped(states[lane])
            states[lane], fronts[lane] = _with_word(state, data, np.int64(fronts[lane]))
            good &= token < TOKENS
            codes[lane] = CODES[min(token, TOKENS - 1)]
    return good
