"""The lookup tables of DICOM objects: palettes to colours, Modality LUTs to true values.

The rule: entries are read in the byte order of their object (pydicom takes those of a big-endian one the wrong way
round), and what comes out is what the table holds, nothing between. Knows nothing of rescales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.pixels.processing import apply_color_lut

from mist.errors import SourceRefused
from mist.ingest.dicom_dataset import numbers, text
from mist.volume import Voxels

LABELS = "SEG"
"""Modality whose palette only paints labels: the labels themselves are the voxels."""

_COLOURS = ("Red", "Green", "Blue")


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table from stored values to others (PS3.3 C.11.1.1.1)."""

    first: int
    """The stored value of the first entry: lesser ones have its value too, and those beyond the last entry have its."""
    entries: npt.NDArray[np.uint8 | np.uint16]
    """The values, (n,)."""

    @classmethod
    def read(cls, dataset: Dataset, descriptor: str, data: str, *, is_little_endian: bool, is_signed: bool) -> Self:
        """The table in two attributes of `dataset`.

        Raises
        ------
        SourceRefused
            Descriptor or data are absent, malformed, or contradict each other.
        """
        described = numbers(dataset.get(descriptor), descriptor, 3)
        if described is None or data not in dataset:
            raise SourceRefused(f"{descriptor} or {data} is absent; without its lookup table the image means nothing")
        count, first, bits = (int(number) for number in described)
        if bits not in (8, 16):
            raise SourceRefused(f"{descriptor} says {bits} bits an entry; 8 and 16 are possible (PS3.3 C.11.1.1.1)")
        count = count % (1 << 16) or 1 << 16  # 65536 does not fit in 16 bits, and is written as 0
        first = _signed(first) if is_signed else first % (1 << 16)
        return cls(first, _entries(dataset[data].value, data, count, bits, is_little_endian=is_little_endian))

    def __call__(self, stored: Voxels) -> npt.NDArray[np.uint8 | np.uint16]:
        """What the table has for `stored`, in their shape."""
        places = np.clip(stored.astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return self.entries[places]


def palette_colours(pixels: Voxels, dataset: FileDataset) -> Voxels:
    """The colours of indices into the palette of `dataset`, with a further axis of red, green and blue.

    Where 16-bit entries hold 8-bit colours, in the high byte alone or in both, the colours are those 8 bits.

    Raises
    ------
    SourceRefused
        The palette is malformed.
    """
    if "SegmentedRedPaletteColorLookupTableData" in dataset:
        return _eight_bits(_segmented_colours(pixels, dataset))
    tables = [
        LookupTable.read(
            dataset,
            f"{colour}PaletteColorLookupTableDescriptor",
            f"{colour}PaletteColorLookupTableData",
            is_little_endian=_is_little_endian(dataset),
            is_signed=pixels.dtype.kind == "i",
        )
        for colour in _COLOURS
    ]
    if len({table.entries.dtype for table in tables}) > 1:
        raise SourceRefused("the red, green and blue palette have entries of different sizes")
    entries = _eight_bits(np.stack([_padded(table, tables) for table in tables]))
    return np.stack(
        [LookupTable(table.first, row)(pixels) for table, row in zip(tables, entries, strict=True)], axis=-1
    )


def has_palette(dataset: Dataset) -> bool:
    """Whether the pixels are indices that stand for colours."""
    return text(dataset, "PhotometricInterpretation") == "PALETTE COLOR" and text(dataset, "Modality") != LABELS


def modality_values(pixels: Voxels, dataset: FileDataset) -> tuple[Voxels, str]:
    """The true values of `pixels` by the Modality LUT of `dataset` (PS3.3 C.11.1), and their unit.

    Raises
    ------
    SourceRefused
        The table is malformed, a linear rescale stands beside it, or it maps several stored values of the image onto
        one, so that the stored ones could not be had back.
    """
    (item, *more) = dataset.ModalityLUTSequence
    if more or dataset.get("RescaleSlope") is not None:
        raise SourceRefused("it has several maps to true values (Modality LUTs, or one and a rescale): one is possible")
    is_signed = pixels.dtype.kind == "i"
    is_little_endian = _is_little_endian(dataset)
    table = LookupTable.read(item, "LUTDescriptor", "LUTData", is_little_endian=is_little_endian, is_signed=is_signed)
    stored = np.unique(pixels)
    if len(np.unique(table(stored))) < len(stored):
        raise SourceRefused(
            f"its Modality LUT gives {len(stored)} different stored values only {len(np.unique(table(stored)))} true "
            "ones, so that the stored values would be lost; store the image without the LUT, or apply it beforehand"
        )
    unit = text(item, "ModalityLUTType")
    return table(pixels), "" if unit == "US" else unit


def _entries(value: object, name: str, count: int, bits: int, *, is_little_endian: bool) -> npt.NDArray[Any]:
    """`count` entries of a table, from bytes or from numbers that pydicom has read."""
    order = "<" if is_little_endian else ">"
    if not isinstance(value, bytes):
        found = np.atleast_1d(np.asarray(value)).astype(np.int64) % (1 << 16)
    elif bits == 8 and len(value) < 2 * count:
        words = (
            value if is_little_endian else np.frombuffer(value[: len(value) // 2 * 2], ">u2").astype("<u2").tobytes()
        )
        found = np.frombuffer(words, np.uint8)  # two entries a word, the first in its low byte
    else:
        found = np.frombuffer(value[: len(value) // 2 * 2], f"{order}u2")
    if len(found) < count:
        raise SourceRefused(f"{name} has {len(found)} entries, and its descriptor says {count}; the table is cut short")
    if int(found[:count].max()) >= 1 << bits:
        raise SourceRefused(f"{name} has the entry {found[:count].max()}, and its descriptor says {bits} bits")
    return found[:count].astype(f"uint{bits}")


def _padded(table: LookupTable, tables: list[LookupTable]) -> npt.NDArray[np.uint8 | np.uint16]:
    """The entries of `table` as many as the longest of `tables` has: the last one stands for all that follow."""
    most = max(len(other.entries) for other in tables)
    return np.pad(table.entries, (0, most - len(table.entries)), mode="edge")


def _eight_bits(colours: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """16-bit `colours` as 8 bits where they hold no more: the low byte is 0 everywhere, or the high one again."""
    if colours.dtype == np.uint8:
        return colours
    high, low = colours >> 8, colours & 0xFF
    return high.astype(np.uint8) if not low.any() or np.array_equal(high, low) else colours


def _segmented_colours(pixels: Voxels, dataset: FileDataset) -> npt.NDArray[Any]:
    """The colours of a palette that is stored in segments (PS3.3 C.7.9.2)."""
    if not _is_little_endian(dataset):
        raise SourceRefused("its palette is segmented and big-endian, which is not taken; save it as little-endian")
    return apply_color_lut(pixels, dataset)[..., :3]


def _is_little_endian(dataset: FileDataset) -> bool:
    return dataset.original_encoding[1] is not False


def _signed(word: int) -> int:
    return (word + (1 << 15)) % (1 << 16) - (1 << 15)
