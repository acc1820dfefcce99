"""Reading DICOM datasets, and asking them for numbers.

The rule: an attribute that is there but malformed is a refusal, never a default. A value of a frame is looked up where
the standard lets it stand: in the frame's functional groups, in the shared ones, else at the top. Knows no pixels.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.dataset import FileDataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from mist.errors import SourceRefused
from mist.ingest.dicom_stack import Vector

MOST_INFLATED = 1 << 30
"""Bytes that a deflated dataset may have: a file of a megabyte can claim a gigabyte (PS3.5 A.5)."""

INFLATED_HEADER = 1 << 24
"""Bytes of a deflated dataset that are unpacked for its header alone; what lies further back is pixels."""

_LENGTH_END = 144
"""Where File Meta Information Group Length ends, which counts the bytes from there to the dataset (PS3.10 7.1)."""

_NOT_DEFLATED = bytes(128) + b"DICM\2\0\x10\0UI\x14\0" + ExplicitVRLittleEndian.encode() + b"\0"
"""How a file begins whose dataset is what a deflated one unpacks to."""


def read_dataset(path: Path, keywords: Sequence[str] | None = None, data: bytes | None = None) -> FileDataset:
    """The dataset in the file at `path`: whole, or only the attributes `keywords` and nothing from the pixels on.

    A file without preamble and file meta is read as well (`force`): `kind_of` has found that it begins like a dataset.
    The dataset's `filename` is None where it was unpacked: its elements lie elsewhere in the file than they say.

    Parameters
    ----------
    data
        What the file holds, where it is held in memory already.

    Raises
    ------
    SourceRefused
        It is deflated, and cannot be unpacked or holds more than `MOST_INFLATED`.
    """
    with path.open("rb") if data is None else BytesIO(data) as stream:
        return read_stream(stream, path, keywords)


def read_stream(stream: BinaryIO, path: Path, keywords: Sequence[str] | None = None) -> FileDataset:
    """The dataset in `stream`, which is the file at `path`; see `read_dataset`.

    Where only `keywords` are read, and nothing was unpacked, the stream is then at the pixels.

    Raises
    ------
    SourceRefused
        As of `read_dataset`.
    """
    inflated = _inflated(stream, is_whole=keywords is None)
    stream.seek(0)
    source = inflated or stream
    if keywords is None:
        dataset = dcmread(source, force=True)
    else:
        dataset = dcmread(source, force=True, stop_before_pixels=True, specific_tags=[_tag(each) for each in keywords])
    dataset.filename = str(path) if inflated is None else None
    return dataset


def _inflated(stream: BinaryIO, *, is_whole: bool) -> BytesIO | None:
    """A file, or the beginning of it, as if it were not deflated; None where it is not deflated anyway.

    pydicom would unpack all of it whatever it takes.
    """
    head = stream.read(_LENGTH_END)
    length = int.from_bytes(head[_LENGTH_END - 4 :], "little")
    meta = stream.read(min(length, 1 << 16))
    if head[128:132] != b"DICM" or DeflatedExplicitVRLittleEndian.encode() not in meta:
        return None
    if len(meta) != length:
        raise SourceRefused(f"its file meta information is said to have {length} bytes; the file is damaged")
    most = MOST_INFLATED if is_whole else INFLATED_HEADER
    unpacked = zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(stream.read(), most + 1)
    if is_whole and len(unpacked) > most:
        raise SourceRefused(f"its deflated dataset unpacks to more than {most >> 20} MiB; save it without deflating")
    return BytesIO(_NOT_DEFLATED + unpacked)


def transfer_syntax(dataset: FileDataset) -> UID:
    """How the pixels are encoded.

    Without file meta the syntax is what reading found out: byte order and kind of VR, which say all where pixels are
    uncompressed.

    Raises
    ------
    SourceRefused
        The file does not name its syntax and the pixels are compressed.
    """
    named = value_of(dataset.file_meta, "TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if named:
        return UID(str(named))
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise SourceRefused("the pixels are compressed, and the file does not say how (no Transfer Syntax UID)")
    is_implicit, is_little_endian = dataset.original_encoding
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little_endian else ExplicitVRBigEndian


def text(dataset: Dataset, keyword: str) -> str:
    """The value of an attribute as text; empty where it is absent."""
    value = value_of(dataset, keyword)
    return "" if value is None else str(value).strip()


def value_of(dataset: Dataset, keyword: str) -> object:
    """The value of an attribute that is no sequence, or None where it is absent; several values are a sequence.

    `Dataset.get` takes much longer. Slices of a series say the same of most attributes, so what bytes mean is looked up
    where they came before.
    """
    tag = _tag(keyword)
    element = dataset.get_item(tag)
    if element is None:
        return None
    if isinstance(element, RawDataElement) and _is_repeated(element.VR or _vr(tag), element.value):
        return _converted(tag, element.VR, element.value, element.is_implicit_VR, element.is_little_endian)
    return dataset[tag].value


_NAMES, _NUMBERS = frozenset({"CS", "UI"}), frozenset({"DS", "IS", "US"})
"""Kinds of values that depend on nothing but their own bytes: on no character set, and on no other attribute."""

_SHORT_BYTES = 128
"""Six numbers at most."""


def _is_repeated(vr: str, value: object) -> bool:
    """Whether a value is likely to come again, and cannot be changed by whoever is given it."""
    if not isinstance(value, bytes) or not 0 < len(value) <= _SHORT_BYTES:
        return False
    return vr in _NUMBERS or (vr in _NAMES and b"\\" not in value)


@lru_cache(maxsize=1024)
def _converted(tag: BaseTag, vr: str | None, value: bytes, is_implicit: bool, is_little_endian: bool) -> object:  # noqa: FBT001
    """What pydicom makes of the bytes of a value, several numbers as a tuple."""
    raw = RawDataElement(tag, vr, len(value), value, 0, is_implicit, is_little_endian)
    found = convert_raw_data_element(raw).value
    return tuple(found) if isinstance(found, MultiValue) else found


@cache
def _vr(tag: BaseTag) -> str:
    return dictionary_VR(tag)


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


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
        said, wanted = ", ".join(map(str, parts)), f"{count} finite number{'s' if count > 1 else ''}"
        raise SourceRefused(f"{keyword} is {said!r}, not {wanted}; correct the header")
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
        if _tag(groups) in dataset:
            item = _item(_item(dataset, groups, place), macro, 0)
            if _tag(keyword) in item:
                return value_of(item, keyword)
    return value_of(dataset, keyword)


def _item(dataset: Dataset, sequence: str, place: int) -> Dataset:
    """An item of a sequence, or an empty dataset where there is none."""
    items = (dataset.get(sequence) if _tag(sequence) in dataset else None) or ()
    return items[place] if place < len(items) else _NOTHING


_NOTHING = Dataset()
"""Made once: making one takes longer than asking it."""
