"""Second opinions on DICOM pixels: what other decoders make of a file that MIST has read.

The rule: a volume is confirmed by two decoders, of which one may be MIST's own where that is known to be another. What
a witness cannot read says nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.uid import (
    ExplicitVRBigEndian,
    JPEGExtended12Bit,
)

from mist.ingest.dicom_dataset import transfer_syntax
from mist.ingest.dicom_decoders import decoder_of
from mist.ingest.dicom_frames import frame_grid
from mist.volume import Volume
from mist_eval.other_decoders import Pixels, is_encapsulated, witnesses


@dataclass(frozen=True, slots=True)
class Opinion:
    """What another decoder says of a volume."""

    witness: str
    """Who says it."""
    difference: float
    """The greatest difference of a voxel."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What all witnesses say of a volume."""

    agreeing: tuple[str, ...]
    """The decoders that have the same voxels, bit for bit; MIST's own among them."""
    differing: tuple[Opinion, ...]
    """The others that could read the file."""

    @property
    def is_confirmed(self) -> bool:
        """Whether two decoders agree."""
        return len(self.agreeing) > 1


def hear(path: Path, volume: Volume) -> Hearing:
    """What other decoders make of the one DICOM file at `path`, from which MIST has made `volume`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = _dataset(path)
        own = _own_decoder(dataset)
        found = [_opinion(path, name, witness, volume) for name, witness in witnesses(path, dataset)]
    said = {opinion.witness: opinion for opinion in reversed(found) if opinion is not None}
    agreeing = {name for name, opinion in said.items() if opinion.difference == 0}
    differing = tuple(said[name] for name in sorted(said.keys() - agreeing))
    return Hearing(tuple(sorted(agreeing | own)), differing)


def _own_decoder(dataset: FileDataset) -> frozenset[str]:
    """MIST's own decoder, where it is none of the witnesses: pydicom chooses among plug-ins, all of which are heard."""
    syntax = transfer_syntax(dataset)
    is_plugged = is_encapsulated(dataset) and decoder_of(dataset, syntax) is None
    return frozenset() if is_plugged else frozenset({"MIST"})


def _dataset(path: Path) -> FileDataset:
    dataset = dcmread(path, force=True)
    if "TransferSyntaxUID" not in getattr(dataset, "file_meta", {}):
        dataset.ensure_file_meta()
        dataset.file_meta.TransferSyntaxUID = transfer_syntax(dataset)
    return dataset


def _opinion(path: Path, name: str, witness: Callable[[FileDataset], Pixels], volume: Volume) -> Opinion | None:
    try:
        dataset = _dataset(path)
        pixels = _in_the_volume(witness(dataset), dataset, volume)
    except Exception:  # noqa: BLE001 - a witness that cannot read a file has no opinion
        return None
    if pixels.shape != volume.voxels.shape:
        return None
    voxels = _without_overshoot(volume, dataset) if name == "GDCM" else volume.voxels
    if np.array_equal(voxels, pixels, equal_nan=voxels.dtype.kind == "f"):
        return Opinion(name, 0.0)
    with np.errstate(all="ignore"):
        return Opinion(name, float(np.nanmax(np.abs(voxels.astype(np.float64) - pixels))))


def _without_overshoot(volume: Volume, dataset: FileDataset) -> Pixels:
    """The voxels in as many bits as are stored: lossy JPEG may exceed them by one, which GDCM cuts off."""
    bits = int(dataset.get("BitsStored", 0))
    if transfer_syntax(dataset) != JPEGExtended12Bit or bits >= 8 * volume.voxels.dtype.itemsize:
        return volume.voxels
    return np.bitwise_and(volume.voxels.astype(np.int64), (1 << bits) - 1)


def _in_the_volume(pixels: Pixels, dataset: FileDataset, volume: Volume) -> Pixels:
    """Stored values as MIST stores them: colours of a palette, true values of a table, frames in order."""
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR" and "c" in volume.axes:
        pixels = apply_color_lut(pixels, _with_native_tables(dataset))
        pixels = pixels >> 8 if volume.voxels.dtype == np.uint8 and pixels.dtype != np.uint8 else pixels
    if dataset.get("ModalityLUTSequence"):
        pixels = apply_modality_lut(pixels, dataset)
    if "z" in volume.axes:
        grid = frame_grid(dataset, int(dataset.NumberOfFrames))
        pixels = pixels[list(grid.order)].reshape(volume.voxels.shape) if grid is not None else pixels
    return pixels


def _with_native_tables(dataset: FileDataset) -> FileDataset:
    """`dataset` with palettes in little-endian words, which is how pydicom reads them whatever they are."""
    if transfer_syntax(dataset) == ExplicitVRBigEndian:
        for colour in ("Red", "Green", "Blue"):
            element = dataset[f"{colour}PaletteColorLookupTableData"]
            element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
    return dataset
