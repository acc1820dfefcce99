"""The objects from which a scan's source files come back: `source.json`, and `source.zst` that it vouches for.

The rule: `source.json` is covered by the scan's digest and says size and SHA-256 of `source.zst`; what does not fit is
not believed. Knows sizes and digests, and how a file comes back only as far as `mist.kept_file` tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numcodecs import Zstd

from mist.codec import Json
from mist.errors import ObjectNotFound, ScanCorrupt
from mist.json_value import text, whole
from mist.kept_file import KeptFile
from mist.scan import canonical_json, hex_digest
from mist_storage.catalog_row import CatalogRow
from mist_storage.keys import KEPT, SOURCE, scan_key
from mist_storage.store import Store
from mist_storage.zarr_shard import scan_digest

THOROUGH_BYTES = 16 << 20
"""Up to this size what is kept is compressed thoroughly: it is headers. More of it is pixels that voxels do not give
back, of which a faster level makes nearly as little."""

_THOROUGH_LEVEL, _FAST_LEVEL = 15, 6
"""Of headers, 19 makes no less than 15, in four times the time."""


@dataclass(frozen=True, slots=True)
class KeptObject:
    """What `source.json` says of `source.zst`."""

    bytes: int
    """Its size."""
    sha256: str
    """Its SHA-256, as 64 hex digits."""
    content_bytes: int
    """The size of what is compressed in it."""


@dataclass(frozen=True, slots=True)
class KeptSource:
    """How a scan's source files come back."""

    files: tuple[KeptFile, ...]
    """The files, in the order in which `source.zst` has what is kept of them."""
    kept: KeptObject
    """What `source.zst` must be."""


def source_objects(files: Sequence[Mapping[str, Json]], kept: bytes | None) -> dict[str, bytes]:
    """The objects by name: `source.json`, and `source.zst` where anything is kept.

    Parameters
    ----------
    files
        What is said of each file: by `KeptFile.to_json` where `kept` is given.
    kept
        What is kept of all files, one after the other.
    """
    document: dict[str, Json] = {"files": [dict(file) for file in files]}
    if kept is None:
        return {SOURCE: canonical_json(document)}
    level = _THOROUGH_LEVEL if len(kept) <= THOROUGH_BYTES else _FAST_LEVEL
    data = bytes(Zstd(level=level).encode(kept)) if kept else b""
    document["kept"] = {"bytes": len(data), "sha256": hex_digest(data), "content_bytes": len(kept)}
    return {KEPT: data, SOURCE: canonical_json(document)}


def kept_object(source: bytes) -> KeptObject | None:
    """What `source.json` says of `source.zst`, or None where it says nothing: its scan is older.

    Raises
    ------
    KeyError, TypeError, ValueError
        It is not such a document.
    """
    document: Any = json.loads(source)
    if "kept" not in document:
        return None
    said = document["kept"]
    return KeptObject(whole(said["bytes"]), text(said["sha256"]), whole(said["content_bytes"]))


def said_bytes(source: bytes) -> int:
    """The size that `source.json` says `source.zst` has; 0 where there is none to be read."""
    try:
        expected = kept_object(source)
    except (KeyError, TypeError, ValueError):
        return 0
    return 0 if expected is None else expected.bytes


def kept_problems(source: bytes, data: bytes | None) -> Iterator[str]:
    """What is wrong with `source.zst`, of which `data` was found, by what `source.json` says of it."""
    expected = kept_object(source)
    if data is None:
        yield f"{KEPT} is missing"
    elif expected is not None and not _fits(data, expected):
        yield _misfit(data, expected)


def may_be_withheld(store: Store) -> bool:
    """Whether `source.zst` may be in a store that does not give it out: a server keeps headers of patients' files."""
    return store.url.startswith("http")


def _fits(data: bytes, expected: KeptObject) -> bool:
    return (len(data), hex_digest(data)) == (expected.bytes, expected.sha256)


def _misfit(data: bytes, expected: KeptObject) -> str:
    found = f"{len(data)} bytes of digest {hex_digest(data)[:16]}"
    return f"{KEPT} has {found}, not {expected.bytes} of {expected.sha256[:16]}"


def read_kept_source(store: Store, row: CatalogRow) -> KeptSource | None:
    """How the files of a scan come back, or None where its dataset keeps nothing but their digests.

    Raises
    ------
    ScanCorrupt
        `source.json` is missing or altered.
    StoreError
        The store failed.
    """
    data = _object(store, row, SOURCE)
    if scan_digest(row.header, data) != row.digest:
        raise ScanCorrupt(row.scan_id, None, f"{SOURCE} does not fit the scan's digest")
    try:
        kept = kept_object(data)
        if kept is None:
            return None
        files = tuple(map(KeptFile.from_json, json.loads(data)["files"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ScanCorrupt(row.scan_id, None, f"{SOURCE} is not what a scan has: {error!r}") from None
    return KeptSource(files, kept)


def read_kept_bytes(store: Store, row: CatalogRow, expected: KeptObject) -> bytes:
    """What is kept of all files of a scan, one after the other.

    Raises
    ------
    ScanCorrupt
        `source.zst` is missing or altered.
    StoreError
        The store failed.
    """
    data = _object(store, row, KEPT)
    if not _fits(data, expected):
        raise ScanCorrupt(row.scan_id, None, _misfit(data, expected))
    if not data:
        return b""
    try:
        return bytes(Zstd().decode(data, out=bytearray(expected.content_bytes)))
    except (RuntimeError, ValueError) as error:
        raise ScanCorrupt(row.scan_id, None, f"{KEPT} cannot be decompressed: {error}") from None


def _object(store: Store, row: CatalogRow, name: str) -> bytes:
    try:
        return store.get(scan_key(row.scan_id, row.digest, name))
    except ObjectNotFound:
        hint = "; a MIST server does not give it out: name the store itself" if may_be_withheld(store) else ""
        raise ScanCorrupt(row.scan_id, None, f"{name} is missing{hint}") from None
