"""PNG, JPEG, TIFF and NumPy files without what is no sample.

The rule: samples stay bit for bit. Of PNG and JPEG the encoded samples stay as they are, and whatever else the file
says goes: text, EXIF, places, colour profiles, thumbnails. TIFF, whose every tag may be a text, is written anew, and so
is a NumPy array.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from tifffile import PHOTOMETRIC, TiffFile, TiffPage, TiffWriter

from mist.errors import SourceRefused
from mist.ingest.deidentify.marked_codestream import without_texts

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_SIZES = {b"IHDR": 13, b"PLTE": 768, b"tRNS": 256, b"IDAT": 2**31, b"IEND": 0}
"""Chunks that samples need, and the most bytes that they can have (PNG 11.2, 11.3.1)."""


def clean_picture(data: bytes) -> bytes:
    """The PNG or JPEG file in `data`.

    Raises
    ------
    SourceRefused, ValueError
        It is an animation, or damaged.
    """
    return _png(data) if data.startswith(_PNG_START) else without_texts(data)


def _png(data: bytes) -> bytes:
    chunks = [*_chunks(data)]
    if any(kind == b"acTL" for kind, _ in chunks):
        raise SourceRefused("an animation; save each frame as a picture")
    kept = [(kind, content) for kind, content in chunks if len(content) <= _PNG_SIZES.get(kind, -1)]
    before = [chunk for chunk in kept if chunk[0] not in (b"IDAT", b"IEND")]
    samples = b"".join(content for kind, content in kept if kind == b"IDAT")
    return _PNG_START + b"".join(
        struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in [*before, (b"IDAT", _without_rest(samples)), (b"IEND", b"")]
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk, to the last that a picture has."""
    at, kind = len(_PNG_START), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise SourceRefused("the PNG file is cut short; export it anew")
        yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def _without_rest(compressed: bytes) -> bytes:
    """A zlib stream without what follows its end."""
    stream, size = zlib.decompressobj(), 1 << 20
    pending = compressed
    while pending and not stream.eof:
        stream.decompress(pending, size)
        pending = stream.unconsumed_tail
    return compressed[: len(compressed) - len(stream.unused_data)]


def clean_tiff(data: bytes) -> bytes:
    """The TIFF file in `data`, written anew: uncompressed, with nothing but its samples and what they are."""
    stream = io.BytesIO()
    with TiffFile(io.BytesIO(data)) as tiff, TiffWriter(stream) as writer:
        for page in tiff.pages:
            if not isinstance(page, TiffPage):
                raise SourceRefused("its pages are not all images; save each one as a file")
            _write(writer, page)
    return stream.getvalue()


def _write(writer: TiffWriter, page: TiffPage) -> None:
    kind = PHOTOMETRIC(page.photometric)
    if kind not in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.PALETTE):
        kind = PHOTOMETRIC.RGB  # which YCbCr is decoded to
    writer.write(
        np.asarray(page.asarray()),
        photometric=kind,
        planarconfig="SEPARATE" if page.axes == "SYX" else None,
        colormap=page.colormap if kind is PHOTOMETRIC.PALETTE else None,
        description=None,
        metadata=None,
        software=False,
        contiguous=False,
    )


def clean_array(data: bytes) -> bytes:
    """The `.npy` file in `data`, written anew."""
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is not None:
        raise SourceRefused("an array of records, whose names are text; save the samples alone")
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
