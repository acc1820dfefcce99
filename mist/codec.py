"""One block of coefficients to bytes and back: the only module that knows how.

The rule: a block's bytes say how long they are and are never decoded before that is known to fit, so that blocks can be
read one after the other from a prefix, and hostile bytes cannot take more memory than a block. At present the bytes are
those of Zarr's stock codecs `bytes`, `blosc` (bitshuffle, Zstandard) and `crc32c`, in that order.
"""

from __future__ import annotations

from typing import Final

import google_crc32c
import numpy as np
from numcodecs import blosc

from mist.errors import MistError
from mist.pyramid import Triple
from mist.wavelet import Coefficients

CODEC_NAME: Final = "blosc-zstd-bitshuffle"
"""As recorded with each scan, so that a reader knows what it meets."""

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_HEADER_BYTES = 16
"""Blosc's header: versions and flags, then uncompressed size, inner block size and compressed size as u32le."""

_CHECKSUM_BYTES = 4
_LEVEL = 7
_COMPRESSOR = "zstd"


class BlockCorrupt(MistError, ValueError):
    """The bytes are not those of a block."""


def encode_block(coefficients: Coefficients) -> bytes:
    """The bytes of one block; `coefficients` are int32 or int64 in C order, of the scan's block shape."""
    little = np.ascontiguousarray(coefficients, coefficients.dtype.newbyteorder("<"))
    compressed = bytes(blosc.compress(little, _COMPRESSOR.encode(), _LEVEL, blosc.BITSHUFFLE, 0))
    return compressed + int(google_crc32c.value(compressed)).to_bytes(_CHECKSUM_BYTES, "little")


def decode_block(data: bytes | memoryview, dtype: np.dtype[np.signedinteger], shape: Triple) -> Coefficients:
    """The coefficients of one block, of `dtype` (int32 or int64) and `shape`; `data` is what `encode_block` returned.

    Raises
    ------
    BlockCorrupt
        The bytes are short, long, altered, or hold something of another size.
    """
    if block_length(data, 0) != len(data):
        raise BlockCorrupt(f"a block of {block_length(data, 0)} bytes lies in {len(data)} bytes")
    compressed, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if google_crc32c.value(bytes(compressed)) != int.from_bytes(checksum, "little"):
        raise BlockCorrupt("a block's bytes do not match its checksum")
    expected = int(np.prod(shape)) * dtype.itemsize
    if int.from_bytes(compressed[4:8], "little") != expected:
        raise BlockCorrupt(f"a block declares {int.from_bytes(compressed[4:8], 'little')} bytes, not {expected}")
    coefficients = np.empty(shape, dtype.newbyteorder("<"))
    try:
        blosc.decompress(compressed, coefficients)
    except RuntimeError as error:
        raise BlockCorrupt(f"a block does not decompress: {error}") from None
    return coefficients.astype(dtype, copy=False)


def block_length(data: bytes | memoryview, offset: int) -> int:
    """The length in bytes of the block that begins at `offset` of `data`.

    Raises
    ------
    BlockCorrupt
        Its end lies beyond the end of `data`.
    """
    stated = bytes(data[offset + 12 : offset + _HEADER_BYTES])
    length = int.from_bytes(stated, "little") + _CHECKSUM_BYTES
    if len(stated) < 4 or length < _HEADER_BYTES + _CHECKSUM_BYTES or offset + length > len(data):
        raise BlockCorrupt(f"a block at byte {offset} declares {length} bytes, {len(data) - offset} are there")
    return length


def zarr_codecs(dtype: np.dtype[np.signedinteger]) -> list[Json]:
    """The Zarr v3 codec chain with which any Zarr library decodes a block."""
    settings: Json = {
        "cname": _COMPRESSOR,
        "clevel": _LEVEL,
        "shuffle": "bitshuffle",
        "typesize": dtype.itemsize,
        "blocksize": 0,
    }
    return [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "blosc", "configuration": settings},
        {"name": "crc32c"},
    ]
