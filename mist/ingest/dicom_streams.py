"""How large the image is that a compressed stream says it holds, before anything is decoded.

The rule: a decoder makes room for what the stream says, so a stream that contradicts its object is refused first: one
changed byte asks for gigabytes, or for minutes. Knows headers of JPEG, JPEG-LS and JPEG 2000, and nothing of pixels.
"""

from __future__ import annotations

import struct

from mist.errors import SourceRefused

_FRAME_HEADERS = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})
"""Second bytes of the markers of JPEG (ITU-T T.81, table B.1) and JPEG-LS (T.87, table C.1) that lead such a header."""

_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Second bytes of the markers that no length follows."""

_CODESTREAM = b"\xff\x4f\xff\x51"
"""How a JPEG 2000 codestream begins: SOC, then SIZ (T.800 A.4.1, A.5.1)."""

_SIZ = struct.Struct(">4x2x2xIIII")
"""From there: the right and the lower edge of the image, then its left and its upper one."""


def stream_size(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns of the image that a stream holds, or None where its first headers do not say."""
    if stream.startswith(_CODESTREAM):
        if len(stream) < _SIZ.size:
            return None
        right, lower, left, upper = _SIZ.unpack_from(stream)
        return lower - upper, right - left
    return _jpeg_size(stream) if stream.startswith(b"\xff\xd8") else None


def _jpeg_size(stream: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(stream) and stream[place] == 0xFF:
        marker, length = stream[place + 1], int.from_bytes(stream[place + 2 : place + 4], "big")
        if marker in _FRAME_HEADERS:
            rows, columns = struct.unpack_from(">HH", stream, place + 5)
            return (rows, columns) if rows and columns else None  # 0: it is said further back
        if marker == 0xFF:  # a fill byte
            place += 1
        else:
            place += 2 if marker in _ALONE else 2 + length
    return None


def require_size(stream: bytes, rows: int, columns: int) -> None:
    """Make sure that a compressed frame is not of another size than its object says.

    Raises
    ------
    SourceRefused
        It is.
    """
    found = stream_size(stream)
    if found is not None and found != (rows, columns):
        raise SourceRefused(
            f"the header says {rows} x {columns} pixels, and the compressed stream {found[0]} x {found[1]}; "
            "the file is damaged, export it anew"
        )
