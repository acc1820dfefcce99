"""The Range header of a request (RFC 9110, section 14).

The rule: half-open everywhere but in the header's own text. A header that is malformed, or that asks for several
ranges, is ignored, as RFC 9110 14.2 allows: the whole object is a right answer to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mist.errors import InvalidRequest

_ONE_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.IGNORECASE)


class RangeUnsatisfiable(InvalidRequest):
    """The range begins beyond the end of the object, or is empty."""

    def __init__(self, text: str, size: int) -> None:
        self.text = text
        self.size = size
        super().__init__(f"range {text!r} holds nothing of an object of {size} bytes")

    def __reduce__(self) -> tuple[type[RangeUnsatisfiable], tuple[str, int]]:
        """Pickle by the two facts."""
        return type(self), (self.text, self.size)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes [start, stop) of an object of `size` bytes."""

    start: int
    stop: int
    size: int

    @property
    def content_range(self) -> str:
        """The value of the Content-Range header: the last byte is named inclusively."""
        return f"bytes {self.start}-{self.stop - 1}/{self.size}"


def asked_range(headers: Mapping[str, str], etag: str, size: int) -> ByteRange | None:
    """The one range that `headers` ask for of an object of `size` bytes; None where the whole object is to be sent.

    Raises
    ------
    RangeUnsatisfiable
        The range holds nothing of the object.
    """
    text = headers.get("Range")
    condition = headers.get("If-Range")
    if text is None or condition not in (None, etag):
        return None
    match = _ONE_RANGE.fullmatch(text)
    if match is None or match[1] == match[2] == "":
        return None
    return _from_end(text, int(match[2]), size) if match[1] == "" else _from_start(text, match, size)


def _from_end(text: str, length: int, size: int) -> ByteRange:
    """The last `length` bytes: `bytes=-500`."""
    if length == 0 or size == 0:
        raise RangeUnsatisfiable(text, size)
    return ByteRange(max(0, size - length), size, size)


def _from_start(text: str, match: re.Match[str], size: int) -> ByteRange | None:
    """From a first byte to a last one, which is included, or to the end: `bytes=0-499`, `bytes=500-`."""
    start, last = int(match[1]), int(match[2] or size)
    if match[2] and last < start:
        return None
    if start >= size:
        raise RangeUnsatisfiable(text, size)
    return ByteRange(start, min(last + 1, size), size)
