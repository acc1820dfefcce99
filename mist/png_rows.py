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
Number = int | np.int32

LEFT, UP, MEAN, PAETH = 1, 2, 3, 4
"""What a filter takes from a byte: the one to its left, the one above, their mean, Paeth's choice; 0 takes nothing."""

FILTERS = 5
"""How many there are."""

_IHDR_END = 33
"""Where the first chunk, the header, ends."""

_HEADER = struct.Struct(">IIBBBBB")
"""Width, height, bit depth, colour type, compression, filter and interlace method (PNG 11.2.1)."""

HEADER_CONTENT = slice(16, 29)
"""Where in a file the content of the first chunk, the header, lies."""

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel, by colour type (PNG 11.2.1)."""


_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of an interlaced picture: each pass's first column and row, and how far apart its columns and rows are (PNG 8.2)."""


def image_data_bytes(header: bytes) -> int:
    """Size of the image data, inflated, of a PNG file with that `header` chunk: its rows, each with its filter."""
    width, height, depth, colour, _, _, interlace = _HEADER.unpack(header)
    bits = depth * CHANNELS[colour]
    total = 0
    for x, y, across, down in _PASSES if interlace else ((0, 0, 1, 1),):
        columns, rows = -((x - width) // across), -((y - height) // down)
        total += rows * (1 + (columns * bits + 7) // 8) if columns > 0 else 0
    return total


@dataclass(frozen=True, slots=True)
class PngRows:
    """How the rows of a PNG file lie: not interlaced, with whole bytes for a sample."""

    height: int
    row_bytes: int
    pixel_bytes: int
    sample_bytes: int

    @classmethod
    def of(cls, before: bytes | memoryview) -> Self | None:
        """What the first chunk says of a file that begins with `before`; None where rows lie otherwise."""
        if len(before) < _IHDR_END:
            return None
        width, height, depth, colour, _, _, interlace = _HEADER.unpack(before[HEADER_CONTENT])
        if interlace or depth not in (8, 16) or colour not in CHANNELS or not width:
            return None
        pixel_bytes = CHANNELS[colour] * depth // 8
        return cls(height, width * pixel_bytes, pixel_bytes, depth // 8)

    @property
    def plain_bytes(self) -> int:
        """Size of all rows, unfiltered."""
        return self.height * self.row_bytes

    @property
    def stream_bytes(self) -> int:
        """Size of all rows, each with the number of its filter."""
        return self.height + self.plain_bytes

    def filtered(self, filters: bytes, rows: bytes | Bytes) -> bytes:
        """The plain `rows`, each after the number of its filter, of `filters`, and filtered by it."""
        out = np.empty((self.height, 1 + self.row_bytes), np.uint8)
        plain = np.frombuffer(rows, np.uint8).reshape(self.height, self.row_bytes)
        plain.setflags(write=False)  # numba compiles everything once more for data that can be written to
        _filter(np.frombuffer(filters, np.uint8), plain, self.pixel_bytes, out)
        return out.tobytes()

    def unfiltered(self, stream: bytes) -> Bytes:
        """The plain rows, (height, row_bytes), of which `filtered` makes `stream`; its filters are known ones."""
        out = np.empty((self.height, self.row_bytes), np.uint8)
        _unfilter(np.frombuffer(stream, np.uint8).reshape(self.height, 1 + self.row_bytes), self.pixel_bytes, out)
        return out


@numba.njit(nogil=True, cache=True)
def _paeth(left: Number, up: Number, corner: Number) -> Number:
    """Of the three, the one nearest to left + up - corner; the first of those that are equally near (PNG 9.4).

    That is the lower of `left` and `up` where `corner` is at least twice as far above it as it is below the higher, the
    higher likewise, else `corner`: fewer steps that wait for each other than it takes to compare three distances.
    """
    low, high = min(left, up), max(left, up)
    beyond = 3 * corner - left - up
    nearest = low if high <= beyond else corner
    return high if beyond <= low else nearest


@numba.njit(nogil=True, cache=True)
def _predicted(kind: int, left: Number, up: Number, corner: Number) -> Number:
    """What filter `kind` takes from a byte (PNG 9.2)."""
    if kind == LEFT:
        return left
    if kind == UP:
        return up
    if kind == MEAN:
        return (left + up) >> 1
    if kind == PAETH:
        return _paeth(left, up, corner)
    return 0


@numba.njit(nogil=True, cache=True)
def _filter(filters: Bytes, rows: Bytes, step: int, out: Bytes) -> None:
    """Fill `out`, (height, 1 + row_bytes), with `rows` filtered; a pixel has `step` bytes."""
    height, width = rows.shape
    above, line = np.zeros(step + width, np.uint8), np.zeros(step + width, np.uint8)  # zeros to the left of each row
    for y in range(height):
        out[y, 0] = filters[y]
        line[step:] = rows[y]
        _filter_row(filters[y], line, above, step, out[y, 1:])
        above, line = line, above


@numba.njit(nogil=True, cache=True)
def _filter_row(kind: int, line: Bytes, above: Bytes, step: int, out: Bytes) -> None:
    left, plain, corner, up = line[:-step], line[step:], above[:-step], above[step:]
    for x in range(len(out)):  # which the compiler makes into one loop for each filter, many bytes at a time
        out[x] = plain[x] - _predicted(kind, np.int32(left[x]), np.int32(up[x]), np.int32(corner[x]))


@numba.njit(nogil=True, cache=True)
def _unfilter(stream: Bytes, step: int, out: Bytes) -> None:
    """Fill `out`, (height, row_bytes), with what `stream`, (height, 1 + row_bytes), was made of."""
    height, width = out.shape
    above, y = np.zeros(width, np.uint8), 0
    while y < height:
        if y + 1 < height and stream[y, 0] == PAETH and stream[y + 1, 0] == PAETH:
            _unfilter_paeth_rows(stream[y : y + 2, 1:], above, step, out[y : y + 2])
            y += 2
        else:
            _unfilter_row(stream[y, 0], stream[y, 1:], above, step, out[y])
            y += 1
        above = out[y - 1]


@numba.njit(nogil=True, cache=True)
def _unfilter_row(kind: int, source: Bytes, above: Bytes, step: int, line: Bytes) -> None:
    width = len(line)
    if kind == UP:
        for x in range(width):
            line[x] = source[x] + above[x]
        return
    for first in range(step):  # each byte of a pixel by itself, so that its neighbours stay in registers
        left = corner = 0
        for x in range(first, width, step):
            up = int(above[x])
            left = (source[x] + _predicted(kind, left, up, corner)) & 255
            line[x], corner = left, up


@numba.njit(nogil=True, cache=True)
def _unfilter_paeth_rows(source: Bytes, above: Bytes, step: int, lines: Bytes) -> None:
    """Two rows at once, the lower a pixel behind: as each byte waits for the one before it, the rows do so together."""
    before_last = lines.shape[1] - step
    for first in range(step):
        upper, corner = np.int32(np.uint8(source[0, first] + above[first])), np.int32(above[first])
        lines[0, first] = upper
        lower = lower_corner = np.int32(0)
        for x in range(first, before_last, step):
            lower = np.int32(np.uint8(source[1, x] + _paeth(lower, upper, lower_corner)))
            lines[1, x], lower_corner = lower, upper
            up = np.int32(above[x + step])
            upper = np.int32(np.uint8(source[0, x + step] + _paeth(upper, up, corner)))
            lines[0, x + step], corner = upper, up
        x = before_last + first
        lines[1, x] = source[1, x] + _paeth(lower, upper, lower_corner)
