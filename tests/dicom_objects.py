"""DICOM objects of any pixels, written in any transfer syntax that needs no encoder, and pixels for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian


def noise(*shape: int, dtype: str = "uint16", top: int = 4096) -> npt.NDArray[Any]:
    """Pixels at random, from 0 to below `top`."""
    return np.random.default_rng(0).integers(0, top, shape).astype(dtype)


def image(pixels: npt.NDArray[Any], *, frames: int = 1, **attributes: object) -> Dataset:
    """An object with the given pixels, ([frames,] rows, columns[, colours])."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CTImageStorage, "1.2.3.4", "OT"
    colours = pixels.shape[-1] if pixels.ndim - (frames > 1) == 3 else 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = colours, "RGB" if colours == 3 else "MONOCHROME2"
    if colours == 3:
        dataset.PlanarConfiguration = 0
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.Rows, dataset.Columns = pixels.shape[frames > 1 :][:2]
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, int(pixels.dtype.kind == "i")
    data = pixels.tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def save(dataset: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write an object with its file meta, in an uncompressed or deflated transfer syntax; its path is returned."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path
