"""NIfTI files without their texts.

The rule: the header keeps the numbers that mean something, the voxels follow it at once, and nothing else does: no
description, no names, no extensions, no bytes behind. What was compressed by gzip, whose head holds a file name, comes
out plain. Offsets are those of nifti1.h and nifti2.h.
"""

from __future__ import annotations

import gzip
import math
import struct

import numpy as np
import numpy.typing as npt
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

from mist.errors import SourceRefused

_GZIP_MARK = b"\x1f\x8b"
_NIFTI_1, _NIFTI_2 = 348, 540
"""Sizes of the headers."""

Fields = npt.NDArray[np.void]
"""A header, ()."""

_UNUSED = ("extents", "session_error", "glmin", "glmax")
"""Numbers that only ANALYZE knew."""

_OF_QFORM = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
_OF_SFORM = ("srow_x", "srow_y", "srow_z")
_OF_INTENT = ("intent_p1", "intent_p2", "intent_p3")
_OF_SLICES = ("slice_start", "slice_end", "slice_code", "slice_duration")

_SLICE_AXIS = 0x30
"""Bits of `dim_info` that say along which axis slices lie; 0: along none."""


def clean_nifti(data: bytes) -> bytes:
    """The NIfTI file in `data` without its texts.

    Raises
    ------
    SourceRefused
        It is shorter than its header says.
    """
    body = gzip.decompress(data) if data.startswith(_GZIP_MARK) else data
    order = "<" if struct.unpack_from("<i", body)[0] in (_NIFTI_1, _NIFTI_2) else ">"
    size = struct.unpack_from(f"{order}i", body)[0]
    if size not in (_NIFTI_1, _NIFTI_2):
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


def _fields(header: bytes, order: str, size: int) -> Fields:
    """The header of that size, by the names of its fields."""
    if size == _NIFTI_1:
        return np.asarray(Nifti1Header(header, endianness=order, check=False).structarr)
    return np.asarray(Nifti2Header(header, endianness=order, check=False).structarr)


def _texts(fields: Fields) -> list[str]:
    """Names of the fields that hold characters, but for the one that says what the file is."""
    return [name for name in fields.dtype.names or () if fields[name].dtype.kind == "S" and name != "magic"]


def _meaningless(fields: Fields) -> list[str]:
    """Names of the numbers that nothing reads, because of what other fields say."""
    has_slope, slice_axis = bool(fields["scl_slope"] != 0), int(fields["dim_info"]) & _SLICE_AXIS
    groups = (
        (_UNUSED, False),
        (_OF_QFORM, bool(fields["qform_code"] > 0)),
        (_OF_SFORM, bool(fields["sform_code"] > 0)),
        (_OF_INTENT, bool(fields["intent_code"] != 0)),
        (_OF_SLICES, slice_axis != 0),
        (("scl_inter",), has_slope),
    )
    known = fields.dtype.names or ()
    return [name for names, is_used in groups if not is_used for name in names if name in known]


def _header(header: bytes, order: str, size: int) -> bytearray:
    """The header with what means something, and the four bytes that say that no extension follows."""
    fields = _fields(header, order, size)
    for name in (*_texts(fields), *_meaningless(fields)):
        fields[name] = np.zeros_like(fields[name])
    dimensions = int(fields["dim"][0])
    fields["dim"][1 + dimensions :] = 1
    fields["pixdim"][1 + max(3, dimensions) :] = 1  # the first three are of the qform in any case
    clean = bytearray(fields.tobytes()) + bytes(4)
    if size == _NIFTI_1:
        struct.pack_into(f"{order}f", clean, 108, float(len(clean)))
    else:
        struct.pack_into(f"{order}q", clean, 168, len(clean))
    return clean
