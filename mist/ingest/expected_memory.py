"""How much memory storing a scan will take, from what its files say of themselves.

The rule: an estimate, from headers alone, good enough to decide what runs beside what. It refuses nothing: of a file
that cannot be understood, its size is taken. To be asked in a child process, since headers come from outside.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tifffile import TiffFile

from mist.errors import SourceRefused
from mist.ingest.dicom_dataset import number, read_dataset
from mist.ingest.nifti import header_of
from mist.ingest.refusal import refusing
from mist.ingest.source import ScanTask, SourceKind

PROCESS_BYTES = 320 << 20
"""What a process takes that decodes and encodes, before it holds any voxel."""

ENCODED_SHARE = 0.5
"""Bytes of an encoded voxel, as a share of the voxel: noise takes more, most scans less."""

FLOAT_BYTES = 32
"""What looking for the factor in a sample of a float image takes."""

_DICOM_KEYWORDS = ("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "BitsAllocated")


@dataclass(frozen=True, slots=True)
class Samples:
    """What a scan holds."""

    count: int
    """How many of them."""
    bytes: int
    """Of one."""
    is_float: bool = False
    """Whether a factor must be sought in them."""


def expected_memory(task: ScanTask) -> int:
    """Bytes that a process takes which stores the scan of `task`."""
    samples = _samples(task)
    # The voxels; what came from a single file, as it was there and as it was decoded; one level's subbands.
    copies = 1 + ENCODED_SHARE + (2 if len(task.paths) == 1 and task.kind in _DECODED_WHOLE else 0)
    coefficient = FLOAT_BYTES if samples.is_float else 4 if samples.bytes < 4 else 8
    return PROCESS_BYTES + int(samples.count * (copies * samples.bytes + coefficient))


_DECODED_WHOLE = (SourceKind.DICOM, SourceKind.PICTURE, SourceKind.TIFF)


def _samples(task: ScanTask) -> Samples:
    try:
        with refusing(task.source):
            return _READERS[task.kind](task)
    except SourceRefused:  # it will be refused when it is read
        return Samples(sum(path.stat().st_size for path in task.paths if path.is_file()), 1)


def _of_dicom(task: ScanTask) -> Samples:
    dataset = read_dataset(task.paths[0], _DICOM_KEYWORDS)
    said = {keyword: int(number(dataset.get(keyword), keyword) or 1) for keyword in _DICOM_KEYWORDS}
    return Samples(len(task.paths) * math.prod([*said.values()][:-1]), max(1, said["BitsAllocated"] // 8))


def _of_nifti(path: Path) -> Samples:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        header = header_of(stream)
    dtype = header.get_data_dtype()
    return Samples(math.prod(header.get_data_shape()), dtype.itemsize, dtype.kind == "f")


def _of_picture(path: Path) -> Samples:
    with Image.open(path) as picture:
        return Samples(math.prod(picture.size) * len(picture.getbands()), 4 if picture.mode in "IF" else 2)


def _of_tiff(path: Path) -> Samples:
    with TiffFile(path) as tiff:
        first = tiff.pages.first
        dtype = first.dtype or np.dtype(np.uint8)
        return Samples(math.prod(first.shape) * len(tiff.pages), dtype.itemsize, dtype.kind == "f")


def _of_array(path: Path) -> Samples:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    return Samples(array.size, array.dtype.itemsize, array.dtype.kind == "f")


_READERS: Mapping[SourceKind, Callable[[ScanTask], Samples]] = {
    SourceKind.DICOM: _of_dicom,
    SourceKind.NIFTI: lambda task: _of_nifti(task.paths[0]),
    SourceKind.PICTURE: lambda task: _of_picture(task.paths[0]),
    SourceKind.TIFF: lambda task: _of_tiff(task.paths[0]),
    SourceKind.NUMPY: lambda task: _of_array(task.paths[0]),
}
"""How many samples each kind of source holds."""
