"""Second opinions on DICOM pixels: what other decoders make of a file that MIST has read.

The rule: a volume is confirmed by two decoders, of which one may be MIST's own where that is known to be another. GDCM
reads files by itself, header and all; the others are given frames. What a witness cannot read says nothing.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, convert_color_space
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    HTJ2K,
    UID,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from mist.ingest.dicom_dataset import transfer_syntax
from mist.ingest.dicom_decoders import DEFLATED_FRAMES, decoder_of
from mist.ingest.dicom_frames import frame_grid
from mist.volume import Volume

Pixels = npt.NDArray[Any]

_IMAGECODECS: dict[UID, Callable[[bytes], Pixels]] = {
    JPEGLSLossless: imagecodecs.jpegls_decode,
    JPEGLossless: imagecodecs.jpegsof3_decode,
    JPEGLosslessSV1: imagecodecs.jpegsof3_decode,
    HTJ2K: imagecodecs.htj2k_decode,
    HTJ2KLossless: imagecodecs.htj2k_decode,
    HTJ2KLosslessRPCL: imagecodecs.htj2k_decode,
}
"""Where pydicom has one decoder only, another one's."""

_READ_WITH_GDCM = """
import sys, gdcm
reader = gdcm.ImageReader()
reader.SetFileName(sys.argv[1])
if not reader.Read():
    sys.exit(1)
image = reader.GetImage()
told = f"{str(image.GetPhotometricInterpretation()).strip()} {image.GetPlanarConfiguration()}\\n"
sys.stdout.buffer.write(told.encode() + image.GetBuffer().encode("utf-8", "surrogateescape"))
"""
"""Run in a process of its own, which GDCM ends on some files."""

_NAMES = {"gdcm": "GDCM", "pillow": "Pillow", "pylibjpeg": "pylibjpeg", "pyjpegls": "pyjpegls", "pydicom": "pydicom"}
"""How plug-ins of pydicom are called in a table."""


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
        found = [_opinion(path, name, witness, volume) for name, witness in _witnesses(path, dataset)]
    said = {opinion.witness: opinion for opinion in reversed(found) if opinion is not None}
    agreeing = {name for name, opinion in said.items() if opinion.difference == 0}
    differing = tuple(said[name] for name in sorted(said.keys() - agreeing))
    return Hearing(tuple(sorted(agreeing | own)), differing)


def _own_decoder(dataset: FileDataset) -> frozenset[str]:
    """MIST's own decoder, where it is none of the witnesses: pydicom chooses among plug-ins, all of which are heard."""
    syntax = transfer_syntax(dataset)
    is_plugged = _is_encapsulated(dataset) and decoder_of(dataset, syntax) is None
    return frozenset() if is_plugged else frozenset({"MIST"})


def _is_encapsulated(dataset: FileDataset) -> bool:
    return "PixelData" in dataset and dataset["PixelData"].is_undefined_length


def _dataset(path: Path) -> FileDataset:
    dataset = dcmread(path, force=True)
    if "TransferSyntaxUID" not in getattr(dataset, "file_meta", {}):
        dataset.ensure_file_meta()
        dataset.file_meta.TransferSyntaxUID = transfer_syntax(dataset)
    return dataset


def _witnesses(path: Path, dataset: FileDataset) -> Iterator[tuple[str, Callable[[FileDataset], Pixels]]]:
    """Those who may know the pixels; of several with one name the first that can read them is heard."""
    syntax = transfer_syntax(dataset)
    if dataset.get("BitsAllocated") == 1:
        yield "NumPy", _bits
    else:
        yield "GDCM", partial(_gdcm_pixels, path)
    if not _is_encapsulated(dataset):
        yield "NumPy", _native
    if syntax in _IMAGECODECS:
        yield "imagecodecs", _by_imagecodecs
    if _is_encapsulated(dataset) and decoder_of(dataset, syntax) is None:
        for plugin in get_decoder(syntax).available_plugins:
            yield _NAMES[plugin], partial(pixel_array, decoding_plugin=plugin)


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


def _gdcm_pixels(path: Path, dataset: FileDataset) -> Pixels:
    """The pixels of a whole file as GDCM reads it."""
    command = [sys.executable, "-c", _READ_WITH_GDCM, str(path)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)  # noqa: S603 - our own script
    told, _, data = done.stdout.partition(b"\n")
    photometric, planar = told.decode().split()
    if photometric.startswith("YBR_FULL"):
        raise ValueError(path)  # it leaves the conversion to RGB to others
    pixels = np.frombuffer(data, f"<{_kind(dataset)}{dataset.BitsAllocated // 8}").reshape(_shape(dataset))
    if int(planar) == 1:
        pixels = _interleaved(pixels, dataset)
    return _masked(pixels, dataset)


def _native(dataset: FileDataset) -> Pixels:
    """Uncompressed pixels as NumPy finds them in the bytes."""
    order = ">" if dataset.original_encoding[1] is False else "<"
    for keyword, kind in (("FloatPixelData", "f4"), ("DoubleFloatPixelData", "f8")):
        if keyword in dataset:
            return np.frombuffer(dataset[keyword].value, order + kind).reshape(_shape(dataset))
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        return _from_ybr(_without_subsampling(np.frombuffer(dataset.PixelData, np.uint8), dataset), dataset)
    size, count = dataset.BitsAllocated // 8, int(np.prod(_shape(dataset)))
    data = dataset.PixelData
    if size == 1 and dataset["PixelData"].VR == "OW" and order == ">":
        data = np.frombuffer(data, ">u2").astype("<u2").tobytes()  # bytes within words (PS3.5 8.1.1)
    pixels = np.frombuffer(data, f"{order}{_kind(dataset)}{size}")[:count].reshape(_shape(dataset))
    if dataset.get("PlanarConfiguration") == 1:
        pixels = _interleaved(pixels, dataset)
    return _from_ybr(_masked(pixels, dataset), dataset)


def _without_subsampling(data: npt.NDArray[np.uint8], dataset: FileDataset) -> Pixels:
    """Pairs of pixels Y Y B R as pixels Y B R."""
    pairs = data[: int(np.prod(_shape(dataset))) // 3 * 2].reshape(-1, 4)
    pixels = pairs[:, [0, 2, 3, 1, 2, 3]]
    return pixels.reshape(_shape(dataset))


def _from_ybr(pixels: Pixels, dataset: FileDataset) -> Pixels:
    if not dataset.PhotometricInterpretation.startswith("YBR_FULL"):
        return pixels
    return convert_color_space(pixels, "YBR_FULL", "RGB")


def _bits(dataset: FileDataset) -> Pixels:
    """Single bits as NumPy unpacks them, frame by frame where frames are wrapped."""
    frames, area = int(dataset.get("NumberOfFrames") or 1), dataset.Rows * dataset.Columns
    syntax = transfer_syntax(dataset)
    decode = decoder_of(dataset, syntax)
    if decode is None and _is_encapsulated(dataset):
        raise ValueError(syntax)
    if decode is None:
        data = np.frombuffer(dataset.PixelData, np.uint8)
        if dataset.original_encoding[1] is False and dataset["PixelData"].VR == "OW":
            data = data.view(">u2").astype("<u2").view(np.uint8)
        return np.unpackbits(data, bitorder="little")[: frames * area].reshape(_shape(dataset))
    packed = [
        _unpacked(frame, syntax, (area + 7) // 8)
        for frame in generate_frames(dataset.PixelData, number_of_frames=frames)
    ]
    bits = [np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[:area] for data in packed]
    return np.stack(bits).reshape(_shape(dataset))


def _unpacked(frame: bytes, syntax: UID, size: int) -> bytes:
    """A frame of bits, unpacked by other means than MIST's."""
    if syntax == DEFLATED_FRAMES:
        return bytes(imagecodecs.deflate_decode(frame, raw=True, out=size))
    unpacked, place = bytearray(), 64  # PackBits, PS3.5 G.3
    while place < len(frame) - 1:
        count, place = frame[place], place + 1
        if count < 128:
            unpacked += frame[place : place + count + 1]
            place += count + 1
        elif count > 128:
            unpacked += frame[place : place + 1] * (257 - count)
            place += 1
    return bytes(unpacked)


def _by_imagecodecs(dataset: FileDataset) -> Pixels:
    with _plugged_in(transfer_syntax(dataset)):
        return pixel_array(dataset, decoding_plugin="imagecodecs")


@contextmanager
def _plugged_in(syntax: UID) -> Iterator[None]:
    """Make imagecodecs a plug-in of pydicom."""
    decoder = get_decoder(syntax)
    decoder.add_plugin("imagecodecs", (__name__, "decode_frame"))
    try:
        yield
    finally:
        decoder.remove_plugin("imagecodecs")


DECODER_DEPENDENCIES = dict.fromkeys(_IMAGECODECS, ("imagecodecs",))
"""What pydicom asks of a plug-in."""


def is_available(uid: str) -> bool:
    """Whether this plug-in of pydicom decodes the transfer syntax `uid`."""
    return uid in _IMAGECODECS


def decode_frame(frame: bytes, runner: DecodeRunner) -> bytes:
    """One frame, for pydicom."""
    pixels = _IMAGECODECS[UID(runner.transfer_syntax)](frame)
    runner.set_option("planar_configuration", 0)
    return pixels.astype(f"{pixels.dtype.kind}{runner.bits_allocated // 8}").tobytes()


def _kind(dataset: FileDataset) -> str:
    return "i" if dataset.get("PixelRepresentation") == 1 else "u"


def _shape(dataset: FileDataset) -> tuple[int, ...]:
    frames = int(dataset.get("NumberOfFrames") or 1)
    lead = (frames,) if frames > 1 else ()
    colours = (dataset.SamplesPerPixel,) if dataset.SamplesPerPixel > 1 else ()
    return (*lead, dataset.Rows, dataset.Columns, *colours)


def _interleaved(pixels: Pixels, dataset: FileDataset) -> Pixels:
    """Planes of colours as pixels of colours."""
    planes = pixels.reshape(-1, dataset.SamplesPerPixel, dataset.Rows, dataset.Columns)
    return np.moveaxis(planes, 1, -1).reshape(_shape(dataset))


def _masked(pixels: Pixels, dataset: FileDataset) -> Pixels:
    """`pixels` without the bits that are not stored, with their sign."""
    unused = dataset.BitsAllocated - dataset.BitsStored
    return np.asarray((pixels << unused) >> unused)
