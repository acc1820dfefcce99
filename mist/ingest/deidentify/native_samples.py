"""Uncompressed samples without what is no sample.

The rule: what a decoder gives is the same before and after, bit for bit; bits that no sample uses, where overlays were
once kept (PS3.5 8.1.1), and bytes after the last sample go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Form:
    """How samples lie in Pixel Data."""

    samples: int
    """How many."""
    allocated: int
    """Bits of each."""
    stored: int
    """Bits of each that mean something."""
    is_signed: bool

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """That of all frames of `dataset`."""
        allocated = int(dataset.BitsAllocated)
        is_signed = bool(dataset.get("PixelRepresentation"))
        return cls(samples_of(dataset), allocated, int(dataset.get("BitsStored") or allocated), is_signed)

    @property
    def bytes(self) -> int:
        """Size of all samples."""
        return (self.samples * self.allocated + 7) // 8

    def part(self, of: int) -> Self:
        """That of one of so many equal parts."""
        return replace(self, samples=self.samples // of)


def samples_of(dataset: Dataset) -> int:
    """How many samples all frames have."""
    colours = int(dataset.get("SamplesPerPixel") or 1)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        colours = 2  # two brightnesses share their differences
    return frames_of(dataset) * int(dataset.Rows) * int(dataset.Columns) * colours


def frames_of(dataset: Dataset) -> int:
    """How many frames there are."""
    return int(dataset.get("NumberOfFrames") or 1)


def native(value: bytes, form: Form, order: str) -> bytes:
    """Samples in that byte order without further bytes, and without bits that none of them uses."""
    samples = value[: form.bytes]
    if form.stored < form.allocated and form.allocated in (8, 16, 32) and len(samples) == form.bytes:
        kind = f"{order}{'i' if form.is_signed else 'u'}{form.allocated // 8}"
        unused = form.allocated - form.stored
        stored = np.frombuffer(samples, kind)
        samples = (stored << unused >> unused).astype(kind).tobytes()  # the sign comes back with the second shift
    if len(samples) % 2 and order == ">":  # two samples of a byte share a word, the other way round (PS3.5 8.1.1)
        return value[: form.bytes + 1]
    return samples + bytes(len(samples) % 2)
