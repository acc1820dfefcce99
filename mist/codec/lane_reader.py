"""The bytes of a block's lanes into its values.

The rule: all lanes are worked on together, number after number, so that a core has as many independent things to do;
first the codes of all numbers, then their raw and low bits. Bytes are read where they must lie if the lane is whole,
and no further: what was read beyond is found out at the end, and nothing but codes and values came of it.
"""

from __future__ import annotations

import numba
import numpy as np

from mist.codec.context import COLUMNS_BEFORE, COLUMNS_OUTSIDE, close_row, context_of, contexts_of, open_row
from mist.codec.lanes import (
    LOWEST_STATE,
    SLOT_MASK,
    STATE_BYTES,
    STATE_SHIFT,
    WORD_BITS,
    empty_codes,
    lane_numbers,
    tile_of,
)
from mist.codec.simd import WIDTH, any_of, choose, gather, load, store
from mist.codec.tables import (
    CODE_MASK,
    ESCAPED_BITS,
    ESCAPED_FREQUENCY,
    FREQUENCY_BITS,
    FREQUENCY_MASK,
    FREQUENCY_SHIFT,
    OFFSET_SHIFT,
)
from mist.codec.tokens import CODES, DIRECT, ESCAPE_CODE, LONG, RAW_BITS, TOKEN_OF, TOKENS, number_of

_ESCAPED_SHIFT = np.uint32(FREQUENCY_BITS - ESCAPED_BITS)


@numba.njit(nogil=True, cache=True)
def read_lanes(data, ends, shift, table, out, start, lengths):
    """Fill a box of `out`, int32 or int64 (z, y, x), C order, from lanes; False where the bytes are no such lanes.

    Parameters
    ----------
    ends
        Lane `i` is the bytes [ends[i], ends[i + 1]) of `data`.
    shift
        How many low bits of each number are held apart.
    table
        One set of `mist.codec.tables.decoding_table`.
    start, lengths
        Where the box begins, and its lengths.
    """
    depth, height, width = lengths
    codes = empty_codes(depth, height, width)
    lanes = codes.shape[3]
    low_bytes = (shift * lane_numbers(codes) + 7) // 8
    fronts, states = np.empty(lanes, np.uint32), np.empty(lanes, np.uint32)
    for lane in range(lanes):
        begin = ends[lane] + low_bytes
        if begin + STATE_BYTES > ends[lane + 1]:
            return False
        states[lane] = np.uint32(data[begin]) | np.uint32(data[begin + 1]) << np.uint32(8)
        states[lane] |= np.uint32(data[begin + 2]) << np.uint32(16) | np.uint32(data[begin + 3]) << np.uint32(24)
        fronts[lane] = begin + STATE_BYTES
    if not _read_codes(data[: ends[-1]], fronts, states, table, codes):
        return False
    numbers = np.empty(lane_numbers(codes), out.dtype)
    for lane in range(lanes):
        if not _read_numbers(data, fronts[lane], ends[lane + 1], shift, codes, lane, numbers):
            return False
        if shift > 0:
            _put_low_bits(data, ends[lane], shift, numbers)
        top, bottom, left, right = tile_of(lane, codes, height, width)
        tile, tile_lengths = (start[0], start[1] + top, start[2] + left), (depth, bottom - top, right - left)
        _unfold(numbers, codes.shape[1], codes.shape[2] - COLUMNS_OUTSIDE, out, tile, tile_lengths)
    return True


@numba.njit(nogil=True, cache=True)
def _read_codes(data, fronts, states, table, codes):
    """Fill `codes` from the words at `fronts`, which move on; whether all states end as they must."""
    depth, height, columns, lanes = codes.shape
    row_numbers = columns - COLUMNS_OUTSIDE
    sums = np.empty(row_numbers * lanes, np.uint16)
    size = np.uint32(data.shape[0])
    padded = np.zeros(data.shape[0] + 1 + 4 * row_numbers + 4, np.uint8)  # a number takes two words at most
    padded[: data.shape[0]] = data
    whole, flat = True, codes.reshape(-1)
    for z in range(depth):
        for y in range(height):
            weights = open_row(flat, z, y, codes.shape, sums)
            for lane in range(lanes):
                fronts[lane] = min(fronts[lane], size + np.uint32(1))  # where no lane ends well
            begin = (z * height + y) * columns * lanes
            if lanes == WIDTH:
                whole &= _read_row_together(padded, fronts, states, table, sums, weights, flat, begin)
            else:
                whole &= _read_row_alone(padded, fronts, states, table, sums, weights, flat, begin)
            close_row(flat, z, y, codes.shape)
    for lane in range(lanes):
        whole &= states[lane] == LOWEST_STATE
    return whole


@numba.njit(nogil=True, cache=True, inline="always")
def _with_word(state, data, front):
    """`state` and `front` after a word is taken, if the state is to take one; arithmetic, since guesses would fail."""
    short = np.uint32(state < LOWEST_STATE)
    word = np.uint32(data[front]) | np.uint32(data[front + 1]) << np.uint32(8)
    return np.uint32(state << short * WORD_BITS | word & (np.uint32(0) - short)), front + 2 * np.int64(short)


@numba.njit(nogil=True, cache=True)
def _read_row_alone(data, fronts, states, table, sums, weights, codes, begin):
    """Fill the row at `begin` of the flat `codes` of a single lane; False where an escape is of no token."""
    weight_w, weight_ww = weights
    state, front, good = states[0], np.int64(fronts[0]), True
    w, ww = np.uint32(codes[begin + 1]), np.uint32(codes[begin])
    for x in range(sums.shape[0]):
        context = context_of(np.uint32(sums[x] + weight_w * w + weight_ww * ww))
        entry = table[context << STATE_SHIFT | state & SLOT_MASK]
        frequency = entry >> FREQUENCY_SHIFT & FREQUENCY_MASK
        state = np.uint32(frequency * (state >> STATE_SHIFT) + (entry >> OFFSET_SHIFT))
        state, front = _with_word(state, data, front)
        w, ww = np.uint32(entry & CODE_MASK), w
        if w == ESCAPE_CODE:
            token, state = _escaped(state)
            state, front = _with_word(state, data, front)
            good &= token < TOKENS
            w = np.uint32(CODES[min(token, TOKENS - 1)])
        codes[begin + COLUMNS_BEFORE + x] = w
    states[0], fronts[0] = state, front
    return good


@numba.njit(nogil=True, cache=True)
def _read_row_together(data, fronts, states, table, sums, weights, codes, begin):
    """`_read_row_alone` for eight lanes: the same, on all of them at once."""
    good = True
    weight_w, weight_ww = weights
    state, front = load(states, 0), load(fronts, 0)
    w, ww = load(codes, begin + WIDTH), load(codes, begin)
    begin += COLUMNS_BEFORE * WIDTH
    for at in range(0, sums.shape[0], WIDTH):
        context = contexts_of(load(sums, at) + w * weight_w + ww * weight_ww)
        entry = gather(table, context << STATE_SHIFT | state & SLOT_MASK)
        ww, w = w, entry & CODE_MASK
        store(codes, begin + at, w)
        state = (entry >> FREQUENCY_SHIFT & FREQUENCY_MASK) * (state >> STATE_SHIFT) + (entry >> OFFSET_SHIFT)
        word = gather(data, front) & np.uint32(0xFFFF)
        short = state < LOWEST_STATE
        state = choose(short, state << WORD_BITS | word, state)
        front = front + (short & np.uint32(2))
        if any_of(w == np.uint32(ESCAPE_CODE)):
            store(states, 0, state)
            store(fronts, 0, front)
            good &= _read_escaped(data, fronts, states, codes[begin + at : begin + at + WIDTH])
            state, front, w = load(states, 0), load(fronts, 0), load(codes, begin + at)
    store(states, 0, state)
    store(fronts, 0, front)
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


@numba.njit(nogil=True, cache=True, inline="always")
def _take_bits(data, end, at, width):
    """`width` <= 25 bits, `at` bits before `end`: of bytes that are read backwards, each from its lowest bit."""
    last = end - 1 - (at >> 3)
    bits = np.uint32(data[last]) | np.uint32(data[last - 1]) << np.uint32(8)
    bits |= np.uint32(data[last - 2]) << np.uint32(16) | np.uint32(data[last - 3]) << np.uint32(24)
    return np.int64(bits >> np.uint32(at & 7)) & ((np.int64(1) << width) - 1)


@numba.njit(nogil=True, cache=True)
def _take_long(data, end, at, width):
    """`_take_bits` for up to 62 bits."""
    bits = np.int64(0)
    for done in range(0, width, 16):
        bits |= _take_bits(data, end, at + done, min(width - done, 16)) << done
    return bits


@numba.njit(nogil=True, cache=True)
def _read_numbers(data, front, end, shift, codes, lane, numbers):
    """Fill `numbers`, flat, with those of a lane but for their low bits: from its codes and its raw bits before `end`.

    At least `STATE_BYTES` lie before `front`, so that reading a few bytes at once stays inside `data`. False where raw
    bits do not meet the words at `front`, or a number is too large for its dtype.
    """
    depth, height, columns, lanes = codes.shape
    largest = np.int64(np.iinfo(numbers.dtype).max) >> shift
    flat, width = codes.reshape(-1), columns - COLUMNS_OUTSIDE
    at, room = np.int64(0), 8 * (end - np.int64(front))
    for row in range(depth * height):
        source, first = (row * columns + COLUMNS_BEFORE) * lanes + lane, row * width
        if _spread(flat, source, lanes, numbers, first, width) < DIRECT:
            continue
        for i in range(first, first + width):
            if numbers[i] >= DIRECT:
                token = np.int64(TOKEN_OF[numbers[i]])
                bits = np.int64(RAW_BITS[token])
                if at + bits > room:
                    return False
                raw = _take_bits(data, end, at, bits) if token < LONG else _take_long(data, end, at, bits)
                number = number_of(token, raw)
                if number > largest:
                    return False
                numbers[i] = number
                at += bits
    return front == end - ((at + 7) >> 3)


@numba.njit(nogil=True, cache=True)
def _spread(codes, source, lanes, numbers, first, count):
    """Fill `count` numbers from `first` on with every so manieth code from `source` on; all together, bit by bit.

    Written out for eight lanes, since only a stride that the compiler knows is done on many numbers at a time. Both are
    flat; places are unsigned, since numba makes more of signed ones.
    """
    begin, place, stride = np.uint64(first), np.uint64(source), np.uint64(lanes)
    if lanes == WIDTH:
        for x in range(np.uint64(count)):
            numbers[begin + x] = codes[place + np.uint64(WIDTH) * x]
    else:
        for x in range(np.uint64(count)):
            numbers[begin + x] = codes[place + stride * x]
    bits = numbers.dtype.type(0)
    for x in range(np.uint64(count)):
        bits |= numbers[begin + x]
    return bits


@numba.njit(nogil=True, cache=True)
def _put_low_bits(data, at, shift, numbers):
    """Append to `numbers`, flat, the low bits at `at`: eight numbers at a time while these fit 64 bits."""
    mask = (np.uint64(1) << np.uint64(shift)) - np.uint64(1)
    eights = numbers.shape[0] // 8 if shift <= 8 else 0
    for group in range(eights):
        bits = np.uint64(0)
        for place in range(shift):
            bits |= np.uint64(data[at + place]) << np.uint64(8 * place)
        at += shift
        line = numbers[8 * group : 8 * group + 8]
        for i in range(8):
            line[i] = line[i] << shift | np.int64(bits >> np.uint64(i * shift) & mask)
    held, count = np.uint64(0), 0
    for i in range(8 * eights, numbers.shape[0]):
        while count < shift:
            held |= np.uint64(data[at]) << np.uint64(count)
            at += 1
            count += 8
        numbers[i] = numbers[i] << shift | np.int64(held & mask)
        held >>= np.uint64(shift)
        count -= shift


@numba.njit(nogil=True, cache=True)
def _unfold(numbers, tile_height, tile_width, out, start, lengths):
    """Fill the box of `out`, what of a lane's tile lies in the block, with the values of `numbers`, flat."""
    flat = out.reshape(-1)
    for z in range(lengths[0]):
        for y in range(lengths[1]):
            source = np.uint64((z * tile_height + y) * tile_width)
            target = np.uint64(((start[0] + z) * out.shape[1] + start[1] + y) * out.shape[2] + start[2])
            for x in range(np.uint64(lengths[2])):
                number = numbers[source + x]
                flat[target + x] = number >> 1 ^ -(number & 1)
