"""The rows of a PNG file, and the compiled loops that filter them and that undo it (PNG 9).

The rule: filtering and undoing it are exact inverses, row by row, whichever filter each row has. Knows no chunks and no
compression.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

import numba
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

FILTERS = 5
"""How many there are: none, left, up, their mean, Paeth's choice."""

_IHDR_END = 33
"""Where the first chunk, the header, ends."""

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type (PNG 11.2.1)."""


@dataclass(frozen=True, slots=True)
class PngRows:
    """How the rows of a PNG file lie: not interlaced, with whole bytes for a sample."""

    height: int
    row_bytes: int
    pixel_bytes: int
    sample_bytes: int

    @classmethod
    def of(cls, before: bytes) -> Self | None:
        """What the first chunk says of a file that begins with `before`; None where rows lie otherwise."""
        if len(before) < _IHDR_END:
            return None
        width, height, depth, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", before, 16)
        if interlace or depth not in (8, 16) or colour not in _CHANNELS:
            return None
        pixel_bytes = _CHANNELS[colour] * depth // 8
        return cls(height, width * pixel_bytes, pixel_bytes, depth // 8)

    @property
    def stream_bytes(self) -> int:
        """Size of all rows, each with the number of its filter."""
        return self.height * (1 + self.row_bytes)

    def filtered(self, filters: bytes, rows: bytes) -> bytes:
        """The plain `rows`, each after the number of its filter, of `filters`, and filtered by it."""
        out = np.empty((self.height, 1 + self.row_bytes), np.uint8)
        plain = np.frombuffer(rows, np.uint8).reshape(self.height, self.row_bytes)
        _filter(np.frombuffer(filters, np.uint8), plain, self.pixel_bytes, out)
        return out.tobytes()

    def unfiltered(self, stream: bytes) -> Bytes:
        """The plain rows, (height, row_bytes), of which `filtered` makes `stream`; its filters are known ones."""
        out = np.empty((self.height, self.row_bytes), np.uint8)
        _unfilter(np.frombuffer(stream, np.uint8).reshape(self.height, 1 + self.row_bytes), self.pixel_bytes, out)
        return out


@numba.njit(nogil=True, cache=True)
def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    """What filter `kind` takes from a byte (PNG 9.2)."""
    if kind == 1:
        return left
    if kind == 2:
        return up
    if kind == 3:
        return (left + up) >> 1
    if kind == 4:
        to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - corner - corner)
        nearest = left if to_left <= to_up else up
        return nearest if min(to_left, to_up) <= to_corner else corner
    return 0


@numba.njit(nogil=True, cache=True)
def _filter(filters: Bytes, rows: Bytes, step: int, out: Bytes) -> None:
    """Fill `out`, (height, 1 + row_bytes), with `rows` filtered; a pixel has `step` bytes."""
    height, width = rows.shape
    above, line = np.zeros(step + width, np.int16), np.zeros(step + width, np.int16)  # zeros to the left of each row
    for y in range(height):
        kind = filters[y]
        out[y, 0] = kind
        line[step:] = rows[y]
        for x in range(width):
            out[y, 1 + x] = line[step + x] - _predicted(kind, line[x], above[step + x], above[x])
        above, line = line, above


@numba.njit(nogil=True, cache=True)
def _unfilter(stream: Bytes, step: int, out: Bytes) -> None:
    """Fill `out`, (height, row_bytes), with what `stream`, (height, 1 + row_bytes), was made of."""
    height, width = out.shape
    above = np.zeros(width, np.uint8)
    for y in range(height):
        kind, source, line = stream[y, 0], stream[y, 1:], out[y]
        for first in range(step):  # each byte of a pixel by itself, so that its neighbours stay in registers
            left = corner = 0
            for x in range(first, width, step):
                up = int(above[x])
                left = (source[x] + _predicted(kind, left, up, corner)) & 255
                line[x], corner = left, up
        above = line
