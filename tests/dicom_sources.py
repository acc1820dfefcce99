"""DICOM files to ingest, made for a test, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)

from mist.ingest.discover import discover
from mist.ingest.load import load_scan
from mist.ingest.source import DecodedSource, Refusal

SERIES = "1.2.826.0.1.3680043.8.498.1"
OBLIQUE = [0.8, 0.6, 0.0, -0.36, 0.48, 0.8]
NORMAL = np.cross(OBLIQUE[:3], OBLIQUE[3:])
ORIGIN = np.array([-100.0, 50.0, 7.5])


def image(pixels: npt.NDArray[Any], number: int = 0, /, **attributes: object) -> Dataset:
    """A CT slice with the given pixels, of one sample each, and no position."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"{SERIES}.{number + 1}"
    dataset.SeriesInstanceUID, dataset.Modality, dataset.BodyPartExamined = SERIES, "CT", "CHEST"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def placed(pixels: npt.NDArray[Any], number: int, height_mm: float, **attributes: object) -> Dataset:
    """A CT slice at a height along the normal of an oblique stack."""
    dataset = image(
        pixels, number, RescaleSlope=2, RescaleIntercept=-1024, WindowCenter=[40, 50], WindowWidth=[400, 90]
    )
    dataset.ImagePositionPatient = [f"{c:.6f}" for c in ORIGIN + height_mm * NORMAL]
    dataset.ImageOrientationPatient, dataset.PixelSpacing = OBLIQUE, [0.5, 0.75]
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def slabs(count: int, dtype: str = "<i2") -> npt.NDArray[Any]:
    """Distinct voxels of shape (count, 4, 6)."""
    return np.arange(-12 * count, 12 * count).astype(dtype).reshape(count, 4, 6)


def save_stack(folder: Path, heights_mm: Sequence[float], **attributes: object) -> npt.NDArray[Any]:
    """A stack of slices, whose file names run against their places; its voxels in the order of the heights."""
    voxels = slabs(len(heights_mm))
    for number, height in enumerate(heights_mm):
        dataset = placed(voxels[number], number, height, InstanceNumber=99 - number, **attributes)
        save(dataset, folder / f"{99 - number}.dcm")
    return voxels


def only_scan(source: Path) -> tuple[str, DecodedSource]:
    found = discover([source])
    assert not found.refusals
    (task,) = found.tasks
    return task.scan_id, load_scan(task).decoded


def only_refusal(source: Path) -> Refusal:
    found = discover([source])
    assert not found.tasks
    (refusal,) = found.refusals
    return refusal


def multiframe(count: int, **attributes: object) -> Dataset:
    return image(
        slabs(count),
        NumberOfFrames=count,
        SOPClassUID=MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        **attributes,
    )
