"""Source files that are compressed in themselves, as what they hold, and back.

The rule: what is compressed comes back with the same content, not with the same bytes, since no two compressors agree;
all that stands beside it comes back byte for byte. What cannot be unwrapped so that it surely comes back is left as it
is. Knows no voxels.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt

LEVEL = 6
"""How hard `wrapped` compresses: zlib's own default."""


class Wrapping(StrEnum):
    """What made a body from a file."""

    NONE = "none"
    """Nothing: the body is the file, which comes back byte for byte."""
    GZIP = "gzip"
    """The body is what the file holds compressed by gzip: `.nii.gz`."""
    PNG = "png"
    """The body is the file with plain rows in the place of its image data chunks; see `png_body`."""
    DEFLATED_DICOM = "deflated-dicom"
    """The body is the file with its dataset inflated (PS3.5 A.5)."""
    DECAPSULATED_DICOM = "decapsulated-dicom"
    """The body is an uncompressed file with the same pixels, and that is what comes back."""


def wrapped(body: bytes, wrapping: Wrapping) -> bytes:
    """A file that holds `body`.

    Raises
    ------
    ValueError
        `body` is not what such a file can hold.
    """
    if wrapping is Wrapping.GZIP:
        return gzip.compress(body, LEVEL, mtime=0)
    if wrapping is Wrapping.PNG:
        return _png(body)
    if wrapping is Wrapping.DEFLATED_DICOM:
        return _deflated_dicom(body)
    return body


def unzipped(data: bytes | memoryview, max_bytes: int) -> bytes | None:
    """What `data` holds compressed by gzip, or None where that is more than `max_bytes`, broken, or not all of it."""
    inflating, parts, left = zlib.decompressobj(wbits=31), [], max_bytes
    while data:
        try:
            parts.append(inflating.decompress(data, left + 1))
        except zlib.error:
            return None
        left -= len(parts[-1])
        if left < 0 or not inflating.eof:
            return None
        data, inflating = inflating.unused_data, zlib.decompressobj(wbits=31)
    return b"".join(parts)


# ---------------------------------------------------------------------------------------------------------------- DICOM


def inflated_dicom(data: bytes) -> bytes | None:
    """A DICOM file with its dataset inflated, or None where more than a padding byte follows, or it is broken."""
    start = dataset_start(data)
    inflating = zlib.decompressobj(wbits=-15)
    try:
        dataset = inflating.decompress(data[start:])
    except zlib.error:
        return None
    if not inflating.eof or len(inflating.unused_data) > 1:
        return None
    return data[:start] + dataset


def _deflated_dicom(body: bytes) -> bytes:
    start = dataset_start(body)
    deflating = zlib.compressobj(LEVEL, wbits=-15)
    dataset = deflating.compress(body[start:]) + deflating.flush()
    return body[:start] + dataset + bytes(len(dataset) % 2)


def dataset_start(data: bytes) -> int:
    """Where in a DICOM file with preamble its dataset begins: after the last element of group 0002 (PS3.10 7.1).

    Raises
    ------
    ValueError
        The file has no preamble, or its file meta is broken.
    """
    return meta_elements(data)[-1].end


@dataclass(frozen=True, slots=True)
class MetaElement:
    """An element of a DICOM file's meta information."""

    element: int
    """The second half of its tag."""
    start: int
    """Where in the file its tag begins."""
    value: int
    """Where its value begins."""
    end: int
    """Where its value ends."""


LONG_VRS = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
"""Value representations whose length has 32 bits (PS3.5 7.1.2)."""


def meta_elements(data: bytes) -> list[MetaElement]:
    """The elements of group 0002 of a DICOM file, which are explicit VR little endian.

    Raises
    ------
    ValueError
        There is no preamble, there are none, or they are broken.
    """
    found, at = [], 132
    if data[128:132] != b"DICM":
        raise ValueError("no preamble")
    while data[at : at + 2] == b"\x02\x00" and len(data) >= at + 12:
        is_long = data[at + 4 : at + 6] in LONG_VRS
        length = struct.unpack_from("<I", data, at + 8)[0] if is_long else struct.unpack_from("<H", data, at + 6)[0]
        value = at + (12 if is_long else 8)
        found.append(MetaElement(struct.unpack_from("<H", data, at + 2)[0], at, value, value + length))
        at = value + length
    if not found or at > len(data):
        raise ValueError("no whole file meta information")
    return found


# ------------------------------------------------------------------------------------------------------------------ PNG

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MARK = b"\0\0\0\0IDAT"
"""Stands in a body where the first image data chunk began."""

_IHDR_END = 33
"""Where the first chunk, the header, ends."""

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type (PNG 11.2.1)."""


@dataclass(frozen=True, slots=True)
class PngParts:
    """A PNG file in parts."""

    before: bytes
    """From the signature to the first image data chunk."""
    compressed: bytes
    """The data of all image data chunks."""
    after: bytes
    """What follows them."""

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The parts of a file.

        Raises
        ------
        ValueError
            Its chunks are broken, or image data chunks do not lie one after the other.
        """
        chunks: list[tuple[int, int]] = []
        at = len(_SIGNATURE)
        while at < len(data) and (not chunks or data[chunks[-1][0] + 4 : chunks[-1][0] + 8] != b"IEND"):
            end = at + 12 + int.from_bytes(data[at : at + 4], "big")
            chunks.append((at, end))
            at = end
        images = [place for place, (start, _) in enumerate(chunks) if data[start + 4 : start + 8] == b"IDAT"]
        if at > len(data) or not images or images != list(range(images[0], images[-1] + 1)):
            raise ValueError("its chunks are not those of a PNG file")
        first, last = chunks[images[0]][0], chunks[images[-1]][1]
        held = b"".join(data[start + 8 : end - 4] for start, end in chunks[images[0] : images[-1] + 1])
        return cls(data[:first], held, data[last:])


@dataclass(frozen=True, slots=True)
class PngRows:
    """How the rows of a PNG file lie: not interlaced, with whole bytes for a sample."""

    height: int
    row_bytes: int
    pixel_bytes: int
    sample_bytes: int

    @classmethod
    def of(cls, before: bytes) -> Self | None:
        """What the first chunk says; None where rows lie otherwise."""
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


def png_rows(data: bytes) -> PngRows | None:
    """How the rows of the PNG file `data` lie, or None where they do not lie plainly."""
    return PngRows.of(data)


def png_body(data: bytes, rows: bytes) -> bytes | None:
    """A PNG file with the plain `rows` that it shows, or None where it does not show them or would not come back.

    The body is all chunks before the image data, four zeros and `IDAT`, the number of each row's filter, the rows, all
    chunks after the image data.
    """
    parts, form = PngParts.of(data), png_rows(data)
    if form is None or len(rows) != form.height * form.row_bytes:
        return None
    inflating = zlib.decompressobj()
    stream = inflating.decompress(parts.compressed, form.stream_bytes + 1)
    if len(stream) != form.stream_bytes or not inflating.eof or inflating.unused_data:
        return None
    filters = stream[:: 1 + form.row_bytes]
    if max(filters) > 4 or _filtered(filters, rows, form) != stream:
        return None
    return b"".join((parts.before, _MARK, filters, rows, parts.after))


def png_rows_offset(body: bytes) -> int:
    """Where in a body of a PNG file its rows begin."""
    form = PngRows.of(body)
    at = _mark(body)
    if form is None:
        raise ValueError("its rows do not lie plainly")
    return at + len(_MARK) + form.height


def _mark(body: bytes) -> int:
    """Where the chunks before the image data end."""
    at = len(_SIGNATURE)
    while body[at : at + 8] != _MARK:
        at += 12 + int.from_bytes(body[at : at + 4], "big")
        if at >= len(body):
            raise ValueError("it has no image data")
    return at


def _png(body: bytes) -> bytes:
    form, mark, start = PngRows.of(body), _mark(body), png_rows_offset(body)
    if form is None:
        raise ValueError("its rows do not lie plainly")
    end = start + form.height * form.row_bytes
    data = zlib.compress(_filtered(body[start - form.height : start], body[start:end], form), LEVEL)
    checksum = zlib.crc32(data, zlib.crc32(b"IDAT"))
    chunk = struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", checksum)
    return body[:mark] + chunk + body[end:]


def _filtered(filters: bytes, rows: bytes, form: PngRows) -> bytes:
    """The rows, each after the number of its filter and filtered by it (PNG 9)."""
    kinds = np.frombuffer(filters, np.uint8)
    plain = np.frombuffer(rows, np.uint8).reshape(form.height, form.row_bytes)
    up, left, corner = np.zeros_like(plain), np.zeros_like(plain), np.zeros_like(plain)
    up[1:], left[:, form.pixel_bytes :] = plain[:-1], plain[:, : -form.pixel_bytes]
    corner[1:, form.pixel_bytes :] = plain[:-1, : -form.pixel_bytes]
    stream = np.empty((form.height, 1 + form.row_bytes), np.uint8)
    stream[:, 0] = kinds
    for kind in range(5):
        chosen = kinds == kind
        stream[chosen, 1:] = plain[chosen] - _predicted(kind, left[chosen], up[chosen], corner[chosen])
    return stream.tobytes()


Row = npt.NDArray[np.uint8]


def _predicted(kind: int, left: Row, up: Row, corner: Row) -> Row:
    """What filter `kind` takes from each byte (PNG 9.2)."""
    if kind == 3:
        return ((left.astype(np.uint16) + up) >> 1).astype(np.uint8)
    if kind == 4:
        return _paeth(left, up, corner)
    return (np.zeros_like(left), left, up)[kind]


def _paeth(left: Row, up: Row, corner: Row) -> Row:
    a, b, c = left.astype(np.int16), up.astype(np.int16), corner.astype(np.int16)
    to_a, to_b, to_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - c - c)
    return np.where((to_a <= to_b) & (to_a <= to_c), left, np.where(to_b <= to_c, up, corner))
