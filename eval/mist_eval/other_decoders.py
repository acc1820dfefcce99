"""Decoders of DICOM pixels other than MIST's own: GDCM, the plug-ins of pydicom, imagecodecs, plain NumPy.

The rule: GDCM reads files by itself, header and all; the others are given frames. A decoder that cannot read a file
raises whatever it likes. This module is itself a plug-in of pydicom, by the names that pydicom asks for.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.pixels.processing import convert_color_space
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    HTJ2K,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from mist.ingest.dicom_dataset import transfer_syntax
from mist.ingest.dicom_decoders import DEFLATED_FRAMES, decoder_of

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


def witnesses(path: Path, dataset: FileDataset) -> Iterator[tuple[str, Callable[[FileDataset], Pixels]]]:
    """Those who may know the pixels; of several with one name the first that can read them is heard."""
    syntax = transfer_syntax(dataset)
    if dataset.get("BitsAllocated") == 1:
        yield "NumPy", _bits
    else:
        yield "GDCM", partial(_gdcm_pixels, path)
    if not is_encapsulated(dataset):
        yield "NumPy", _native
    if syntax in _IMAGECODECS:
        yield "imagecodecs", _by_imagecodecs
    if is_encapsulated(dataset) and decoder_of(dataset, syntax) is None:
        for plugin in get_decoder(syntax).available_plugins:
            yield _NAMES[plugin], partial(pixel_array, decoding_plugin=plugin)


def is_encapsulated(dataset: FileDataset) -> bool:
    """Whether pixels lie in fragments, encoded, rather than plain (PS3.5 A.4)."""
    return "PixelData" in dataset and dataset["PixelData"].is_undefined_length


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
    if decode is None and is_encapsulated(dataset):
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
