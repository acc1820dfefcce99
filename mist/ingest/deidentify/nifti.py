"""NIfTI files without their texts.

The rule: the header keeps its numbers, the voxels follow it at once, and nothing else does: no description, no names,
no extensions, no bytes behind. What was compressed by gzip, whose head holds a file name, comes out plain. Offsets are
those of nifti1.h and nifti2.h.
"""

from __future__ import annotations

import gzip
import math
import struct

from mist.errors import SourceRefused

_GZIP_MARK = b"\x1f\x8b"
_NIFTI_1, _NIFTI_2 = 348, 540
"""Sizes of the headers."""

_TEXTS = {
    _NIFTI_1: ((4, 39), (148, 252), (328, 344)),  # data_type to regular; descrip and aux_file; intent_name
    _NIFTI_2: ((240, 344), (508, 524), (525, 540)),  # descrip and aux_file; intent_name; unused_str
}
"""Where a header holds text."""


def clean_nifti(data: bytes) -> bytes:
    """The NIfTI file in `data` without its texts.

    Raises
    ------
    SourceRefused
        It is shorter than its header says.
    """
    body = gzip.decompress(data) if data.startswith(_GZIP_MARK) else data
    order = "<" if struct.unpack_from("<i", body)[0] in _TEXTS else ">"
    size = struct.unpack_from(f"{order}i", body)[0]
    if size not in _TEXTS:
        raise SourceRefused("its NIfTI header is of no known size")
    offset, count = _voxels(body, order, size)
    voxels = body[offset : offset + count]
    if len(voxels) != count:
        raise SourceRefused("it is shorter than its NIfTI header says; export it anew")
    return bytes(_header(body[:size], order, size)) + voxels


def _voxels(body: bytes, order: str, size: int) -> tuple[int, int]:
    """Where the voxels begin, and how many bytes they are."""
    if size == _NIFTI_1:
        dimensions = struct.unpack_from(f"{order}8h", body, 40)
        bits, offset = struct.unpack_from(f"{order}h", body, 72)[0], struct.unpack_from(f"{order}f", body, 108)[0]
    else:
        dimensions = struct.unpack_from(f"{order}8q", body, 16)
        bits, offset = struct.unpack_from(f"{order}h", body, 14)[0], struct.unpack_from(f"{order}q", body, 168)[0]
    sizes = dimensions[1 : 1 + dimensions[0]]
    if not 1 <= dimensions[0] <= 7 or min(sizes) < 1 or bits < 1 or offset < size:
        raise SourceRefused("the sizes in its NIfTI header make no sense; export it anew")
    return int(offset), math.prod(sizes) * bits // 8


def _header(header: bytes, order: str, size: int) -> bytearray:
    """The header without texts, and the four bytes that say that no extension follows."""
    clean = bytearray(header) + bytes(4)
    for start, stop in _TEXTS[size]:
        clean[start:stop] = bytes(stop - start)
    if size == _NIFTI_1:
        struct.pack_into(f"{order}f", clean, 108, float(len(clean)))
    else:
        struct.pack_into(f"{order}q", clean, 168, len(clean))
    return clean
