"""Other ways to keep an image without loss, with the settings that suit each best.

The rule: a rival is never handicapped. HTJ2K gets signed samples around 0, which it codes better, five levels or as
many as fit, and one tile-part a resolution, so that a prefix of its codestream is a resolution. All codecs come with
`imagecodecs`; each takes one plane at a time, which is how they are used in medicine.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from dataclasses import dataclass

import imagecodecs
import numpy as np
import numpy.typing as npt
from numcodecs.blosc import BITSHUFFLE, compress

Plane = npt.NDArray[np.signedinteger]
"""int32 or int64 samples (y, x)."""

MOST_BITS = 16
"""Rivals take samples of at most 16 bits; scans with more are not compared."""

_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Rival:
    """One way to keep a plane without loss."""

    name: str
    settings: str
    """As a reader of the figures must know them."""
    encode: Callable[[Plane], bytes]
    """The bytes of a plane; samples span at most 16 bits."""


def fits(samples: npt.NDArray[np.signedinteger]) -> bool:
    """Whether rivals can take samples of this range."""
    return int(samples.max()) - int(samples.min()) < 1 << MOST_BITS


def signed(plane: Plane) -> npt.NDArray[np.signedinteger]:
    """`plane` around 0, in 8 or 16 bits."""
    low, high = int(plane.min()), int(plane.max())
    dtype = np.int8 if high - low < 256 else np.int16
    return (plane - (low + high + 1) // 2).astype(dtype)


def unsigned(plane: Plane) -> npt.NDArray[np.unsignedinteger]:
    """`plane` from 0 up, in 8 or 16 bits."""
    low, high = int(plane.min()), int(plane.max())
    return (plane - low).astype(np.uint8 if high - low < 256 else np.uint16)


def htj2k_levels(plane: Plane) -> int:
    """Five halvings, or as many as leave 8 samples along the shorter side."""
    return max(0, min(5, int(np.log2(min(plane.shape) / 8)) if min(plane.shape) >= 8 else 0))


def encode_htj2k(plane: Plane) -> bytes:
    """An HTJ2K codestream with one tile-part a resolution."""
    return bytes(
        imagecodecs.htj2k_encode(signed(plane), reversible=True, resolutions=htj2k_levels(plane), tlm=True, tilepart=1)
    )


def htj2k_prefixes(codestream: bytes) -> list[int]:
    """Where each resolution's prefix of an HTJ2K codestream ends, full resolution first, without the last marker."""
    ends, at = [], 2
    while at + 12 <= len(codestream):
        marker, length = struct.unpack(">HH", codestream[at : at + 4])
        if marker == _START_OF_TILE_PART:
            at += struct.unpack(">I", codestream[at + 6 : at + 10])[0]
            ends.append(at)
        else:
            at += 2 + length
    return ends[::-1]


_START_OF_TILE_PART = 0xFF90

HTJ2K = Rival("HTJ2K (OpenJPH)", "reversible 5/3, up to 5 levels, one tile-part a resolution, signed", encode_htj2k)

RIVALS = (
    HTJ2K,
    Rival(
        "JPEG 2000 (OpenJPEG)",
        "reversible 5/3, 5 levels",
        lambda plane: bytes(
            imagecodecs.jpeg2k_encode(
                signed(plane), level=0, codecformat="j2k", reversible=True, resolutions=htj2k_levels(plane) + 1
            )
        ),
    ),
    Rival("JPEG-LS (CharLS)", "lossless", lambda plane: bytes(imagecodecs.jpegls_encode(unsigned(plane)))),
    Rival(
        "JPEG XL (libjxl)",
        "lossless, effort 7",
        lambda plane: bytes(imagecodecs.jpegxl_encode(unsigned(plane), lossless=True, effort=7)),
    ),
    Rival("PNG", "level 9", lambda plane: bytes(imagecodecs.png_encode(unsigned(plane), level=9))),
)
"""Rivals that keep one plane each."""


def nifti_gz_bytes(volume: npt.NDArray[np.signedinteger]) -> int:
    """Bytes of samples of at most 16 bits as .nii.gz: header and samples, gzip level 6."""
    low, high = int(volume.min()), int(volume.max())
    dtype = np.uint8 if low >= 0 and high < 256 else np.int16 if low >= -(2**15) and high < 2**15 else np.uint16
    return len(gzip.compress(bytes(352) + volume.astype(dtype).tobytes(), compresslevel=6))


def pyramid_bytes(volume: npt.NDArray[np.signedinteger]) -> list[int]:
    """Bytes of each level, full first, of an OME-Zarr style pyramid of `volume` (z, y, x).

    Levels are means of 2 x 2 in-plane, as OME-NGFF writers make them; each has chunks of 64 samples along every axis
    (all of z where it is one slice, 256 x 256 then), Blosc with bit shuffle and Zstandard, level 5.
    """
    sizes, level = [], unsigned_volume(volume)
    while True:
        sizes.append(
            sum(len(compress(np.ascontiguousarray(chunk), b"zstd", 5, BITSHUFFLE, 0)) for chunk in _chunks(level))
        )
        if max(level.shape[1:]) <= _CHUNK:
            return sizes
        level = _halved(level)


def unsigned_volume(volume: npt.NDArray[np.signedinteger]) -> npt.NDArray[np.unsignedinteger]:
    """`volume` (z, y, x) from 0 up, in 8 or 16 bits."""
    return unsigned(volume.reshape(-1, volume.shape[-1])).reshape(volume.shape)


def _chunks(level: npt.NDArray[np.unsignedinteger]) -> list[npt.NDArray[np.unsignedinteger]]:
    step = _CHUNK if level.shape[0] > 1 else 4 * _CHUNK
    depth, height, width = level.shape
    return [
        level[z : z + _CHUNK, y : y + step, x : x + step]
        for z in range(0, depth, _CHUNK)
        for y in range(0, height, step)
        for x in range(0, width, step)
    ]


def _halved(level: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.unsignedinteger]:
    even = np.pad(level, ((0, 0), (0, level.shape[1] % 2), (0, level.shape[2] % 2)), mode="edge")
    blocks = even.reshape(even.shape[0], even.shape[1] // 2, 2, even.shape[2] // 2, 2)
    means: npt.NDArray[np.unsignedinteger] = np.rint(blocks.mean(axis=(2, 4))).astype(level.dtype)
    return means
