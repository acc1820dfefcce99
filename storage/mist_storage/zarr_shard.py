"""The object of blocks: a Zarr v3 shard, with the block table between its blocks and its index.

    blocks, coarsest level first | block table: 20 bytes a block | Zarr's shard index: 16 bytes a block, crc32c

The rule: any Zarr v3 library reads the array; the block table is bytes that no index entry points to, there for readers
that want some blocks only and must check them. Knows nothing of stores.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import google_crc32c

from mist.block_table import TABLE_ENTRY_BYTES, entry_length
from mist.codec import Json, zarr_codecs
from mist.scan import ScanHeader, canonical_json, hex_digest

INDEX_ENTRY_BYTES = 16
"""Zarr's entry for a block: offset and length, both u64le."""

INDEX_CHECKSUM_BYTES = 4


def shard_tables(entries: Sequence[bytes]) -> bytes:
    """What follows the blocks, whose `entries` of the block table are in order of storage."""
    return b"".join((*entries, shard_index(map(entry_length, entries))))


def shard_index(lengths: Iterable[int]) -> bytes:
    """Zarr's index of blocks of `lengths` bytes that lie one after the other from byte 0."""
    entries, offset = bytearray(), 0
    for length in lengths:
        entries += struct.pack("<QQ", offset, length)
        offset += length
    checksum: int = google_crc32c.value(bytes(entries))
    return bytes(entries) + checksum.to_bytes(INDEX_CHECKSUM_BYTES, "little")


def shard_bytes(header: ScanHeader) -> int:
    """The size of the object of blocks of a scan."""
    return (
        header.levels[0].end_byte + header.layout.count * (TABLE_ENTRY_BYTES + INDEX_ENTRY_BYTES) + INDEX_CHECKSUM_BYTES
    )


def level_span(header: ScanHeader, level: int) -> tuple[int, int]:
    """Where in the object, as [start, stop), the blocks of `level` itself lie."""
    levels = header.levels
    return (levels[level + 1].end_byte if level + 1 < len(levels) else 0), levels[level].end_byte


def table_range(header: ScanHeader, numbers: range) -> tuple[int, int]:
    """Where in the object, as [start, stop), the block table's entries of the blocks `numbers` lie."""
    table = header.levels[0].end_byte
    return table + numbers.start * TABLE_ENTRY_BYTES, table + numbers.stop * TABLE_ENTRY_BYTES


def level_digest(entries: Iterable[bytes | memoryview]) -> str:
    """The digest of a level, of the block table's entries of its blocks."""
    return hex_digest(b"".join(entries))


def zarr_json(header: ScanHeader) -> bytes:
    """The scan's `zarr.json`: one array of shape (blocks, z, y, x), one block a chunk, all in one shard."""
    shape: list[Json] = [header.layout.count, *header.block_shape]
    little: Json = {"name": "bytes", "configuration": {"endian": "little"}}
    sharding: Json = {
        "chunk_shape": [1, *header.block_shape],
        "codecs": zarr_codecs(),
        "index_codecs": [little, {"name": "crc32c"}],
        "index_location": "end",
    }
    return canonical_json(
        {
            "zarr_format": 3,
            "node_type": "array",
            "shape": shape,
            "data_type": header.coefficients.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shape}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
            "fill_value": 0,
            "attributes": {"mist": header.to_json()},
        }
    )


def header_digest(header: ScanHeader) -> str:
    """128 bits, in hex, of the SHA-256 of a scan's `zarr.json`, which holds the digests of all levels."""
    return hex_digest(zarr_json(header))[:32]


def scan_digest(header: ScanHeader, source: bytes) -> str:
    """The digest under which a scan's objects lie: its header's, then 64 bits of that of its source object.

    Every byte stored of a scan is thus checked by its key, and what lies under a key is always the same.
    """
    return header_digest(header) + hex_digest(source)[:16]
