"""DICOM Segmentation objects (PS3.3 A.51) over the CT phantom, and the phantom cut down to few slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from mist_eval.phantoms import CT_ORIGIN_MM, CT_SHAPE, CT_SPACING_MM, write_ct_series

SLICES = 12
"""Of the phantom that are kept."""

SHAPE = (SLICES, *CT_SHAPE[1:])

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a segmentation."""

    pixels: npt.NDArray[np.integer]
    """(y, x)."""
    place: float
    """On which slice of the phantom it lies."""
    segment: int = 1


def write_short_series(folder: Path) -> str:
    """Write the lowest slices of the CT phantom; its Series Instance UID is returned."""
    write_ct_series(folder)
    top = CT_ORIGIN_MM[2] + (SLICES - 0.5) * CT_SPACING_MM[0]
    series = ""
    for path in folder.iterdir():
        header = pydicom.dcmread(path, stop_before_pixels=True)
        series = str(header.SeriesInstanceUID)
        if header.ImagePositionPatient[2] > top:
            path.unlink()
    return series


def disc(row: int, column: int, radius: int = 20) -> npt.NDArray[np.uint8]:
    """A disc of ones, (y, x)."""
    y, x = np.ogrid[: CT_SHAPE[1], : CT_SHAPE[2]]
    return np.asarray((y - row) ** 2 + (x - column) ** 2 <= radius**2, np.uint8)


LEFT, RIGHT = disc(80, 40), disc(80, 120)

ONE = [Frame(LEFT, 7), Frame(LEFT, 4), Frame(LEFT, 6), Frame(LEFT, 5)]
"""One segment, on four slices, in no order."""

TWO = [Frame(LEFT, 4), Frame(RIGHT, 4, segment=2), Frame(RIGHT, 5, segment=2)]

TURNED = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)


def segmentation(  # noqa: PLR0913 - each is something that a test varies
    frames: Sequence[Frame],
    series: str,
    *,
    kind: str = "BINARY",
    name: str = "seg",
    orientation: Sequence[float] = AXIAL,
    spacing_mm: Sequence[float] = CT_SPACING_MM[1:],
    sample_bytes: int = 1,
) -> Dataset:
    """A segmentation that refers to `series`."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[name])
    bits = 1 if kind == "BINARY" else 8 * sample_bytes
    values = {
        "SOPClassUID": SegmentationStorage,
        "SeriesInstanceUID": generate_uid(entropy_srcs=[name, "series"]),
        "StudyInstanceUID": generate_uid(entropy_srcs=[name, "study"]),
        "Modality": "SEG",
        "SegmentationType": kind,
        "ReferencedSeriesSequence": [_item(SeriesInstanceUID=series)],
        "NumberOfFrames": len(frames),
        "Rows": frames[0].pixels.shape[0],
        "Columns": frames[0].pixels.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
        "SharedFunctionalGroupsSequence": [_shared(orientation, spacing_mm)],
        "PerFrameFunctionalGroupsSequence": [_frame(frame) for frame in frames],
        "PixelData": _pixels(frames, bits),
    } | ({"MaximumFractionalValue": 255} if kind == "FRACTIONAL" else {})
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def save(dataset: Dataset, folder: Path, name: str = "seg") -> str:
    """Write a segmentation beside the series; its id is returned."""
    dataset.save_as(folder / f"{name}.dcm", enforce_file_format=True)
    return str(dataset.SOPInstanceUID)


def expected(frames: Sequence[Frame]) -> npt.NDArray[np.uint8]:
    """The labels of `frames` on the phantom, (z, y, x)."""
    labels = np.zeros(SHAPE, np.uint8)
    for frame in frames:
        labels[int(frame.place)] += frame.pixels.astype(np.uint8) * np.uint8(frame.segment)
    return labels


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _shared(orientation: Sequence[float], spacing_mm: Sequence[float]) -> Dataset:
    return _item(
        PlaneOrientationSequence=[_item(ImageOrientationPatient=list(orientation))],
        PixelMeasuresSequence=[_item(PixelSpacing=list(spacing_mm), SliceThickness=CT_SPACING_MM[0])],
    )


def _frame(frame: Frame) -> Dataset:
    left, back, low = CT_ORIGIN_MM
    return _item(
        PlanePositionSequence=[_item(ImagePositionPatient=[left, back, low + frame.place * CT_SPACING_MM[0]])],
        SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=frame.segment)],
    )


def _pixels(frames: Sequence[Frame], bits: int) -> bytes:
    stacked = np.stack([frame.pixels for frame in frames])
    packed = np.packbits(stacked.ravel(), bitorder="little") if bits == 1 else stacked.astype(f"<u{bits // 8}")
    content = packed.tobytes()
    return content + bytes(len(content) % 2)
