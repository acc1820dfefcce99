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

from mist.png_rows import Bytes, PngRows

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

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MARK = b"\0\0\0\0IDAT"
"""Stands in a body where the first image data chunk began."""


def png_body(before: bytes, filters: bytes, rows: Bytes, after: bytes) -> bytearray:
    """The body of a PNG file: what is before the image data, four zeros and `IDAT`, the filters, the rows, the rest.

    Parameters
    ----------
    before, after
        All chunks before the image data, the signature first, and all chunks after them.
    filters, rows
        The number of each row's filter, and the plain rows.
    """
    return bytearray().join((before, _MARK, filters, rows.data, after))


def png_rows_offset(body: bytes | memoryview) -> int:
    """Where in a body of a PNG file its rows begin."""
    form = PngRows.of(body)
    at = _mark(body)
    if form is None:
        raise ValueError("its rows do not lie plainly")
    return at + len(_MARK) + form.height


def _mark(body: bytes | memoryview) -> int:
    """Where the chunks before the image data end."""
    at = len(PNG_SIGNATURE)
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
    data = zlib.compress(form.filtered(body[start - form.height : start], body[start:end]), LEVEL)
    checksum = zlib.crc32(data, zlib.crc32(b"IDAT"))
    chunk = struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", checksum)
    return body[:mark] + chunk + body[end:]
