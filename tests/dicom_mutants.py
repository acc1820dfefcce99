"""Damaged DICOM files: cut off at an element, with absurd lengths, sizes and nesting, or with bytes that changed."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom.data
from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword

LARGEST_SEED = 300_000
"""Bytes of a file that is damaged: enough for every transfer syntax, and small enough for thousands of mutants."""

ABSURD = (0, 1, 7, 0x7FFF, 0xFFFE, 0xFFFF)
"""Numbers that stand in headers of 16 bits."""

ABSURD_LENGTHS = (0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
"""Lengths of elements in 32 bits; the last one means that it is undefined."""

SIZES = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "SamplesPerPixel",
    "PixelRepresentation",
    "PlanarConfiguration",
)
"""Attributes of 16 bits that say how large the pixels are."""

Mutate = Callable[[bytes, Sequence[int], np.random.Generator], bytes]


def seeds(folder: Path | None = None) -> list[bytes]:
    """Small DICOM files that pydicom installs, and those of `folder`."""
    paths = sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"))
    paths += sorted(folder.glob("*.dcm")) if folder is not None else []
    return [path.read_bytes() for path in paths if path.stat().st_size <= LARGEST_SEED]


def mutants(files: Sequence[bytes], random: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Damaged files without end, and what was done to each."""
    places = [element_places(data) for data in files]
    kinds = list(MUTATIONS)
    while True:
        chosen = int(random.integers(len(files)))
        kind = kinds[int(random.integers(len(kinds)))]
        yield kind, MUTATIONS[kind](files[chosen], places[chosen], random)


def element_places(data: bytes) -> list[int]:
    """Where the elements of a file begin, nested ones too, as far as it can be told from their tags."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = sorted(set(_places(dcmread(BytesIO(data), force=True), len(data))))
    except Exception:  # noqa: BLE001 - some seeds are broken already
        found = []
    return [place for place in found if 0 <= place < len(data)] or [len(data) // 2]


def _places(dataset: Dataset, most: int) -> Iterator[int]:
    for element in dataset:
        tell = getattr(element, "file_tell", None)
        if tell is not None and tell < most:
            yield int(tell) - 8  # the tag, VR and length lie before the value
        if element.VR == "SQ":
            for item in element.value:
                yield from _places(item, most)


def _cut(data: bytes, places: Sequence[int], random: np.random.Generator) -> bytes:
    return data[: int(random.choice(places)) + int(random.integers(0, 13))]


def _lengthen(data: bytes, places: Sequence[int], random: np.random.Generator) -> bytes:
    place = int(random.choice(places)) + int(random.choice([4, 6, 8]))
    return data[:place] + struct.pack("<I", int(random.choice(ABSURD_LENGTHS))) + data[place + 4 :]


def _resize(data: bytes, _: Sequence[int], random: np.random.Generator) -> bytes:
    tag = tag_for_keyword(SIZES[int(random.integers(len(SIZES)))]) or 0
    mark = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    place = data.find(mark)
    if place < 0:
        return data
    return data[: place + 8] + struct.pack("<H", int(random.choice(ABSURD))) + data[place + 10 :]


def _nest(data: bytes, places: Sequence[int], random: np.random.Generator) -> bytes:
    place = int(random.choice(places))
    opened = bytes.fromhex("0800400353510000ffffffff feff00e0ffffffff")
    return data[:place] + opened * int(random.choice([3, 100, 3000])) + data[place:]


def _flip(data: bytes, _: Sequence[int], random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in random.integers(132, max(133, len(data)), int(random.integers(1, 20))):
        changed[min(int(place), len(data) - 1)] = int(random.integers(256))
    return bytes(changed)


def _drop(data: bytes, places: Sequence[int], random: np.random.Generator) -> bytes:
    begin, end = sorted(int(place) for place in random.choice(places, 2))
    return data[:begin] + data[end:]


def _multiply(data: bytes, places: Sequence[int], random: np.random.Generator) -> bytes:
    """Many frames, in a file that says so beside its rows."""
    place = int(random.choice(places))
    frames = struct.pack("<HH2sH", 0x28, 0x08, b"IS", 10) + str(random.choice([0, -1, 2, 10**9])).encode().ljust(10)
    return data[:place] + frames + data[place:]


MUTATIONS: dict[str, Mutate] = {
    "cut at an element": _cut,
    "absurd length": _lengthen,
    "absurd size": _resize,
    "nested": _nest,
    "bytes changed": _flip,
    "elements dropped": _drop,
    "absurd frames": _multiply,
}
"""What may be done to a file."""
