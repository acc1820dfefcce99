"""Source files as bodies: what they hold, and where in it the voxels should lie.

The rule: a format is only told where to look. What is found there is compared (`mist.kept_bytes`), so a wrong answer
costs bytes and never content, and a file that nobody understands is kept as it is. Knows every format but DICOM, which
has a module of its own.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from tifffile import COMPRESSION, FILLORDER, TiffFile, TiffPage

from mist.ingest.png_file import PngFile
from mist.kept_bytes import Content
from mist.kept_file import Layout
from mist.kept_wrapping import Wrapping, png_rows_offset, unzipped
from mist.png_rows import PngRows
from mist.volume import Voxels

_GZIP_MARK = b"\x1f\x8b"

_MOST_SAMPLE_BYTES = 8

_MOST_ARRAY_HEADER_BYTES = 1 << 17
"""What a `.npy` file may hold before its samples: a header of format 1.0 or 2.0 that NumPy reads has 10,000 bytes."""

_MOST_HEADER_BYTES = 16 << 20
"""What a compressed NIfTI file may hold beside its voxels: extensions are a few kilobytes."""


@dataclass(frozen=True, slots=True)
class FileSheets:
    """A scan's voxels, and which of them a file holds."""

    all: Voxels
    """(sheet, y, x[, c]); see `mist.kept_bytes.sheets_of`."""
    mine: tuple[int, ...]
    """The file's, in its order."""

    def layout(self, order: str, sample_bytes: int, *, planar: bool = False) -> Layout:
        """How they lie in a file of that byte order, `<` or `>`, and size of samples."""
        return Layout(f"{order}{'f' if self.all.dtype.kind == 'f' else 'i'}{sample_bytes}", planar)

    def in_a_row(self, offset: int, sample_bytes: int) -> tuple[tuple[int, int], ...]:
        """Where each of them lies, if they lie one after the other from `offset`."""
        sheet_bytes = self.all[0].size * sample_bytes
        return tuple((offset + place * sheet_bytes, sheet) for place, sheet in enumerate(self.mine))


@dataclass(frozen=True, slots=True)
class Body:
    """What a file holds."""

    data: Content
    """The file, or what was unwrapped of it."""
    wrapping: Wrapping = Wrapping.NONE
    """How it was unwrapped."""
    layout: Layout = Layout("<i1")  # noqa: RUF009 - frozen
    """How sheets lie in it."""
    places: tuple[tuple[int, int], ...] = ()
    """Where in it a sheet should lie, and which one."""


def nifti_body(data: Content, sheets: FileSheets) -> Body | None:
    """The body of a NIfTI file: unzipped, voxels in a row from where the header says."""
    body, wrapping = data, Wrapping.NONE
    if data[:2] == _GZIP_MARK:
        most = sheets.all.size * _MOST_SAMPLE_BYTES + _MOST_HEADER_BYTES
        unwrapped = unzipped(data, most)
        if unwrapped is None:
            return None
        body, wrapping = unwrapped, Wrapping.GZIP
    order, sample_bytes, offset = _nifti_voxels(body, 1 if sheets.all.ndim < 4 else sheets.all.shape[-1])
    return Body(body, wrapping, sheets.layout(order, sample_bytes), sheets.in_a_row(offset, sample_bytes))


def _nifti_voxels(body: Content, colours: int) -> tuple[str, int, int]:
    """Byte order, bytes of a sample, and offset of the voxels in a NIfTI-1 or NIfTI-2 file."""
    order = "<" if struct.unpack_from("<i", body)[0] in (348, 540) else ">"
    if struct.unpack_from(order + "i", body)[0] == 348:
        bits, offset = struct.unpack_from(order + "h", body, 72)[0], struct.unpack_from(order + "f", body, 108)[0]
    else:
        bits, offset = struct.unpack_from(order + "h", body, 14)[0], struct.unpack_from(order + "q", body, 168)[0]
    return order, bits // 8 // colours, int(offset)


def picture_body(content: Content, sheets: FileSheets) -> Body | None:
    """The body of a PNG file whose rows are the voxels; a JPEG file is kept, being smaller than what it shows."""
    file = PngFile.of(bytes(content))  # which copies nothing but a file that was mapped
    data = None if file is None else file.body()
    return None if data is None else unwrapped_picture_body(data, sheets)


def unwrapped_picture_body(data: Content, sheets: FileSheets) -> Body | None:
    """The body of a PNG file, of which `data` was unwrapped; None where its rows are not the voxels."""
    form = PngRows.of(data)
    if form is None:
        return None
    layout, offset = sheets.layout(">", form.sample_bytes), png_rows_offset(data)
    if bytes(data[offset : offset + form.plain_bytes]) != layout.lay(sheets.all[0]):
        return None
    return Body(data, Wrapping.PNG, layout, ((offset, 0),))


def tiff_body(data: Content, sheets: FileSheets) -> Body | None:
    """The body of an uncompressed TIFF file, each of whose pages lies in one piece."""
    with TiffFile(io.BytesIO(data)) as tiff:
        pages = [page for page in tiff.pages if isinstance(page, TiffPage)]
        places = tuple((page.dataoffsets[0], sheet) for page, sheet in zip(pages, sheets.mine, strict=True))
        first = pages[0]
        if first.dtype is None or not all(map(_is_plain, pages)):
            return None
        layout = sheets.layout(tiff.byteorder, first.dtype.itemsize, planar=first.axes == "SYX")
        return Body(data, layout=layout, places=places)


def _is_plain(page: TiffPage) -> bool:
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
    is_whole = all(end == start for (_, end), (start, _) in pairwise(zip(page.dataoffsets, ends, strict=True)))
    is_coded = page.compression != COMPRESSION.NONE or page.is_tiled or page.fillorder != FILLORDER.MSB2LSB
    return is_whole and not is_coded


def array_body(data: Content, sheets: FileSheets) -> Body | None:
    """The body of a `.npy` file in C order."""
    stream = io.BytesIO(data[:_MOST_ARRAY_HEADER_BYTES])
    version = np.lib.format.read_magic(stream)
    read_header = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[version[0]]
    _, is_fortran, dtype = read_header(stream)
    if is_fortran:
        return None
    order = ">" if dtype.str[0] == ">" else "<"
    layout = sheets.layout(order, dtype.itemsize)
    return Body(data, layout=layout, places=sheets.in_a_row(stream.tell(), dtype.itemsize))
