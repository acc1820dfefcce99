"""Reading DICOM datasets, and asking them for numbers.

The rule: an attribute that is there but malformed is a refusal, never a default. A value of a frame is looked up where
the standard lets it stand: in the frame's functional groups, in the shared ones, else at the top. Knows no pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mist.errors import SourceRefused
from mist.ingest.dicom_stack import Vector


def read_dataset(path: Path, keywords: Sequence[str] | None = None) -> FileDataset:
    """The dataset in the file at `path`: whole, or only the attributes `keywords` and nothing from the pixels on.

    A file without preamble and file meta is read as well (`force`): `kind_of` has found that it begins like a dataset.
    """
    if keywords is None:
        return dcmread(path, force=True)
    return dcmread(path, force=True, stop_before_pixels=True, specific_tags=list(keywords))


def transfer_syntax(dataset: FileDataset) -> UID:
    """How the pixels are encoded.

    Without file meta the syntax is what reading found out: byte order and kind of VR, which say all where pixels are
    uncompressed.

    Raises
    ------
    SourceRefused
        The file does not name its syntax and the pixels are compressed.
    """
    named = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if named:
        return UID(named)
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise SourceRefused("the pixels are compressed, and the file does not say how (no Transfer Syntax UID)")
    is_implicit, is_little_endian = dataset.original_encoding
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little_endian else ExplicitVRBigEndian


def text(dataset: Dataset, keyword: str) -> str:
    """The value of an attribute as text; empty where it is absent."""
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def number(value: object, keyword: str) -> float | None:
    """The value of an attribute with one number, or None where it is absent.

    Raises
    ------
    SourceRefused
        It is there, and no finite number.
    """
    found = numbers(value, keyword, 1)
    return None if found is None else found[0]


def numbers(value: object, keyword: str, count: int) -> tuple[float, ...] | None:
    """The value of an attribute with `count` numbers, or None where it is absent.

    Raises
    ------
    SourceRefused
        It is there, and not that many finite numbers.
    """
    if value is None or value == "":
        return None
    parts = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if not parts:
        return None
    try:
        found = tuple(float(str(part)) for part in parts)
    except (TypeError, ValueError):
        found = ()
    if len(found) != count or not all(map(math.isfinite, found)):
        raise SourceRefused(f"{keyword} is {value!r}, not {count} finite number{'s' if count > 1 else ''}")
    return found


def vector(value: object, keyword: str) -> Vector | None:
    """The value of an attribute with three numbers, or None where it is absent; see `numbers`."""
    found = numbers(value, keyword, 3)
    return None if found is None else (found[0], found[1], found[2])


def frame_value(dataset: Dataset, frame: int, macro: str, keyword: str) -> object:
    """The value that an attribute has for a frame, or None where it is absent.

    Parameters
    ----------
    frame
        Counted from 0; of a file with one image it is 0.
    macro
        The sequence in which the attribute stands within functional groups (PS3.3 C.7.6.16.2), such as
        `PixelMeasuresSequence`.
    """
    for groups, place in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        item = _item(_item(dataset, groups, place), macro, 0)
        if keyword in item:
            return item.get(keyword)
    return dataset.get(keyword)


def _item(dataset: Dataset, sequence: str, place: int) -> Dataset:
    """An item of a sequence, or an empty dataset where there is none."""
    items = dataset.get(sequence) or ()
    return items[place] if place < len(items) else Dataset()
