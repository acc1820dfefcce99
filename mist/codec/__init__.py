"""One block of coefficients to bytes and back: the only package that knows how.

    context      how large the next number is likely to be
    tokens       numbers as tokens and raw bits
    tables       how often each token comes in each context
    lanes        how numbers are dealt out to lanes
    lane_reader  lanes into values: code_reader, rANS forwards; number_reader, the bits behind it
    number_writer, lane_writer  the same backwards
    prediction   for subbands that are pictures
    modelling    a block's values as numbers, codes and events
    simd         eight numbers at once; simd_memory: from memory and back
    frame        what a block's first bytes say; block_encoder and block_decoder: all of it together

The rule: a block's bytes say how long they are, and are never decoded into more than a block. `docs/format.md` says it
all in words; `tests/reference` holds a second decoder made from that page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from mist.codec.block_decoder import BAD_FRAME, BAD_LANE, BAD_LENGTH, GOOD, PLACE_FIELDS, decode_blocks
from mist.codec.block_encoder import MOST_BANDS, PART_FIELDS, encode_blocks
from mist.codec.frame import VARINT_BYTES, value_limit
from mist.codec.tables import decoding_table, encoding_tables
from mist.errors import InvalidRequest, MistError
from mist.pyramid import Triple
from mist.subbands import Coefficients

CODEC_NAME: Final = "mist-block-1"
"""As recorded with each scan, so that a reader knows what it meets."""

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

Bytes = bytes | memoryview

Table = npt.NDArray[np.int64]
"""A row for each block."""


_WHAT_IS_BAD = {
    BAD_LENGTH: "it is not as long as it says",
    BAD_FRAME: "its frame contradicts itself",
    BAD_LANE: "its lanes end early, late or out of range",
}


class BlockCorrupt(MistError, ValueError):
    """The bytes are not those of a block."""


def encode_block(coefficients: Coefficients) -> bytes:
    """The bytes of one block: `coefficients` are int32 or int64 (z, y, x).

    Raises
    ------
    InvalidRequest
        As of `encode_blocks_from`.
    """
    z, y, x = coefficients.shape
    values = np.ascontiguousarray(coefficients).reshape(-1)
    (block,) = encode_blocks_from([values], block_parts([(0, 0, (z, y, x), (0, 0, 0), (z, y, x))]), (z, y, x))
    return bytes(block)


def encode_blocks_from(bands: Sequence[Coefficients], parts: Table, shape: Triple) -> list[memoryview]:
    """The bytes of blocks of `shape`.

    Parameters
    ----------
    bands
        Up to seven arrays, int32 or int64, of one axis, C order.
    parts
        What lies in them of each block, as `block_parts` says it: all else is 0.

    Raises
    ------
    InvalidRequest
        A coefficient is 2^30 (int32) or 2^61 (int64) or more in magnitude; those of 32-bit samples are below 2^42.
    """
    dtype = bands[0].dtype
    views = [band.view() for band in (*bands, *[np.empty(0, dtype)] * (MOST_BANDS - len(bands)))]
    for view in views:
        view.setflags(write=False)  # as below
    data, ends = encode_blocks(tuple(views), parts, shape, encoding_tables())
    if len(ends) < len(parts):
        raise InvalidRequest(
            f"coefficients of {dtype} must be below {value_limit(dtype.itemsize)} in magnitude to be coded"
        )
    return [memoryview(data)[first:end] for first, end in pairwise((0, *ends.tolist()))]


def block_parts(places: Iterable[tuple[int, int, Triple, Triple, Triple]]) -> Table:
    """What of arrays of one axis belongs to blocks, for `encode_blocks_from`.

    Each is the box [start, stop) of an array (z, y, x), C order, which begins somewhere in one of the arrays: (which,
    where, its shape, start, stop).
    """
    rows = []
    for band, first, (_, height, width), start, stop in places:
        begin = first + (start[0] * height + start[1]) * width + start[2]
        rows.append((band, begin, height * width, width, *(b - a for a, b in zip(start, stop, strict=True))))
    table = np.array(rows, np.int64).reshape(-1, PART_FIELDS)
    table.setflags(write=False)
    return table


def decode_block(data: Bytes, dtype: np.dtype[np.signedinteger], shape: Triple) -> Coefficients:
    """The coefficients of one block, of `dtype` (int32 or int64) and `shape`; `data` is what `encode_block` returned.

    Raises
    ------
    BlockCorrupt
        The bytes are short, long, altered, or hold something of another size.
    """
    coefficients: Coefficients = np.empty(shape, dtype)
    places = block_places([(0, shape, (0, 0, 0), shape)])
    decode_blocks_into(data, block_spans([len(data)]), shape, coefficients.reshape(-1), places)
    return coefficients


def decode_blocks_into(data: Bytes, spans: Table, shape: Triple, out: Coefficients, places: Table) -> None:
    """Fill parts of `out` with blocks of `shape`.

    Parameters
    ----------
    data, spans
        The bytes, and where in them each block begins and ends, int64 (blocks, 2).
    out
        int32 or int64, of one axis, C order.
    places
        Where each block goes, as `block_places` says it. All of a block beyond its place is padding.

    Raises
    ------
    BlockCorrupt
        As of `decode_block`, or there is more than zeros beyond a block's place; all places then hold anything.
    """
    view: npt.NDArray[np.uint8] = np.frombuffer(data, np.uint8)
    view.setflags(write=False)  # numba compiles everything once more for data that can be written to
    status, block = decode_blocks(view, spans, decoding_table(), shape, out, places)
    if status != GOOD:
        which = f"one of {len(spans)} blocks" if block < 0 else f"a block of {spans[block, 1] - spans[block, 0]} bytes"
        raise BlockCorrupt(f"{which} does not decode: {_WHAT_IS_BAD[status]}")


def block_spans(lengths: Iterable[int]) -> Table:
    """Where blocks of `lengths` bytes begin and end, one behind the other from byte 0: for `decode_blocks_into`."""
    ends = np.fromiter(accumulate(lengths, initial=0), np.int64)
    spans = np.empty((len(ends) - 1, 2), np.int64)
    spans[:, 0], spans[:, 1] = ends[:-1], ends[1:]
    return spans


def block_places(places: Iterable[tuple[int, Triple, Triple, Triple]]) -> Table:
    """Where blocks go in an array of one axis, for `decode_blocks_into`.

    Each is the box [start, stop) of an array (z, y, x), C order, which begins somewhere in it: (where, its shape,
    start, stop).
    """
    rows = [(first, *shape, *start, *stop) for first, shape, start, stop in places]
    table = np.array(rows, np.int64).reshape(-1, PLACE_FIELDS)
    table.setflags(write=False)
    return table


def block_length(data: Bytes, offset: int) -> int:
    """The length in bytes of the block that begins at `offset` of `data`.

    Raises
    ------
    BlockCorrupt
        Its end lies beyond the end of `data`.
    """
    length = 0
    for place, byte in enumerate(bytes(data[offset : offset + VARINT_BYTES])):
        length |= (byte & 127) << 7 * place
        if byte < 128:
            if offset + place + 1 + length > len(data):
                break
            return place + 1 + length
    raise BlockCorrupt(f"a block at byte {offset} reaches beyond the {len(data)} bytes that are there")


def zarr_codecs() -> list[Json]:
    """The Zarr v3 codec chain of a block; `mist_storage.zarr_codec` teaches it to zarr-python."""
    return [{"name": "mist_block", "configuration": {"version": 1}}]
