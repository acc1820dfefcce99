"""Pixel Data without what is no pixel.

The rule: what a decoder gives is the same before and after, bit for bit. What lies between and beyond goes: bits that
no sample uses, where overlays were once kept (PS3.5 8.1.1), bytes after the last sample, comments in encoded frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.tag import Tag
from pydicom.uid import UID

from mist.ingest.deidentify.dataset import UNDEFINED_LENGTH
from mist.ingest.deidentify.marked_codestream import without_texts

_PIXELS = 0x7FE00010
_OFFSET_TABLES = (0x7FE00001, 0x7FE00002)
_FLOATS = {0x7FE00008: 4, 0x7FE00009: 8}
"""Bytes of a sample of Float and of Double Float Pixel Data (PS3.3 C.7.6.24, C.7.6.25)."""
_JPEGS = "1.2.840.10008.1.2.4."
"""Root of the transfer syntaxes of the JPEG family (PS3.5 A.4.1, A.4.3, A.4.4, A.4.9 to A.4.11)."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How samples lie in Pixel Data."""

    samples: int
    """In all frames."""
    allocated: int
    """Bits of each."""
    stored: int
    """Bits of each that mean something."""
    is_signed: bool

    @classmethod
    def of(cls, dataset: Dataset) -> _Form:
        allocated = int(dataset.BitsAllocated)
        is_signed = bool(dataset.get("PixelRepresentation"))
        return cls(_samples(dataset), allocated, int(dataset.get("BitsStored") or allocated), is_signed)

    @property
    def bytes(self) -> int:
        return (self.samples * self.allocated + 7) // 8


def _samples(dataset: Dataset) -> int:
    """How many samples all frames have."""
    frames, colours = int(dataset.get("NumberOfFrames") or 1), int(dataset.get("SamplesPerPixel") or 1)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        colours = 2  # two brightnesses share their differences
    return frames * int(dataset.Rows) * int(dataset.Columns) * colours


def clean_pixels(dataset: Dataset, syntax: UID, *, is_little_endian: bool) -> None:
    """Take from the Pixel Data of a clean `dataset` what is no pixel."""
    _clean_floats(dataset)
    if _PIXELS not in dataset:
        return
    element = dataset.get_item(_PIXELS)
    if not isinstance(element, RawDataElement) or element.value is None:
        return
    if element.length == UNDEFINED_LENGTH:
        if syntax.startswith(_JPEGS):
            _clean_frames(dataset, element)
        return
    _drop_offset_tables(dataset)
    value = _native(element.value, _Form.of(dataset), "<" if is_little_endian else ">")
    dataset[Tag(_PIXELS)] = element._replace(value=value, length=len(value))


def _native(value: bytes, form: _Form, order: str) -> bytes:
    """Samples without further bytes, and without bits that none of them uses."""
    samples = value[: form.bytes]
    if form.stored < form.allocated and form.allocated in (8, 16, 32) and len(samples) == form.bytes:
        kind = f"{order}{'i' if form.is_signed else 'u'}{form.allocated // 8}"
        unused = form.allocated - form.stored
        stored = np.frombuffer(samples, kind)
        samples = (stored << unused >> unused).astype(kind).tobytes()  # the sign comes back with the second shift
    if len(samples) % 2 and order == ">":  # two samples of a byte share a word, the other way round (PS3.5 8.1.1)
        return value[: form.bytes + 1]
    return samples + bytes(len(samples) % 2)


def _clean_frames(dataset: Dataset, element: RawDataElement) -> None:
    frames = [*generate_frames(element.value or b"", number_of_frames=int(dataset.get("NumberOfFrames") or 1))]
    clean = [without_texts(frame) for frame in frames]
    if all(len(one) == len(other.rstrip(b"\0")) or one == other for one, other in zip(clean, frames, strict=True)):
        return
    value = encapsulate(clean)
    dataset[Tag(_PIXELS)] = element._replace(value=value)
    _drop_offset_tables(dataset)


def _clean_floats(dataset: Dataset) -> None:
    """Floats without what follows the last one; none of them beside Pixel Data, of which an image has one kind."""
    for tag, sample_bytes in _FLOATS.items():
        element = dataset.get_item(tag)
        if isinstance(element, RawDataElement):
            value = (element.value or b"")[: _samples(dataset) * sample_bytes]
            dataset[Tag(tag)] = element._replace(value=value, length=len(value))
        if _PIXELS in dataset:
            dataset.pop(tag, None)


def _drop_offset_tables(dataset: Dataset) -> None:
    """Without frames that are encoded, or with others than before, they say nothing that is true."""
    for tag in _OFFSET_TABLES:
        dataset.pop(tag, None)
