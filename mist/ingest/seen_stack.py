"""What sorting saw of slices that lie in their files as they are, so that reading them parses nothing again.

The rule: a file may change between sorting and reading. What was seen of it is believed only of a file of the same size
whose bytes up to the pixels have the same digest; any other is read as if nobody had looked. Knows no parser.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mist.geometry import Geometry
from mist.volume import Rescale


class SeenSlice(NamedTuple):
    """A file that ends with the samples of its one grey image, uncompressed and little-endian."""

    file_bytes: int
    """Its size."""
    offset: int
    """Where the samples begin."""
    head_sha256: bytes
    """SHA-256 of what comes before them."""
    rescale: Rescale | None
    """The map from samples to physical values; None where it states none."""

    def samples_in(self, data: bytes) -> memoryview | None:
        """The samples in `data`, which is what the file holds now; None where it is not as it was."""
        view = memoryview(data)
        is_same = len(data) == self.file_bytes and hashlib.sha256(view[: self.offset]).digest() == self.head_sha256
        return view[self.offset :] if is_same else None


@dataclass(frozen=True, slots=True)
class SeenStack:
    """A stack of such slices, in order."""

    slices: tuple[SeenSlice, ...]
    """One for each file."""
    geometry: Geometry
    """Where they lie."""
    rows: int
    """Samples along y."""
    columns: int
    """Samples along x."""
    bits_allocated: int
    """Bits that a sample takes: 8 or 16."""
    bits_stored: int
    """Bits of them that say its value."""
    is_signed: bool
    """Whether values may be negative."""

    @property
    def sample_type(self) -> np.dtype[Any]:
        """Of the voxels."""
        return np.dtype(f"{'i' if self.is_signed else 'u'}{self.bits_allocated // 8}")
