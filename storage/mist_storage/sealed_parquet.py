"""Parquet files that hold a digest of themselves.

The rule: nothing is parsed whose digest is wrong, because a parser trusts the lengths that it finds: one flipped bit
may make it ask for exabytes, which ends the process. The seal, a mark and the SHA-256 of the file's name and of all
other bytes, stands before the metadata at the file's end, which says where the rows are; so it is void to every reader
of Parquet. A file without a seal, or in another's place, is damaged. Knows bytes, not rows.
"""

from __future__ import annotations

import hashlib

_MAGIC = b"PAR1"
_TAIL_BYTES = 8
"""What follows a Parquet file's metadata: its length, u32, and the magic."""

_MARK = b"\xffMIST sha256\xff"
"""Its first byte is in no UTF-8, so that no text that is kept in a file looks like it."""

_DIGEST_BYTES = 32

SEAL_BYTES = len(_MARK) + _DIGEST_BYTES
"""How much longer the seal makes a file."""


def sealed(data: bytes, name: str, void_bytes: int = 0) -> bytes:
    """The Parquet file `data` with the seal of a file called `name`, and with so many void bytes besides."""
    metadata_at = _metadata_at(data)
    head, metadata = data[:metadata_at] + bytes(void_bytes) + _MARK, data[metadata_at:]
    return head + _digest(name, head + metadata) + metadata


def require_whole(data: bytes, name: str) -> None:
    """Raise `ValueError` where `data` is no whole Parquet file with a seal, or not what was sealed as `name`."""
    if len(data) < 2 * len(_MAGIC) + _TAIL_BYTES or not (data.startswith(_MAGIC) and data.endswith(_MAGIC)):
        raise ValueError(f"its {len(data)} bytes are no Parquet file, or not all of one")
    digest_at = data.rfind(_MARK) + len(_MARK)
    if digest_at < len(_MARK):
        raise ValueError(f"its {len(data)} bytes have no digest: they were altered, or are not MIST's")
    stop = digest_at + _DIGEST_BYTES
    if _digest(name, data[:digest_at] + data[stop:]) != data[digest_at:stop]:
        raise ValueError(f"its {len(data)} bytes do not fit their digest: some were altered, lost or moved")


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.sha256(f"{name}\n".encode() + data).digest()


def _metadata_at(data: bytes) -> int:
    return len(data) - _TAIL_BYTES - int.from_bytes(data[-_TAIL_BYTES : -len(_MAGIC)], "little")
