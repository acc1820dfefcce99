"""PNG, JPEG, TIFF and NumPy files without what is no sample.

The rule: samples stay bit for bit. Of PNG and JPEG the encoded samples stay as they are, and whatever else the file
says goes: text, EXIF, places, colour profiles, thumbnails. TIFF, whose every tag may be a text, is written anew with a
description of our own, and so is a NumPy array.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from tifffile import PHOTOMETRIC, TiffFile, TiffPage, TiffWriter

from mist.errors import SourceRefused
from mist.ingest.arrays import require_samples
from mist.ingest.deidentify.marked_codestream import without_texts
from mist.ingest.tiff_pages import description_of, pages_of
from mist.ingest.tiff_parts import require_all_parts
from mist.ingest.tiff_values import require_clear_samples, rescale_of
from mist.png_rows import CHANNELS, image_data_bytes
from mist.volume import Rescale

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3
"""The colour type whose samples are indices."""


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
    header = next((content for kind, content in chunks if kind == b"IHDR"), b"")
    if len(header) != 13 or header[9] not in CHANNELS:
        raise SourceRefused("the PNG file has no header that makes sense; export it anew")
    most = _most_bytes(header[8], header[9])
    kept = [(kind, content) for kind, content in chunks if len(content) <= most.get(kind, -1)]
    before = [chunk for chunk in kept if chunk[0] not in (b"IDAT", b"IEND")]
    samples = b"".join(content for kind, content in kept if kind == b"IDAT")
    return _PNG_START + b"".join(
        struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in [*before, (b"IDAT", _without_rest(samples, image_data_bytes(header))), (b"IEND", b"")]
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk, to the last that a picture has."""
    at, kind = len(_PNG_START), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise SourceRefused("the PNG file is cut short; export it anew")
        content = data[at + 8 : at + 8 + length]
        if zlib.crc32(kind + content) != int.from_bytes(data[at + 8 + length : at + 12 + length], "big"):
            raise SourceRefused("the PNG file is damaged: a chunk does not have its checksum; get it again")
        yield kind, content
        at += 12 + length


def _most_bytes(depth: int, colour: int) -> dict[bytes, int]:
    """Chunks that samples need, and the most bytes that they can have (PNG 11.2, 11.3.1)."""
    needed = {b"IHDR": 13, b"IDAT": 2**31, b"IEND": 0}
    if colour == _PALETTE:  # elsewhere a palette is advice to those who have few colours
        return needed | {b"PLTE": 3 << depth, b"tRNS": 1 << depth}
    return needed | {b"tRNS": {0: 2, 2: 6}.get(colour, -1)}


def _without_rest(compressed: bytes, size: int) -> bytes:
    """A zlib stream without what follows its end; one that holds more than `size` bytes is written anew."""
    stream, found, pending = zlib.decompressobj(), 0, compressed
    while pending and not stream.eof and found <= size:
        found += len(stream.decompress(pending, 1 << 20))
        pending = stream.unconsumed_tail
    if found <= size:
        found += len(stream.flush())  # what the last call had no room for
    if found > size:
        return zlib.compress(zlib.decompressobj().decompress(compressed, size), 0)  # stored: the same with every zlib
    return compressed[: len(compressed) - len(stream.unused_data)]


def clean_tiff(data: bytes) -> bytes:
    """The TIFF file in `data`, written anew: uncompressed, with nothing but its samples and what they are."""
    stream = io.BytesIO()
    with TiffFile(io.BytesIO(data), _multifile=False) as tiff, TiffWriter(stream) as writer:
        pages = [page for page in tiff.pages if isinstance(page, TiffPage)]
        if len(pages) < len(tiff.pages):
            raise SourceRefused("its pages are not all images; save each one as a file")
        if rescale_of(tiff) != Rescale():
            raise SourceRefused("ImageJ has calibrated its values, which a clean file cannot say; apply it beforehand")
        description = _description(tiff, pages)
        for page in pages:
            require_clear_samples(page)
            require_all_parts(page)
            _write(writer, page, None if page is not pages[0] else description)
    return stream.getvalue()


def _description(tiff: TiffFile, pages: list[TiffPage]) -> str | None:
    """What the clean file says of its pages."""
    try:
        return description_of(pages_of(tiff, pages[0], len(pages)), pages[0])
    except SourceRefused:
        raise SourceRefused(
            "what it says of its pages, or of their size, is not taken; why is not told here, since it may name a "
            "patient: `mist ingest --dry-run` without --deidentify says it"
        ) from None


def _write(writer: TiffWriter, page: TiffPage, description: str | None) -> None:
    kind = PHOTOMETRIC(page.photometric)
    if kind not in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.PALETTE):
        kind = PHOTOMETRIC.RGB  # which YCbCr is decoded to
    writer.write(
        np.asarray(page.asarray()),
        photometric=kind,
        planarconfig="SEPARATE" if page.axes == "SYX" else None,
        colormap=page.colormap if kind is PHOTOMETRIC.PALETTE else None,
        description=description,
        metadata=None,
        software=False,
        contiguous=False,
    )


def clean_array(data: bytes) -> bytes:
    """The `.npy` file in `data`, written anew."""
    require_samples(io.BytesIO(data))  # the names of records, which are texts, are none
    array = np.load(io.BytesIO(data), allow_pickle=False)
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
