"""An answer as data: status, headers and a body that comes in pieces.

The rule: whatever makes an answer returns one of these; only `mist.server.app` puts it on a socket. A body comes in
pieces, so that a big answer never lies in a socket's buffer as a whole.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mist.delivery.piece import Piece
from mist.scan import hex_digest
from mist.server.asked import Asked

PIECE_BYTES = 4 << 20
"""The largest piece of a body: large enough that a store's latency hides behind it, small enough to hold many."""

IMMUTABLE = "max-age=31536000, immutable"
"""Cache-Control of what never changes under its address (RFC 8246); a year is the usual for ever."""

REVALIDATE = "no-cache"
"""Cache-Control of what may be kept, and must be asked for again each time that it is used."""


class Body(Protocol):
    """What follows the headers."""

    @property
    def length(self) -> int | None:
        """Number of bytes; None where nobody knows, which is for answers to HEAD alone."""

    def pieces(self) -> Iterator[Piece]:
        """The bytes, in pieces of at most `PIECE_BYTES`. Getting the next one may read a store."""


@dataclass(frozen=True, slots=True)
class MemoryBody:
    """A body that lies in memory, in one or several parts."""

    parts: Sequence[Piece] = ()

    @property
    def length(self) -> int:
        """See `Body.length`."""
        return sum(map(len, self.parts))

    def pieces(self) -> Iterator[Piece]:
        """See `Body.pieces`."""
        for part in self.parts:
            view = memoryview(part)
            yield from (view[at : at + PIECE_BYTES] for at in range(0, len(view), PIECE_BYTES))


@dataclass(frozen=True, slots=True)
class StoredBody:
    """Bytes [start, stop) of a stored object, of which the first piece has been read already."""

    first: bytes
    """The first piece: that there is one shows that the store answers, before a status is sent."""
    read: Callable[[int, int], bytes]
    """Reads bytes [start, stop) of the object, all of them or none."""
    start: int
    stop: int

    @property
    def length(self) -> int:
        """See `Body.length`."""
        return self.stop - self.start

    def pieces(self) -> Iterator[Piece]:
        """See `Body.pieces`."""
        yield self.first
        for at in range(self.start + len(self.first), self.stop, PIECE_BYTES):
            yield self.read(at, min(at + PIECE_BYTES, self.stop))


@dataclass(frozen=True, slots=True)
class UnsentBody:
    """The body that HEAD leaves out, of known length or not."""

    length: int | None = None

    def pieces(self) -> Iterator[Piece]:
        """See `Body.pieces`."""
        return iter(())


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: Body


def json_reply(asked: Asked, value: object, cache_control: str) -> Reply:
    """`value` as JSON, with a strong ETag of its bytes."""
    data = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": cache_control,
        "ETag": f'"{hex_digest(data)[:32]}"',
    }
    return not_modified(asked, headers) or Reply(200, headers, MemoryBody((data,)))


def not_modified(asked: Asked, headers: Mapping[str, str]) -> Reply | None:
    """304 where the client holds what `headers` describe (RFC 9110 13.1.2), else None."""
    held = {tag.strip().removeprefix("W/") for tag in asked.headers.get("If-None-Match", "").split(",")}
    if held.isdisjoint({headers["ETag"], "*"}):
        return None
    kept = {name: headers[name] for name in ("ETag", "Cache-Control")}
    return Reply(304, kept, MemoryBody())


def plain(value: object) -> object:
    """`value` with what JSON cannot say, numbers that are not finite, replaced by null."""
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
