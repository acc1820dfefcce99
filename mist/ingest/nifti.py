"""NIfTI files into volumes.

The rule: voxels are those stored in the file, before scl_slope and scl_inter, which go to `Rescale`. The file's axes
(i, j, k, t) become (t, z, y, x); a file with RGB voxels gets a colour axis. Knows nothing of scan ids.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.arrayproxy import ArrayProxy

from mist.errors import SourceRefused
from mist.geometry import Geometry, Space, geometry_from_nifti, geometry_of_indices
from mist.ingest.refusal import cause
from mist.ingest.sample_type import to_voxels
from mist.ingest.source import DecodedSource
from mist.scan import Display
from mist.volume import Rescale, Volume, Voxels
from mist_storage.workspace import MEMORY, Workspace

_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
"""Length of the units that a header may name; where it names none, all tools take millimetres."""

_LAST_CODE = 5
"""The greatest code of an sform or a qform: a template (nifti1.h, NIFTI_XFORM_TEMPLATE_OTHER)."""

_GZIP_MARK = b"\x1f\x8b"

_AXES = ("x", "yx", "zyx", "tzyx")
"""The axes of a file with one to four dimensions."""

_MOST_INFLATION = 1032
"""How many times larger than itself what a deflated file holds may be (RFC 1951: 258 bytes from 2 bits)."""

_PIECE_BYTES = 1 << 20
"""Bytes that are read at a time."""

Image = nib.Nifti1Image | nib.Nifti2Image


def read_nifti(path: Path, workspace: Workspace = MEMORY) -> DecodedSource:
    """The volume in the file at `path`, for which `workspace` makes room.

    Raises
    ------
    SourceRefused
        More than four dimensions, voxels of a type that cannot be stored, or fewer than the header says; compressed
        data that are damaged.
    """
    with _opened(path) as stream:
        said = header_of(stream)  # as in the file: reading an image puts right what it takes to be wrong
        _require_clear_place(said)
        stream.seek(0)
        image = _image(stream)
        proxy = image.dataobj
        if not isinstance(proxy, ArrayProxy):
            raise SourceRefused(f"its voxels come as {type(proxy).__name__}, not as stored")
        most = path.stat().st_size * (_MOST_INFLATION if isinstance(stream, gzip.GzipFile) else 1)
        voxels, axes = _oriented(_stored(proxy, stream, most, workspace))
    rescale = Rescale(float(proxy.slope), float(proxy.inter))
    return DecodedSource(Volume(voxels, axes, _geometry(image, said["pixdim"][1:4]), rescale), _display(image))


@contextmanager
def _opened(path: Path) -> Iterator[gzip.GzipFile | io.BufferedReader]:
    """The file at `path`, unpacked where it is compressed: then to its end, where the checksum of all of it stands."""
    with path.open("rb") as file:
        is_zipped = file.read(len(_GZIP_MARK)) == _GZIP_MARK
        file.seek(0)
        if not is_zipped:
            yield file
            return
        try:
            with gzip.open(file) as stream:
                yield stream
                while stream.read(_PIECE_BYTES):
                    pass
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SourceRefused(f"it is compressed by gzip and damaged ({error}); fetch it again") from error


def header_of(stream: gzip.GzipFile | io.BufferedReader) -> nib.Nifti1Header:
    """The header of a file, which stands at its start."""
    header: nib.Nifti1Header = _image_type(stream).header_class.from_fileobj(stream, check=False)
    return header


def _image(stream: gzip.GzipFile | io.BufferedReader) -> Image:
    """The image in a file, of which the header is read."""
    try:
        return _image_type(stream).from_stream(stream)
    except (nib.spatialimages.HeaderDataError, ValueError, KeyError) as error:
        raise SourceRefused(
            f"its header breaks the NIfTI standard ({cause(error)}); correct it, or write the file anew"
        ) from error


def _image_type(stream: gzip.GzipFile | io.BufferedReader) -> type[Image]:
    """NIfTI-1 or NIfTI-2, by the mark at byte 4; the stream is left at its start."""
    head = stream.read(8)
    stream.seek(0)
    return nib.Nifti2Image if head[4:7] == b"n+2" else nib.Nifti1Image


def _stored(
    proxy: ArrayProxy, stream: gzip.GzipFile | io.BufferedReader, most_bytes: int, workspace: Workspace
) -> npt.NDArray[Any]:
    """The voxels as they are in the file, (i, j, k, ...), which cannot have more than `most_bytes`."""
    count = math.prod(proxy.shape)
    if count * proxy.dtype.itemsize > most_bytes:
        raise SourceRefused(f"the header says {count} voxels, and the file is too short for them; fetch it again")
    voxels = workspace.room((count,), proxy.dtype)
    stream.seek(int(proxy.offset))
    left = voxels.view(np.uint8).data
    while left:
        taken = stream.readinto(left[:_PIECE_BYTES])
        if not taken:
            raise SourceRefused(f"{len(left)} bytes of its voxels are missing; fetch the file again")
        left = left[taken:]
    return voxels.reshape(proxy.shape, order="F")


def _oriented(stored: npt.NDArray[Any]) -> tuple[Voxels, str]:
    """Stored voxels (i, j, k, t) as (t, z, y, x) with a colour axis where they are structures, and their axes."""
    names = stored.dtype.names
    colour = "c" if names else ""
    while stored.ndim > len(_AXES) and stored.shape[-1] == 1:
        stored = stored[..., 0]
    if not 1 <= stored.ndim <= len(_AXES):
        raise SourceRefused(f"NIfTI of shape {stored.shape} has more dimensions than x, y, z and time")
    turned = stored.T  # (t, z, y, x)
    if names:
        turned = np.stack([turned[name] for name in names], axis=-1)
    return to_voxels(turned), _AXES[stored.ndim - 1] + colour


def _require_clear_place(header: nib.Nifti1Header) -> None:
    """Refuse a header that nibabel would put right in silence, other programs in another way or not at all.

    What does not touch the place that is taken is no matter: pixdim beside an sform, a qform's code beside it.
    """
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    for name, code in (("sform_code", sform), ("qform_code", qform if sform <= 0 else 0)):
        if code > _LAST_CODE:
            raise SourceRefused(f"its {name} is {code}, and 0 to {_LAST_CODE} are possible; correct the header")
    qfac, *sizes = (float(value) for value in header["pixdim"][:4])
    if sform <= 0 and min(sizes) < 0:
        said = ", ".join(f"{size:g}" for size in sizes)
        raise SourceRefused(f"its pixdim is {said}, and a size is never negative; correct the header")
    if sform <= 0 < qform and not (qfac >= 0 or qfac == -1):  # what is not negative all programs take for 1
        raise SourceRefused(f"its pixdim[0] is {qfac:g}, and for a qform it must be 1 or -1; correct the header")


def _geometry(image: Image, sizes: npt.NDArray[np.floating[Any]]) -> Geometry:
    """Where voxels of those `sizes` lie; only a coded transform says anything of a patient (NIfTI-1, methods 2 and 3).

    Where both are coded the sform is taken, as nibabel does. nibabel takes a size of 0 for 1: here it is unknown.
    """
    header = image.header
    has_sform, has_qform = int(header["sform_code"]) > 0, int(header["qform_code"]) > 0
    is_sized = all(size != 0 or count <= 1 for size, count in zip(sizes, image.shape, strict=False))
    if not has_sform and not is_sized:
        if has_qform:
            said = ", ".join(f"{size:g}" for size in sizes)
            raise SourceRefused(f"its qform needs the size of a voxel, and pixdim is {said}; correct the header")
        return geometry_of_indices()
    unit = _MILLIMETRES.get(_unit(header))
    if unit is None:
        code = int(header["xyzt_units"]) % 8
        raise SourceRefused(f"its unit of length has the code {code}; 0 to 3 are possible: correct xyzt_units")
    affine = np.diag([*[unit] * 3, 1.0]) @ image.affine
    return geometry_from_nifti(affine, Space.PATIENT if has_sform or has_qform else Space.LOCAL)


def _unit(header: nib.Nifti1Header) -> str:
    try:
        return str(header.get_xyzt_units()[0])
    except KeyError:
        return ""


def _display(image: Image) -> Display:
    low, high = float(image.header["cal_min"]), float(image.header["cal_max"])
    if not np.isfinite((low, high)).all() or high <= low:
        return Display()
    return Display(window_center=(low + high) / 2, window_width=high - low)
