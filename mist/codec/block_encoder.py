"""The values of a block into its bytes."""

from __future__ import annotations

import numba
import numpy as np

from mist.codec.frame import CODED, EMPTY, HAS_EXTENTS, HAS_SHIFT, PREDICTED, RAW, put_varint
from mist.codec.lanes import encode_lane, lane_count
from mist.codec.modelling import count_tokens, model_block
from mist.codec.tokens import bit_length


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
    """The table set in which tokens that come as often as `counts` take the fewest bits."""
    best, least = 0, np.float32(np.inf)
    for table in range(costs.shape[0]):
        bits = (costs[table] * counts).sum()
        if bits < least:
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
def _encode_lanes(model, frequencies, starts, out):
    """Write all lanes to `out`, one after the other; where each ends comes back, from 0 on."""
    depth, height, width = model.numbers.shape
    lanes = lane_count(depth, height, width)
    ends = np.zeros(lanes + 1, np.int64)
    for lane in range(lanes):
        first, last = lane * height // lanes, (lane + 1) * height // lanes
        part = slice(depth * width * first, depth * width * last)
        rows = model.numbers[:, first:last].copy()
        tokens, contexts = model.tokens[part], model.contexts[part]
        ends[lane + 1] = encode_lane(rows, model.shift, tokens, contexts, frequencies, starts, out, ends[lane])
    return ends


@numba.njit(nogil=True, cache=True)
def encode_into(values, number_bits, frequencies, starts, costs, lookup, out):
    """Write the body of a block of int64 `values` (z, y, x) to `out`; its length comes back.

    Values are below 2^61 in magnitude, their numbers of at most `number_bits` bits, 31 or 63. `out` must have 10 bytes
    a value and 128 more: a number takes 80 bits at most, 12 of the escape, 6 of a length and all but one of its own.
    """
    depth, height, width = extents(values)
    if depth == 0:
        out[0] = EMPTY
        return 1
    model = model_block(values[:depth, :height, :width].copy(), number_bits, lookup)
    table = _cheapest(costs, count_tokens(model.tokens, model.contexts))
    bodies = np.empty(10 * model.numbers.size + 64, np.uint8)
    ends = _encode_lanes(model, frequencies[table], starts[table], bodies)
    flags, at = PREDICTED if model.predicted else 0, 1
    if (depth, height, width) != values.shape:
        flags |= HAS_EXTENTS
        at = put_varint(out, put_varint(out, put_varint(out, at, depth), height), width)
    raw_width = bit_length(model.largest)
    if raw_width * model.numbers.size <= 8 * ends[-1]:
        out[0] = flags | RAW
        return _encode_raw(model.numbers, max(raw_width, 1), out, at)
    out[at] = table
    at += 1
    if model.shift > 0:
        flags |= HAS_SHIFT
        out[at] = model.shift
        at += 1
    out[0] = flags | CODED
    for lane in range(1, len(ends) - 1):
        at = put_varint(out, at, ends[lane] - ends[lane - 1])
    out[at : at + ends[-1]] = bodies[: ends[-1]]
    return at + ends[-1]
