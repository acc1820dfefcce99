"""Slices whose pixels are read without their headers being parsed again; see `mist.ingest.seen_stack`.

The rule: only what is beyond doubt is taken: one grey image, uncompressed, little-endian, with a linear rescale, whose
file ends with it. Everything else is left to `mist.ingest.dicom`, which must give the same voxels for these, too.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from pydicom.dataset import FileDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mist.errors import SourceRefused
from mist.ingest.dicom_dataset import read_stream, transfer_syntax, value_of
from mist.ingest.dicom_header import HEADER_KEYWORDS, DicomHeader, SliceFormat, header_of, is_directory
from mist.ingest.dicom_samples import require_clear_samples
from mist.ingest.dicom_values import rescales_of
from mist.ingest.refusal import refusing
from mist.ingest.sample_type import to_voxels
from mist.ingest.seen_stack import SeenSlice, SeenStack
from mist.volume import Voxels

_ELSEWHERE = (
    "ModalityLUTSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ExtendedOffsetTable",
)
"""Where an object may say more of its values, its place and its pixels than single attributes do."""

_KEYWORDS = ("HighBit", "ImageType", "RescaleIntercept", "RescaleSlope", "RescaleType", "Units", *_ELSEWHERE)
"""What must be known of a file beside `HEADER_KEYWORDS`."""

_GREY = ("MONOCHROME1", "MONOCHROME2")

_EXPLICIT, _IMPLICIT = struct.Struct("<HH2s2xI"), struct.Struct("<HHI")
"""How an element of pixels begins: tag, VR where it is said, length (PS3.5 7.1.2, 7.1.3)."""

_PIXEL_DATA = (0x7FE0, 0x0010)


def read_slice_header(path: Path, relative: PurePath) -> DicomHeader | None:
    """What `mist.ingest.dicom_header.read_header` gives, and of a slice what spares parsing it again.

    Raises
    ------
    SourceRefused
        As there.
    """
    with path.open("rb") as stream:
        dataset = read_stream(stream, path, (*HEADER_KEYWORDS, *_KEYWORDS))
        if is_directory(dataset):
            return None
        header = header_of(dataset, path, relative)
        if header.plane is None:
            return header
        try:
            with refusing(path.name):
                return replace(header, seen=_seen(dataset, header.slice_format, stream))
        except SourceRefused:  # where it is read, it will be, and its series with it, not this file alone
            return header


def _seen(dataset: FileDataset, form: SliceFormat, stream: BinaryIO) -> SeenSlice | None:
    """What was seen of a slice, at whose pixels `stream` is; None where they are not as plain as `SeenSlice` says.

    Raises
    ------
    SourceRefused
        What it says of its samples is malformed.
    """
    size = form.rows * form.columns * form.bits_allocated // 8
    if not size or not _is_plain(dataset, form):
        return None
    offset = _samples_offset(dataset, stream, size + size % 2)
    if offset is None:
        return None
    require_clear_samples(dataset)
    rescale = rescales_of(dataset)[0]
    stream.seek(0)
    head = hashlib.sha256(stream.read(offset)).digest()
    return SeenSlice(offset + size + size % 2, offset, head, rescale)


def _is_plain(dataset: FileDataset, form: SliceFormat) -> bool:
    """Whether the image is grey, of whole bytes, and all that is said of it is in the attributes that were read."""
    is_grey = form.photometric_interpretation in _GREY and form.samples_per_pixel == 1
    is_whole = form.bits_allocated in (8, 16) and 1 <= form.bits_stored <= form.bits_allocated
    is_signed_or_not = value_of(dataset, "PixelRepresentation") in (0, 1)  # which `form` does not tell from absent
    is_here = dataset.filename is not None and not any(keyword in dataset for keyword in _ELSEWHERE)
    return is_grey and is_whole and is_signed_or_not and is_here


def _samples_offset(dataset: FileDataset, stream: BinaryIO, size: int) -> int | None:
    """Where the samples begin in a file that ends with them; None where that is not so."""
    element = stream.tell()
    said = stream.read(_EXPLICIT.size)
    expected = {
        ExplicitVRLittleEndian: [_EXPLICIT.pack(*_PIXEL_DATA, vr, size) for vr in (b"OW", b"OB")],
        ImplicitVRLittleEndian: [_IMPLICIT.pack(*_PIXEL_DATA, size)],
    }.get(transfer_syntax(dataset), [])
    begins = [element + len(head) for head in expected if said.startswith(head)]
    return begins[0] if begins and stream.seek(0, 2) == begins[0] + size else None


def seen_pixels(stack: SeenStack, samples: memoryview) -> Voxels:
    """The stored values of a slice of `stack`, (rows, columns), of which `samples` are there."""
    options: dict[str, Any] = {
        "rows": stack.rows,
        "columns": stack.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": stack.bits_allocated,
        "bits_stored": stack.bits_stored,
        "pixel_representation": int(stack.is_signed),
        "pixel_keyword": "PixelData",
    }
    return to_voxels(get_decoder(ExplicitVRLittleEndian).as_array(samples, **options)[0])
