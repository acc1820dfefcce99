"""DICOM files as bodies; see `mist.ingest.body`.

The rule: an uncompressed file is its own body. Of one with compressed pixels, the body is the file that a decoder would
write: uncompressed, every other element byte for byte as it was, but for those that speak of the compression. That file
is read again and compared before it is believed.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from mist.ingest.body import Body, FileSheets
from mist.ingest.dicom_dataset import text, transfer_syntax
from mist.ingest.dicom_tables import has_palette
from mist.ingest.source import PlainPixels
from mist.kept_bytes import Content
from mist.kept_wrapping import Wrapping, dataset_start, inflated_dicom, meta_elements

_TAGS = {"PixelData": 0x7FE00010, "FloatPixelData": 0x7FE00008, "DoubleFloatPixelData": 0x7FE00009}

_PLAIN_SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)

_SAMPLE_BYTES = {"FloatPixelData": 4, "DoubleFloatPixelData": 8}
"""Of the attributes that say it by their name (PS3.3 C.7.6.24, C.7.6.25)."""

_DECODED_TO_RGB = frozenset({"YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})
"""Colour spaces whose pixels, compressed, are decoded to RGB; see `mist.ingest.dicom_pixels`."""

_PHOTOMETRIC = 0x00280004
_OFFSET_TABLES = (0x7FE00001, 0x7FE00002)
"""Extended Offset Table and its lengths, which only compressed pixels may have (PS3.3 C.7.6.3)."""

_DELIMITER = b"\xfe\xff\xdd\xe0"
_ITEM = b"\xfe\xff\x00\xe0"
_MOST_BYTES = 2**32 - 2
"""The largest even length of an element (PS3.5 7.1)."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """A part of a file that gives way to other bytes."""

    start: int
    stop: int
    replacement: bytes

    @property
    def growth(self) -> int:
        """By how many bytes the file grows."""
        return len(self.replacement) - (self.stop - self.start)


def dicom_body(content: Content, sheets: FileSheets) -> Body | None:
    """The body of a DICOM file, or None where it must be kept as it is."""
    data = bytes(content)  # which copies nothing but a file that was mapped
    dataset = dcmread(io.BytesIO(data), force=True)
    syntax = transfer_syntax(dataset)
    if syntax == DeflatedExplicitVRLittleEndian:
        inflated = inflated_dicom(data)
        start = dataset_start(data)
        return None if inflated is None else _native(inflated, Wrapping.DEFLATED_DICOM, dataset, start, sheets)
    if not syntax.is_encapsulated:
        return _native(data, Wrapping.NONE, dataset, 0, sheets)
    body = _decapsulated(data, dataset, sheets) if _are_stored_values(data, sheets) else None
    if body is None or not _shows(body, sheets):
        return None
    return _native(body, Wrapping.DECAPSULATED_DICOM, dcmread(io.BytesIO(body)), 0, sheets)


def _are_stored_values(data: bytes, sheets: FileSheets) -> bool:
    """Whether the scan's voxels are what Pixel Data holds, not colours or true values that were made of it."""
    dataset = dcmread(io.BytesIO(data), force=True, stop_before_pixels=True)  # asking changes a data set
    is_mapped = has_palette(dataset) or bool(dataset.get("ModalityLUTSequence"))
    return not is_mapped and sheets.all.dtype.kind != "f"


def plain_pixels(dataset: FileDataset) -> PlainPixels | None:
    """Where the pixels of a file lie from which `dataset` was just read; None where they are packed or compressed."""
    keyword = next((keyword for keyword in _TAGS if keyword in dataset), None)
    if dataset.filename is None or keyword is None or transfer_syntax(dataset) not in _PLAIN_SYNTAXES:
        return None
    sample_bytes = _SAMPLE_BYTES.get(keyword) or int(dataset["BitsAllocated"].value) // 8
    if not sample_bytes:  # single bits, packed
        return None
    order = "<" if dataset.original_encoding[1] else ">"
    return PlainPixels(_offset(dataset, _TAGS[keyword]), sample_bytes, order, _is_planar(dataset))


def _native(body: bytes, wrapping: Wrapping, dataset: FileDataset, start: int, sheets: FileSheets) -> Body:
    """A body whose pixels are uncompressed; places in `dataset` are counted from `start`."""
    keyword = next(keyword for keyword in _TAGS if keyword in dataset)
    sample_bytes = _SAMPLE_BYTES.get(keyword) or int(dataset["BitsAllocated"].value) // 8
    if not sample_bytes:  # single bits, packed
        return Body(body, wrapping)
    order = "<" if dataset.original_encoding[1] else ">"
    layout = sheets.layout(order, sample_bytes, planar=_is_planar(dataset))
    return Body(body, wrapping, layout, sheets.in_a_row(start + _offset(dataset, _TAGS[keyword]), sample_bytes))


def _is_planar(dataset: Dataset) -> bool:
    return bool(dataset.get("SamplesPerPixel", 1) > 1 and dataset.get("PlanarConfiguration", 0) == 1)


def _shows(body: bytes, sheets: FileSheets) -> bool:
    """Whether an uncompressed file, read again, has exactly the pixels of the scan."""
    expected = sheets.all[list(sheets.mine)]
    found = pixel_array(dcmread(io.BytesIO(body)))
    return found.size == expected.size and np.array_equal(found.reshape(expected.shape), expected)


def _decapsulated(data: bytes, dataset: FileDataset, sheets: FileSheets) -> bytes | None:
    """A file with compressed pixels as one with uncompressed ones."""
    if dataset.original_encoding != (False, True):
        return None
    pixels = _raw(dataset, _TAGS["PixelData"])
    value = _pixel_bytes(dataset, sheets)
    if len(value) > _MOST_BYTES:
        return None
    kind = b"OW" if int(dataset["BitsAllocated"].value) > 8 else b"OB"
    start, stop = pixels.value_tell - 12, _encapsulated_end(data, pixels.value_tell)
    header = struct.pack("<HH2s2xI", 0x7FE0, 0x0010, kind, len(value))
    colour = _photometric_edits(dataset)
    image = [*_offset_table_edits(dataset), _Edit(start, stop, header + value)]
    lengths = [*_group_length_edits(dataset, 0x0028, colour), *_group_length_edits(dataset, 0x7FE0, image)]
    return _edited(data, [*_meta_edits(data), *colour, *image, *lengths])


def _pixel_bytes(dataset: FileDataset, sheets: FileSheets) -> bytes:
    """The value of Pixel Data, uncompressed, of even length (PS3.5 8.1, 8.2)."""
    bits = int(dataset["BitsAllocated"].value)
    if bits == 1:
        value = np.packbits(sheets.all[list(sheets.mine)].ravel() != 0, bitorder="little").tobytes()
    else:
        layout = sheets.layout("<", bits // 8, planar=_is_planar(dataset))
        value = b"".join(layout.lay(sheets.all[sheet]) for sheet in sheets.mine)
    return value + bytes(len(value) % 2)


def _meta_edits(data: bytes) -> list[_Edit]:
    """The transfer syntax, and the length of group 0002 that follows from it."""
    elements = {each.element: each for each in meta_elements(data)}
    syntax, uid = elements[0x0010], ExplicitVRLittleEndian.encode() + b"\0"
    edits = [_Edit(syntax.start, syntax.end, struct.pack("<HH2sH", 2, 0x0010, b"UI", len(uid)) + uid)]
    if 0x0000 in elements:
        length = elements[0x0000]
        (said,) = struct.unpack_from("<I", data, length.value)
        edits.append(_Edit(length.value, length.end, struct.pack("<I", said + len(uid) - (syntax.end - syntax.value))))
    return edits


def _photometric_edits(dataset: FileDataset) -> list[_Edit]:
    raw = _raw(dataset, _PHOTOMETRIC)
    if text(dataset, "PhotometricInterpretation") not in _DECODED_TO_RGB:
        return []
    element = struct.pack("<HH2sH", 0x0028, 0x0004, b"CS", 4) + b"RGB "
    return [_Edit(raw.value_tell - 8, raw.value_tell + raw.length, element)]


def _offset_table_edits(dataset: FileDataset) -> list[_Edit]:
    tables = [_raw(dataset, tag) for tag in _OFFSET_TABLES if tag in dataset]
    return [_Edit(raw.value_tell - 12, raw.value_tell + raw.length, b"") for raw in tables]


def _group_length_edits(dataset: FileDataset, group: int, edits: list[_Edit]) -> list[_Edit]:
    """The length of a group whose elements are edited, in old files that say it (PS3.5 7.2)."""
    tag = group << 16
    if tag not in dataset:
        return []
    offset, said = _offset(dataset, tag), int(dataset[tag].value)
    return [_Edit(offset, offset + 4, struct.pack("<I", said + sum(edit.growth for edit in edits)))]


def _edited(data: bytes, edits: list[_Edit]) -> bytes:
    parts, at = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        parts += [data[at : edit.start], edit.replacement]
        at = edit.stop
    return b"".join((*parts, data[at:]))


def _encapsulated_end(data: bytes, at: int) -> int:
    """Where compressed pixels that begin at `at` end: after their delimiter, or with a file that lacks it."""
    while data[at : at + 4] == _ITEM:
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    if data[at : at + 4] == _DELIMITER:
        return at + 8
    if at < len(data):
        raise ValueError(f"byte {at} is in no item of the compressed pixels")
    return len(data)


def _offset(dataset: Dataset, tag: int) -> int:
    """Where the value of an element lies."""
    element = dataset.get_item(tag)
    place = element.value_tell if isinstance(element, RawDataElement) else element.file_tell
    if place is None:
        raise TypeError(f"nobody knows where element {tag:08x} was read")
    return int(place)


def _raw(dataset: Dataset, tag: int) -> RawDataElement:
    """An element as it was read, which nobody has asked for yet."""
    element = dataset.get_item(tag)
    if not isinstance(element, RawDataElement):
        raise TypeError(f"element {tag:08x} is not as it was read")
    return element
