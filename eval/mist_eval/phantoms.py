"""Generated images that look enough like medical ones to show what resolution does, and carry their own truth.

The rule: everything follows from a seed, so that two runs write the same bytes. Knows nothing of MIST's format.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

Picture = npt.NDArray[np.float64]

CLASSES = ("clear", "mass", "miliary")
"""Classes of the labelled phantoms: nothing; one soft mass of about 20 pixels, which any level shows; many nodules of
about 3 pixels, which only fine levels show."""

RADIOGRAPH_SIDE = 256
"""Rows and columns of a labelled phantom."""

CT_SHAPE = (48, 160, 160)
"""Slices, rows and columns of the CT phantom."""

CT_SPACING_MM = (1.0, 0.8, 0.8)
"""Spacing of the CT phantom along (z, y, x)."""

CT_ORIGIN_MM = (-64.0, -80.0, 12.0)
"""LPS position of the CT phantom's first voxel."""

_SPLITS = ("train", "train", "train", "test")


@dataclass(frozen=True, slots=True)
class Sphere:
    """A sphere of the CT phantom."""

    center_mm: tuple[float, float, float]
    """LPS position of its middle."""
    radius_mm: float
    value_hu: float


CT_SPHERES = (
    Sphere((-24.0, -40.0, 30.0), 9.0, 60.0),
    Sphere((10.0, -10.0, 40.0), 6.0, 300.0),
    Sphere((28.0, -48.0, 24.0), 4.0, 900.0),
)
"""What the CT phantom holds besides its body."""


def write_radiographs(folder: Path, count: int = 240, seed: int = 0) -> Path:
    """Write `count` labelled 8-bit PNG phantoms and their `labels.csv` to `folder`; the csv's path is returned."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        label, split = CLASSES[number % len(CLASSES)], _SPLITS[number // len(CLASSES) % len(_SPLITS)]
        name = f"images/phantom_{number:04d}.png"
        Image.fromarray(radiograph(label, np.random.default_rng((seed, number)))).save(folder / name)
        rows.append({"file": name, "label": label, "split": split, "patient": f"P{number:04d}"})
    return _write_csv(folder / "labels.csv", rows)


def radiograph(label: str, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One labelled phantom, uint8 (256, 256): a smooth body with noise, and what `label` (of `CLASSES`) adds to it."""
    body = 100 + 22 * _smooth_field(rng, 4) + 5 * _smooth_field(rng, 24)
    if label == "mass":
        body += _spots(rng, count=1, radius=(9.0, 12.0), height=60.0)
    elif label == "miliary":
        body += _spots(rng, count=90, radius=(1.2, 1.7), height=40.0)
    noisy = body + rng.normal(0, 5, body.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def write_ct_series(folder: Path, seed: int = 0) -> None:
    """Write the CT phantom to `folder` as an uncompressed DICOM series, in an order that its file names do not tell."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = ct_volume(seed)
    study, series, frame = (generate_uid(entropy_srcs=[name, str(seed)]) for name in ("study", "series", "frame"))
    for index, pixels in enumerate(stored):
        uid = generate_uid(entropy_srcs=["instance", str(seed), str(index)])
        slice_ = _ct_slice(pixels, index, uid)
        slice_.StudyInstanceUID, slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = study, series, frame
        slice_.save_as(folder / f"{index * 29 % len(stored):03d}.dcm", enforce_file_format=True)


def ct_volume(seed: int = 0) -> npt.NDArray[np.uint16]:
    """The CT phantom's stored values, uint16 (z, y, x): Hounsfield units plus 1024, 12 bits."""
    rng = np.random.default_rng(seed)
    positions = _ct_positions()
    x, y, z = positions
    hounsfield = np.where((x / 56) ** 2 + ((y + 16) / 48) ** 2 < 1, 20.0, -1000.0) + 0 * z
    for sphere in CT_SPHERES:
        offsets = positions - np.reshape(sphere.center_mm, (3, 1, 1, 1))
        hounsfield[np.sqrt((offsets**2).sum(axis=0)) <= sphere.radius_mm] = sphere.value_hu
    noisy = hounsfield + rng.normal(0, 12, CT_SHAPE)
    stored: npt.NDArray[np.uint16] = np.clip(np.rint(noisy) + 1024, 0, 4095).astype(np.uint16)
    return stored


def _ct_positions() -> npt.NDArray[np.float64]:
    """LPS positions (3, z, y, x) of the CT phantom's voxels."""
    z, y, x = np.meshgrid(
        *(np.arange(n) * step for n, step in zip(CT_SHAPE, CT_SPACING_MM, strict=True)), indexing="ij"
    )
    positions: npt.NDArray[np.float64] = np.stack([x, y, z]) + np.reshape(CT_ORIGIN_MM, (3, 1, 1, 1))
    return positions


def _ct_slice(pixels: npt.NDArray[np.uint16], index: int, uid: str) -> Dataset:
    """A CT image object without the identifiers of its study and series."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, UID(uid)
    left, back, low = CT_ORIGIN_MM
    dataset = Dataset()
    dataset.file_meta = meta
    values = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": uid,
        "Modality": "CT",
        "PatientName": "Phantom^Generated",
        "PatientID": "PHANTOM",
        "BodyPartExamined": "CHEST",
        "InstanceNumber": index + 1,
        "ImagePositionPatient": [left, back, low + index * CT_SPACING_MM[0]],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": list(CT_SPACING_MM[1:]),
        "SliceThickness": CT_SPACING_MM[0],
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "WindowCenter": 40,
        "WindowWidth": 400,
        "PixelData": pixels.astype("<u2").tobytes(),
    }
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def _smooth_field(rng: np.random.Generator, cells: int) -> Picture:
    """A random field of mean 0 and height about 1, (256, 256), that changes over 1/`cells` of the side."""
    coarse = Image.fromarray(rng.normal(size=(cells, cells)).astype(np.float32))
    side = RADIOGRAPH_SIDE
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64)


def _spots(rng: np.random.Generator, *, count: int, radius: tuple[float, float], height: float) -> Picture:
    """`count` Gaussian spots of a `radius` (least, most) in pixels and about `height` grey levels, (256, 256)."""
    picture = np.zeros((RADIOGRAPH_SIDE, RADIOGRAPH_SIDE))
    for sigma in rng.uniform(*radius, count):
        reach = int(4 * sigma)
        row, column = rng.integers(30, RADIOGRAPH_SIDE - 30, 2)
        profile = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
        rows, columns = (slice(max(0, at - reach), at + reach + 1) for at in (row, column))
        spot = height * rng.uniform(0.8, 1.2) * np.outer(profile, profile)
        hidden = max(0, reach - row), max(0, reach - column)
        patch = picture[rows, columns]
        patch += spot[hidden[0] : hidden[0] + patch.shape[0], hidden[1] : hidden[1] + patch.shape[1]]
    return picture


def _write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
