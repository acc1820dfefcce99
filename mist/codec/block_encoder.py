"""The values of a block into its bytes."""

from __future__ import annotations

import numba
import numpy as np

from mist.codec.frame import CODED, EMPTY, HAS_EXTENTS, HAS_SHIFT, PREDICTED, RAW, put_varint
from mist.codec.lane_writer import write_lane, write_low_bits, write_words
from mist.codec.lanes import STATE_BYTES, lane_numbers
from mist.codec.modelling import model_block


@numba.njit(nogil=True, cache=True)
def extents(values):
    """Lengths (z, y, x) of the least box at the origin that holds all values other than 0 of a block."""
    depth, height, width = 0, 0, 0
    for z in range(values.shape[0]):
        for y in range(values.shape[1]):
            row = values[z, y]
            last = row.shape[0]
            while last > 0 and row[last - 1] == 0:
                last -= 1
            if last > 0:
                depth, height, width = z + 1, max(height, y + 1), max(width, last)
    return depth, height, width


@numba.njit(nogil=True, cache=True)
def _cheapest(costs, counts):
    """The table set in which events that come as often as `counts` take the fewest bits."""
    best, least = 0, np.int64(-1)
    for table in range(costs.shape[0]):
        row, bits = costs[table], np.int64(0)
        for event in range(counts.shape[0]):
            bits += np.int64(row[event]) * np.int64(counts[event])
        if least < 0 or bits < least:
            best, least = table, bits
    return best


@numba.njit(nogil=True, cache=True)
def _encode_raw(numbers, width, out, at):
    out[at] = width
    at += 1
    held, count = np.uint64(0), 0
    flat = numbers.reshape(-1)
    for i in range(flat.shape[0]):
        for part in range(0, width, 32):
            bits = np.uint64(flat[i]) >> np.uint64(part) & np.uint64(0xFFFFFFFF)
            held |= bits << np.uint64(count)
            count += min(width - part, 32)
            while count >= 8:
                out[at] = held & np.uint64(255)
                at += 1
                held >>= np.uint64(8)
                count -= 8
    if count > 0:
        out[at] = held
        at += 1
    return at


@numba.njit(nogil=True, cache=True)
def _encode_lanes(model, ranges, escapes, out, at):
    """Write the lengths of all lanes but the last, then all lanes, to `out` from `at` on; where they end comes back."""
    lanes, numbers = model.raw_bytes.shape[0], model.codes.size // model.raw_bytes.shape[0]
    words = np.empty((lanes, 2 * numbers), np.uint16)
    counts, states = write_words(model.codes, model.events, ranges, escapes, words)
    low_bytes = (model.shift * lane_numbers(model.codes) + 7) // 8
    for lane in range(lanes - 1):
        at = put_varint(out, at, low_bytes + STATE_BYTES + 2 * counts[lane] + model.raw_bytes[lane])
    for lane in range(lanes):
        if model.shift > 0:
            at = write_low_bits(model.numbers, model.shift, lane, model.codes, out, at)
        at = write_lane(states[lane], words[lane, : counts[lane]], model.raw[lane, : model.raw_bytes[lane]], out, at)
    return at


@numba.njit(nogil=True, cache=True)
def encode(values, tables):
    """The body of a block of `values` (z, y, x), int32 or int64, below `mist.codec.frame.value_limit` in magnitude."""
    depth, height, width = extents(values)
    if depth == 0:
        return np.full(1, EMPTY, np.uint8)
    model = model_block(values[:depth, :height, :width].copy())
    out = np.empty(64 + 12 * model.codes.size, np.uint8)  # a number takes two words and 63 other bits at most
    flags, start = PREDICTED if model.predicted else 0, 1
    if (depth, height, width) != values.shape:
        flags |= HAS_EXTENTS
        start = put_varint(out, put_varint(out, put_varint(out, start, depth), height), width)
    table = _cheapest(tables.costs, model.counts)
    out[start], at = table, start + 1
    if model.shift > 0:
        out[at], at = model.shift, at + 1
    end = _encode_lanes(model, tables.ranges[table], tables.escapes[table], out, at)
    if model.width * model.numbers.size <= 8 * (end - at):
        out[0] = flags | RAW
        return out[: _encode_raw(model.numbers, max(model.width, 1), out, start)]
    out[0] = flags | CODED | (HAS_SHIFT if model.shift > 0 else 0)
    return out[:end]
