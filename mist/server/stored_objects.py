"""The stored objects themselves, for clients that decode on their own.

The rule: a key is never turned into a path. It is taken apart and looked up: the scan in this version of the catalog,
its digest, one of three names; nothing else exists. An object that the catalog promises and the store lacks is the
server's failure, never a 404.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mist.errors import ObjectNotFound, ScanCorrupt, ScanNotFound
from mist.scan import ScanHeader, hex_digest
from mist.server.asked import Asked
from mist.server.byte_range import asked_range
from mist.server.reply import IMMUTABLE, PIECE_BYTES, Body, MemoryBody, Reply, StoredBody, UnsentBody, not_modified
from mist.server.shelf import OpenDataset, Shelf
from mist_storage.catalog import CatalogRow
from mist_storage.keys import BLOCKS, PUBLISHED_CATALOG, SOURCE, ZARR_JSON, scan_key
from mist_storage.zarr_shard import header_digest, shard_bytes

MEDIA_TYPES = {
    BLOCKS: "application/octet-stream",
    SOURCE: "application/json",
    ZARR_JSON: "application/json",
}
"""The objects of a scan that are served, and what they are."""

_PARQUET = "application/vnd.apache.parquet"
_KEY = re.compile(r"scans/([^/]+)/([^/]+)/(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Object:
    """A stored object, before its bytes are read."""

    media_type: str
    etag: str
    size: int
    cache_control: str
    body: Callable[[int, int], Body]
    """The body of bytes [start, stop)."""
    probe: Callable[[], object]
    """Raises where the object is not there as it should be."""


def stored_object(shelf: Shelf, asked: Asked) -> Reply:
    """The object at a key of the dataset's store, or a range of it.

    Raises
    ------
    ObjectNotFound
        No object that a client needs has that key.
    ScanCorrupt
        The catalog names the scan, and its object is missing, short or altered.
    """
    asked.parameters()
    dataset, key = shelf.dataset(asked.parts["dataset"]), asked.parts["key"]
    found = _catalog(dataset) if key == PUBLISHED_CATALOG else _scan_object(dataset, key)
    headers = {
        "Content-Type": found.media_type,
        "ETag": found.etag,
        "Cache-Control": found.cache_control,
        "Accept-Ranges": "bytes",
    }
    return not_modified(asked, headers) or _answer(asked, found, headers)


def _answer(asked: Asked, found: _Object, headers: dict[str, str]) -> Reply:
    if asked.method == "HEAD":  # a range is of GET alone: RFC 9110 14.2
        found.probe()
        return Reply(200, headers, UnsentBody(found.size))
    wanted = asked_range(asked.headers, found.etag, found.size)
    if wanted is None:
        return Reply(200, headers, found.body(0, found.size))
    return Reply(206, {**headers, "Content-Range": wanted.content_range}, found.body(wanted.start, wanted.stop))


def _catalog(dataset: OpenDataset) -> _Object:
    data = dataset.published_catalog
    etag = f'"{dataset.catalog.version}-{hex_digest(data)[:32]}"'
    return _in_memory(data, _PARQUET, etag, dataset.cache_control)


def _scan_object(dataset: OpenDataset, key: str) -> _Object:
    match = _KEY.fullmatch(key)
    if match is None or match[3] not in MEDIA_TYPES:
        raise ObjectNotFound(f"no object has the key {key!r}")
    try:
        row = dataset.row(match[1])
    except ScanNotFound:
        raise ObjectNotFound(f"no object has the key {key!r}: this version has no such scan") from None
    if row.digest != match[2]:
        raise ObjectNotFound(f"no object has the key {key!r}: the scan's digest is {row.digest}")
    return _blocks(dataset, row) if match[3] == BLOCKS else _document(dataset, row, match[3])


def _document(dataset: OpenDataset, row: CatalogRow, name: str) -> _Object:
    """One of a scan's small objects, read as a whole."""
    try:
        data = dataset.direct.get(scan_key(row.scan_id, row.digest, name))
    except ObjectNotFound:
        raise ScanCorrupt(row.scan_id, None, f"its object {name} is missing") from None
    digest, expected = hex_digest(data), _digest_of(row, name)
    if not digest.startswith(expected):
        raise ScanCorrupt(row.scan_id, None, f"its object {name} has digest {digest[:16]}, not {expected[:16]}")
    return _in_memory(data, MEDIA_TYPES[name], f'"{digest[:32]}"', IMMUTABLE)


def _digest_of(row: CatalogRow, name: str) -> str:
    """The beginning of the SHA-256, in hex, of one of a scan's small objects: see `zarr_shard.scan_digest`."""
    length = len(header_digest(row.header))
    return row.digest[:length] if name == ZARR_JSON else row.digest[length:]


def _in_memory(data: bytes, media_type: str, etag: str, cache_control: str) -> _Object:
    view = memoryview(data)
    return _Object(
        media_type, etag, len(data), cache_control, lambda start, stop: MemoryBody((view[start:stop],)), lambda: None
    )


def _blocks(dataset: OpenDataset, row: CatalogRow) -> _Object:
    """A scan's object of blocks. Its size follows from the header, so nothing is read but what is asked for."""
    size = shard_bytes(row.header)
    return _Object(
        media_type=MEDIA_TYPES[BLOCKS],
        etag=f'"{row.digest}"',
        size=size,
        cache_control=IMMUTABLE,
        body=partial(_blocks_body, dataset, row),
        probe=partial(_read_blocks, dataset, row, size - 1, size),
    )


def _blocks_body(dataset: OpenDataset, row: CatalogRow, start: int, stop: int) -> StoredBody:
    """Bytes [start, stop) of the blocks: through the cache where they are few, piece by piece where they are many."""
    read = partial(_read_blocks, dataset, row, through_cache=stop - start <= PIECE_BYTES)
    return StoredBody(read(start, min(stop, start + PIECE_BYTES)), read, start, stop)


def _read_blocks(dataset: OpenDataset, row: CatalogRow, start: int, stop: int, *, through_cache: bool = False) -> bytes:
    reader = dataset.cached if through_cache else dataset.direct
    try:
        data = reader.get_range(scan_key(row.scan_id, row.digest, BLOCKS), start, stop)
    except ObjectNotFound:
        raise ScanCorrupt(row.scan_id, _level_at(row.header, start), "its object of blocks is missing") from None
    if len(data) != stop - start:
        dataset.forget(row)
        level = _level_at(row.header, start + len(data))
        raise ScanCorrupt(row.scan_id, level, f"its object of blocks ends at byte {start + len(data)}, before {stop}")
    return data


def _level_at(header: ScanHeader, byte: int) -> int | None:
    """The level to which a byte of the object of blocks belongs; None for the tables after the last level."""
    levels = range(header.pyramid.coarsest, -1, -1)
    return next((level for level in levels if byte < header.levels[level].end_byte), None)
