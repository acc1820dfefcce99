"""JPEG, JPEG-LS and JPEG 2000 without the texts that may stand between their marks.

The rule: whatever a decoder needs stays byte for byte; comments, and application segments but those that say how
colours are meant, go, and so does what follows the end. Knows marks (ISO 10918-1 B.1, 14495-1 C.1, 15444-1 A.2), no
pixels.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

_JPEG_START, _JPEG_END, _SCAN = 0xD8, 0xD9, 0xDA
_COMMENT = 0xFE
_APPLICATION = range(0xE0, 0xF0)
_RESERVED = frozenset({*range(0xF0, 0xF7), *range(0xF9, 0xFE)})
"""Extensions that no decoder of these transfer syntaxes knows (ISO 10918-1 B.1); F7 and F8 are those of JPEG-LS."""

_JPEG_2000_START = b"\xff\x4f\xff\x51"
_JPEG_2000_COMMENT, _TILE_PART, _DATA, _JPEG_2000_END = 0xFF64, 0xFF90, 0xFF93, 0xFFD9
_JP2_START = b"\0\0\0\x0cjP  \r\n\x87\n"

_AFTER_SCAN = re.compile(rb"\xff+[\x80-\xcf\xd8-\xfe]")
"""A mark within entropy-coded data: no stuffed byte (00; in JPEG-LS below 80), no restart (D0 to D7)."""


def without_texts(codestream: bytes) -> bytes:
    """`codestream` without texts; as it is if it is of no kind known here.

    Raises
    ------
    ValueError
        Its marks do not follow each other as they must.
    """
    if codestream.startswith(b"\xff\xd8"):
        return b"".join(_jpeg_parts(codestream))
    if codestream.startswith(_JP2_START):
        return without_texts(_contiguous(codestream))
    return b"".join(_jpeg_2000_parts(codestream)) if codestream.startswith(_JPEG_2000_START) else codestream


def _jpeg_parts(data: bytes) -> Iterator[bytes]:
    """The marks and segments that stay, to the end of the image."""
    yield data[:2]
    at = 2
    while True:
        at = _mark(data, at)
        mark = data[at + 1]
        if mark == _JPEG_END:
            yield data[at : at + 2]
            return
        end = _segment_end(data, at)
        if mark == _SCAN:
            end = _scan_end(data, end)
        yield _jpeg_segment(mark, data[at:end])
        at = end


def _mark(data: bytes, at: int) -> int:
    """Where the mark at `at` begins, behind the FF bytes that may fill the space before it."""
    while data[at : at + 2] == b"\xff\xff":
        at += 1
    if at + 2 > len(data) or data[at] != 0xFF:
        raise ValueError("there is no mark where one must be")
    return at


def _segment_end(data: bytes, at: int) -> int:
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
    if end < at + 4 or end > len(data):
        raise ValueError("a segment is longer than the data")
    return end


def _scan_end(data: bytes, at: int) -> int:
    found = _AFTER_SCAN.search(data, at)
    if found is None:
        raise ValueError("the data end within a scan")
    return found.end() - 2


def _jpeg_segment(mark: int, segment: bytes) -> bytes:
    """A segment, or nothing where it may hold a text."""
    if mark in _RESERVED:
        return b""
    if mark not in _APPLICATION and mark != _COMMENT:
        return segment
    content = segment[4:]
    if mark == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 12:
        return _application(mark, content[:12] + b"\0\0")  # without its thumbnail
    if mark == 0xEE and content.startswith(b"Adobe") and len(content) >= 12:
        return _application(mark, content[:12])
    if mark == 0xE8 and content.startswith(b"mrfx") and len(content) == 5:  # which colours JPEG-LS was given
        return segment
    return b""


def _application(mark: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, mark, len(content) + 2) + content


def _jpeg_2000_parts(data: bytes) -> Iterator[bytes]:
    """The main header without comments, and the tile parts to the end of the image."""
    yield data[:2]
    at = 2
    while (mark := int.from_bytes(data[at : at + 2])) != _TILE_PART:
        end = _segment_end(data, at)
        if mark != _JPEG_2000_COMMENT:
            yield data[at:end]
        at = end
    while int.from_bytes(data[at : at + 2]) == _TILE_PART:
        end = _tile_part_end(data, at)
        yield _without_comments(data[at:end])
        at = end
    yield _JPEG_2000_END.to_bytes(2)


def _tile_part_end(data: bytes, at: int) -> int:
    """Where the tile part at `at` ends, by its Psot (ISO 15444-1 A.4.2); 0 says that it is the last."""
    length = int.from_bytes(data[at + 6 : at + 10])
    end = at + length if length else data.rindex(_JPEG_2000_END.to_bytes(2))
    if end < at + 14 or end > len(data):
        raise ValueError("a tile part is longer than the data")
    return end


def _without_comments(part: bytes) -> bytes:
    """A tile part whose comments are blank: other headers may say how long it is, so that its length stays."""
    clean, at = bytearray(part), 0
    while int.from_bytes(part[at : at + 2]) != _DATA:
        end = _segment_end(part, at)
        if int.from_bytes(part[at : at + 2]) == _JPEG_2000_COMMENT:
            clean[at + 6 : end] = bytes(max(0, end - at - 6))
        at = end
    return bytes(clean)


def _contiguous(data: bytes) -> bytes:
    """The codestream in a JP2 file (ISO 15444-1 I.5.4), which is all that DICOM takes."""
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + length if length else len(data)
        if kind == b"jp2c" and length != 1:
            return data[at + 8 : end]
        if length == 1 or end < at + 8:
            break
        at = end
    raise ValueError("the file holds no codestream")
