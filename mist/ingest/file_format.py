"""What a file is, by its content.

The rule: the first bytes decide; a name never makes a file an image, it only tells which files beside the images are
plainly no images. Reads at most a few hundred bytes.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from mist.errors import SourceRefused
from mist.ingest.source import SourceKind

HEAD_BYTES = 4096
"""Enough for every mark below, also behind gzip."""

BESIDE_IMAGES = frozenset(
    {
        ".md",
        ".csv",
        ".tsv",
        ".txt",
        ".json",
        ".jsonl",
        ".xml",
        ".yaml",
        ".yml",
        ".html",
        ".pdf",
        ".log",
        ".bval",
        ".bvec",
    }
)
"""Endings of files that lie beside images and are none."""

_MARKS = (
    (0, b"\x89PNG\r\n\x1a\n", SourceKind.PICTURE),
    (0, b"\xff\xd8\xff", SourceKind.PICTURE),
    (0, b"II*\0", SourceKind.TIFF),
    (0, b"MM\0*", SourceKind.TIFF),
    (0, b"II+\0\x08\0\0\0", SourceKind.TIFF),
    (0, b"MM\0+\0\x08\0\0", SourceKind.TIFF),
    (0, b"\x93NUMPY", SourceKind.NUMPY),
    (344, b"n+1\0", SourceKind.NIFTI),
    (4, b"n+2\0", SourceKind.NIFTI),
)
"""Where a mark stands, the mark, and what it says. DICOM comes first, since its preamble may hold another format's."""

_PAIR_MARKS = ((344, b"ni1\0"), (4, b"ni2\0"))
"""NIfTI with header and voxels in two files."""

_GZIP_MARK = b"\x1f\x8b"
"""NIfTI is the one format that is taken compressed."""

_FIRST_DICOM_GROUPS = (0x0002, 0x0008)
_LAST_FIRST_DICOM_ELEMENT = 0x0020
"""With which tags a dataset without preamble begins (PS3.5 7.1: in ascending order, from the identifying group)."""


def kind_of(path: Path) -> SourceKind | None:
    """How the file at `path` is read, or None where it is in no format that MIST knows.

    Raises
    ------
    SourceRefused
        It is empty, one half of a pair of files, or compressed and no NIfTI.
    OSError
        It cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        raise SourceRefused("the file is empty")
    if not head.startswith(_GZIP_MARK):
        return _kind_of_head(head)
    if _kind_of_head(_unzipped(head)) is SourceKind.NIFTI:
        return SourceKind.NIFTI
    raise SourceRefused("it is compressed by gzip, which is taken for NIfTI only; unpack it first")


def is_beside_images(path: Path) -> bool:
    """Whether the name says that this is plainly no image: a hidden file, a table, a text."""
    return path.name.startswith(".") or path.suffix.lower() in BESIDE_IMAGES


def _kind_of_head(head: bytes) -> SourceKind | None:
    if head[128:132] == b"DICM":
        return SourceKind.DICOM
    for place, mark, kind in _MARKS:
        if head.startswith(mark, place):
            return kind
    if any(head.startswith(mark, place) for place, mark in _PAIR_MARKS):
        raise SourceRefused("NIfTI in two files (.hdr and .img) is not taken; save it as one .nii file")
    return SourceKind.DICOM if _starts_like_dicom(head) else None


def _starts_like_dicom(head: bytes) -> bool:
    """Whether `head` begins with a tag that begins datasets, in either byte order."""
    if len(head) < 8:
        return False
    tags = (struct.unpack_from(order, head) for order in ("<HH", ">HH"))
    return any(group in _FIRST_DICOM_GROUPS and element <= _LAST_FIRST_DICOM_ELEMENT for group, element in tags)


def _unzipped(head: bytes) -> bytes:
    """The first bytes of what `head` holds compressed by gzip, in one member or several; at most twice `HEAD_BYTES`."""
    unzipped = b""
    while head.startswith(_GZIP_MARK) and len(unzipped) < HEAD_BYTES:
        member = zlib.decompressobj(wbits=31)
        try:
            unzipped += member.decompress(head, HEAD_BYTES)
        except zlib.error as error:
            raise SourceRefused(f"it is compressed by gzip and damaged ({error}); fetch it again") from error
        head = member.unused_data
    return unzipped
