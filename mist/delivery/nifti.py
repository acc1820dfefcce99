"""A volume as a NIfTI-1 file (`.nii.gz`), without a library for it.

The rule: samples are written as they are, with the affine in the sform and the rescale in scl_slope and scl_inter, both
as float32, which is all that the format has. The same volume gives the same bytes. Field names are those of nifti1.h
(https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from mist.delivery.piece import Piece
from mist.errors import InvalidRequest
from mist.geometry import Geometry, Space, nifti_affine
from mist.volume import Rescale, Volume, plane_counts, spatial_shape

LARGEST_LENGTH = 32_767
"""Voxels along an axis: `dim` holds int16."""

GZIP_LEVEL = 1
"""Four times as fast as zlib's 6, for a few per cent more bytes."""

_MILLIMETRES = 2
_VECTOR_INTENT = 1007

_DATATYPES = {
    "uint8": 2,
    "int16": 4,
    "int32": 8,
    "float32": 16,
    "float64": 64,
    "int8": 256,
    "uint16": 512,
    "uint32": 768,
}

_COLOURS = {3: 128, 4: 2304}
"""RGB24 and RGBA32: one voxel holds all channels of uint8."""

_SFORM_CODES = {Space.PATIENT: 1, Space.LOCAL: 2, Space.INDEX: 2}
"""NIFTI_XFORM_SCANNER_ANAT; NIFTI_XFORM_ALIGNED_ANAT, the weakest code with which readers use the sform at all."""

_HEADER = np.dtype(
    [
        ("sizeof_hdr", "<i4"),
        ("unused_of_analyze", "V28"),
        ("extents", "<i4"),
        ("session_error", "<i2"),
        ("regular", "S1"),
        ("dim_info", "u1"),
        ("dim", "<i2", 8),
        ("intent_p", "<f4", 3),
        ("intent_code", "<i2"),
        ("datatype", "<i2"),
        ("bitpix", "<i2"),
        ("slice_start", "<i2"),
        ("pixdim", "<f4", 8),
        ("vox_offset", "<f4"),
        ("scl_slope", "<f4"),
        ("scl_inter", "<f4"),
        ("slice_end", "<i2"),
        ("slice_code", "u1"),
        ("xyzt_units", "u1"),
        ("cal_max_min", "<f4", 2),
        ("slice_duration", "<f4"),
        ("toffset", "<f4"),
        ("gl_max_min", "<i4", 2),
        ("descrip", "S80"),
        ("aux_file", "S24"),
        ("qform_code", "<i2"),
        ("sform_code", "<i2"),
        ("quatern_and_offset", "<f4", 6),
        ("srow", "<f4", (3, 4)),
        ("intent_name", "S16"),
        ("magic", "S4"),
        ("extension", "V4"),
    ]
)
"""The 352 bytes before the voxels. What is not set is 0, which means that nothing is said."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How voxels lie in the file: `dim[1:]`, the sample code, bits a voxel, and what the last axis means."""

    lengths: tuple[int, ...]
    datatype: int
    bits: int
    intent: int


def check_nifti(axes: str, shape: tuple[int, ...], rescale: Rescale, geometry: Geometry) -> None:
    """Refuse, before anything is read, what a NIfTI-1 file cannot hold.

    Raises
    ------
    InvalidRequest
        An axis is too long, or the rescale or the affine is beyond float32.
    """
    longest = max((*spatial_shape(axes, shape), *plane_counts(axes, shape)))
    if longest > LARGEST_LENGTH:
        raise InvalidRequest(f"nii.gz holds at most {LARGEST_LENGTH} voxels along an axis, not {longest}; ask for npy")
    numbers = np.array([rescale.slope, rescale.intercept, *nifti_affine(geometry).flat])
    if np.abs(numbers).max() > np.finfo(np.float32).max or np.float32(rescale.slope) == 0:
        raise InvalidRequest(
            "nii.gz holds numbers as float32, which this scan's rescale or affine exceeds; ask for npy"
        )


def nifti_header(volume: Volume) -> bytes:
    """The 352 bytes before the voxels."""
    layout, geometry, rescale = _layout(volume), volume.geometry, volume.rescale
    header = np.zeros((), _HEADER)
    header["sizeof_hdr"], header["magic"], header["regular"] = 348, b"n+1", b"r"
    header["vox_offset"] = _HEADER.itemsize
    header["dim"] = (len(layout.lengths), *layout.lengths, *(1,) * (7 - len(layout.lengths)))
    header["intent_code"], header["datatype"], header["bitpix"] = layout.intent, layout.datatype, layout.bits
    header["pixdim"] = (1, *reversed(geometry.spacing), 1, 1, 1, 1)  # (qfac, x, y, z, ...)
    header["xyzt_units"] = _MILLIMETRES if geometry.in_millimetres else 0
    header["scl_slope"], header["scl_inter"] = rescale.slope, rescale.intercept
    header["sform_code"], header["srow"] = _SFORM_CODES[geometry.space], nifti_affine(geometry)[:3]
    header["descrip"] = f"MIST; space={geometry.space.value}; unit={rescale.unit}".encode("ascii", "replace")[:79]
    return header.tobytes()


def nifti_gz(volume: Volume) -> list[Piece]:
    """The `.nii.gz` file of `volume`, in parts."""
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)  # 31: a gzip header, with time 0 and no name
    parts = (nifti_header(volume), _voxel_bytes(volume))
    return [*(compressor.compress(part) for part in parts), compressor.flush()]


def _layout(volume: Volume) -> _Layout:
    z, y, x = volume.spatial_shape
    frames, channels = plane_counts(volume.axes, volume.voxels.shape)
    bits = volume.voxels.dtype.itemsize * 8
    if _is_colour(volume, channels):
        return _Layout(_trimmed(x, y, z, frames), _COLOURS[channels], 8 * channels, 0)
    datatype = _DATATYPES[volume.voxels.dtype.name]
    if "c" in volume.axes:  # dim[5] holds vectors
        return _Layout((x, y, z, frames, channels), datatype, bits, _VECTOR_INTENT)
    return _Layout(_trimmed(x, y, z, frames), datatype, bits, 0)


def _trimmed(x: int, y: int, z: int, frames: int) -> tuple[int, ...]:
    return (x, y, z) if frames == 1 else (x, y, z, frames)


def _is_colour(volume: Volume, channels: int) -> bool:
    return "c" in volume.axes and volume.voxels.dtype == np.uint8 and channels in _COLOURS


def _voxel_bytes(volume: Volume) -> memoryview:
    """The voxels in the file's order, x fastest: C order of (c, t, z, y, x), or of (t, z, y, x, c) for colours."""
    voxels = volume.voxels
    if "c" in volume.axes and not _is_colour(volume, voxels.shape[-1]):
        voxels = np.moveaxis(voxels, -1, 0)
    little = np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("<"))
    return memoryview(little.reshape(-1).view(np.uint8).data)
