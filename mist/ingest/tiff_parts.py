"""Whether the strips or tiles of a TIFF page are all there, and each of them whole.

The rule: tifffile fills with zeros what a file leaves out, and some decompressors make up what their data lack. So a
page is read only where every part has data, in a compression whose end is checked: by its decompressor, or here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from tifffile import COMPRESSION, TiffPage

from mist.errors import SourceRefused
from mist.ingest.whole_jpeg import require_whole_jpeg

_CHECKED = frozenset(
    {
        COMPRESSION.NONE,
        COMPRESSION.LZW,
        COMPRESSION.JPEG,
        COMPRESSION.ADOBE_DEFLATE,
        COMPRESSION.DEFLATE,
        COMPRESSION.PACKBITS,
        COMPRESSION.JPEG2000,
        COMPRESSION.LERC,
        COMPRESSION.LZMA,
        COMPRESSION.PNG,
        COMPRESSION.ZSTD,
        COMPRESSION.WEBP,
        COMPRESSION.JPEGXL,
    }
)
"""Compressions of which data that end early are found out."""

_ENDINGS = (b"", b"\x55" * 16, b"\xaa" * 16)
"""Ways in which data may go on, of two of which no bit is alike."""


def require_all_parts(page: TiffPage) -> None:
    """Make sure that a page can be read without making anything up.

    Raises
    ------
    SourceRefused
        A strip or tile is left out or ends early, or the compression is one of which that cannot be told.
    """
    if page.compression not in _CHECKED:
        name = COMPRESSION(page.compression).name
        raise SourceRefused(f"a TIFF of compression {name}; save it anew, without compression or with deflate")
    needed = math.prod(page.chunked)
    present = sum(1 for place, count in zip(page.dataoffsets, page.databytecounts, strict=False) if place and count)
    if present < needed:
        missing = f"of its {needed} strips or tiles {needed - present} have no data"
        raise SourceRefused(f"page {page.index}: {missing}; get the file again from where it came")
    if page.compression == COMPRESSION.JPEG:
        _require_whole_jpegs(page)
    if page.compression == COMPRESSION.LZW:
        _require_ended_codes(page)


def _require_whole_jpegs(page: TiffPage) -> None:
    """Check the JPEG stream of each part, with the tables that all of them share (TIFF Technical Note 2)."""
    tables = page.jpegtables or b""
    for data, _ in _parts(page):
        require_whole_jpeg(tables[:-2] + data[2:] if tables else data)


def _require_ended_codes(page: TiffPage) -> None:
    """Check that what LZW data unpack to does not depend on what follows them: the last code may be cut off."""
    for data, number in _parts(page):
        first, *others = (np.asarray(page.decode(data + ending, number)[0]) for ending in _ENDINGS)
        if not all(np.array_equal(first, other) for other in others):
            raise SourceRefused(f"page {page.index}: the LZW data of part {number} end early; get the file again")


def _parts(page: TiffPage) -> Iterator[tuple[bytes, int]]:
    """The compressed data of each strip or tile, and its number."""
    for data, number in page.parent.filehandle.read_segments(page.dataoffsets, page.databytecounts):
        if isinstance(data, bytes) and isinstance(number, int):
            yield data, number
