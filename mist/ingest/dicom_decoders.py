"""Encoded frames that pydicom leaves out: 12-bit and progressive JPEG, frames that are only wrapped or packed.

The rule: a frame is decoded as its own stream says, and refused where that contradicts the object. What pydicom decodes
itself is none of this module's business.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGExtended12Bit, RLELossless

from mist.errors import SourceRefused

DEFLATED_FRAMES = UID("1.2.840.10008.1.2.8.1")
"""Deflated Image Frame Compression (PS3.5 A.4.12), which pydicom's dictionary does not know yet."""

ENCAPSULATED_UNCOMPRESSED = UID("1.2.840.10008.1.2.1.98")
"""Frames wrapped as if they were compressed (PS3.5 A.4.11)."""

_PROGRESSIVE_JPEG = (UID("1.2.840.10008.1.2.4.53"), UID("1.2.840.10008.1.2.4.55"))
"""Spectral selection and full progression, retired, 8 or 12 bits (PS3.5-2004 A.4.1)."""

_START_OF_FRAME = (0xC0, 0xC1, 0xC2)
"""Markers of baseline, extended and progressive Huffman JPEG (ITU-T T.81, table B.1)."""

_RLE_HEADER = struct.Struct("<16L")
"""How many segments a frame of RLE has, and where each begins (PS3.5 G.5)."""

Frame = npt.NDArray[Any]


def decoder_of(dataset: FileDataset, syntax: UID) -> Callable[[FileDataset, bytes], Frame] | None:
    """What decodes one frame of `dataset`, or None where pydicom does it itself."""
    if syntax in _PROGRESSIVE_JPEG or (syntax == JPEGExtended12Bit and dataset.get("BitsStored", 0) > 8):
        return _decode_jpeg
    if syntax == RLELossless and dataset.get("BitsAllocated") == 1:
        return _decode_packed_bits
    return {DEFLATED_FRAMES: _decode_deflated, ENCAPSULATED_UNCOMPRESSED: _decode_native}.get(syntax)


def decode_frames(dataset: FileDataset, decode: Callable[[FileDataset, bytes], Frame], frames: int) -> Frame:
    """All `frames` of `dataset`, of shape ([frames,] rows, columns[, colours]), each decoded by `decode`.

    Raises
    ------
    SourceRefused
        There are more or fewer frames than the header says, or one is not what the header says.
    """
    encoded = list(generate_frames(dataset.PixelData, number_of_frames=frames))
    if len(encoded) != frames:
        raise SourceRefused(f"the header says {frames} frames, and there are {len(encoded)}")
    decoded = [decode(dataset, frame) for frame in encoded]
    return decoded[0] if frames == 1 else np.stack(decoded)


def _decode_jpeg(dataset: FileDataset, frame: bytes) -> Frame:
    """A grey frame of 8 or 12 bits, as libjpeg-turbo decodes it."""
    if dataset.get("SamplesPerPixel") != 1 or dataset.get("PixelRepresentation") != 0:
        raise SourceRefused(
            "progressive and 12-bit JPEG is taken for unsigned grey images only; convert it to an uncompressed file"
        )
    precision = jpeg_precision(frame)
    if precision < dataset.BitsStored or (precision > 8) != (dataset.BitsAllocated == 16):
        raise SourceRefused(
            f"its JPEG stream has {precision} bits a sample, and the header says "
            f"{dataset.BitsStored} of {dataset.BitsAllocated}; convert it to an uncompressed file with its own software"
        )
    return np.asarray(imagecodecs.jpeg_decode(frame))


def jpeg_precision(frame: bytes) -> int:
    """Bits a sample of a Huffman-coded JPEG stream that is not lossless.

    Raises
    ------
    SourceRefused
        There is no such stream.
    """
    place = 2
    while place + 5 <= len(frame) and frame[place] == 0xFF:
        if frame[place + 1] in _START_OF_FRAME:
            return frame[place + 4]
        if frame[place + 1] == 0xFF:
            place += 1  # fill byte
        else:
            place += 2 + int.from_bytes(frame[place + 2 : place + 4], "big")
    raise SourceRefused("its JPEG stream has no frame header, or is lossless where the transfer syntax says lossy")


def _decode_deflated(dataset: FileDataset, frame: bytes) -> Frame:
    """A frame that was compressed by raw deflate; more than a frame of it is never unpacked."""
    return _decode_native(dataset, zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(frame, frame_bytes(dataset)))


def _decode_packed_bits(dataset: FileDataset, frame: bytes) -> Frame:
    """A frame of single bits, which are packed eight to a byte in one segment (PS3.5 8.2.2)."""
    count, place = _RLE_HEADER.unpack_from(frame)[:2]
    if count != 1 or not _RLE_HEADER.size <= place <= len(frame):
        raise SourceRefused(f"a frame of single bits has one RLE segment, not {count}, or it begins at {place}")
    return _decode_native(dataset, bytes(imagecodecs.packbits_decode(frame[place:])))


def _decode_native(dataset: FileDataset, frame: bytes) -> Frame:
    """A frame that is not compressed, or not any more."""
    needed = frame_bytes(dataset)
    if len(frame) < needed:
        raise SourceRefused(f"a frame holds {len(frame)} bytes instead of {needed}; the file is damaged")
    options: dict[str, Any] = {
        "rows": dataset.Rows,
        "columns": dataset.Columns,
        "number_of_frames": 1,
        "samples_per_pixel": dataset.SamplesPerPixel,
        "photometric_interpretation": dataset.PhotometricInterpretation,
        "bits_allocated": dataset.BitsAllocated,
        "bits_stored": dataset.BitsStored,
        "pixel_representation": dataset.PixelRepresentation,
        "pixel_keyword": "PixelData",
    }
    if dataset.SamplesPerPixel > 1:
        options["planar_configuration"] = dataset.PlanarConfiguration
    return get_decoder(ExplicitVRLittleEndian).as_array(bytes(frame[: needed + needed % 2]), **options)[0]


def frame_bytes(dataset: FileDataset) -> int:
    """Size of one frame of `dataset` when it is not compressed, single bits packed."""
    samples = int(dataset.Rows) * int(dataset.Columns) * int(dataset.SamplesPerPixel)
    return (samples * int(dataset.BitsAllocated) + 7) // 8
