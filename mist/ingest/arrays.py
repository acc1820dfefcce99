"""NumPy `.npy` files into volumes.

The rule: two axes are (y, x), three are (z, y, x); nothing is known of where the voxels lie. Pickled objects, which
could run code, are never loaded.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mist.errors import SourceRefused
from mist.geometry import geometry_of_indices
from mist.ingest.sample_type import to_voxels
from mist.ingest.source import DecodedSource
from mist.volume import Volume
from mist_storage.workspace import MEMORY, Workspace

_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""By version of the format; the third is for records whose names are beyond Latin letters."""


def read_array(path: Path, workspace: Workspace = MEMORY) -> DecodedSource:
    """The volume in the file at `path`, for which `workspace` makes room.

    Raises
    ------
    SourceRefused
        The array has not two or three axes, no samples, samples of a type that cannot be stored, or fewer than it says.
    """
    with path.open("rb") as stream:
        require_samples(stream)
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    array = workspace.room(mapped.shape, mapped.dtype.newbyteorder("="))
    array[...] = mapped
    return DecodedSource(Volume(to_voxels(array), "zyx"[3 - array.ndim :], geometry_of_indices()))


def require_samples(stream: BinaryIO) -> None:
    """Refuse a file whose header does not say that it has the samples of an image or a volume, and has all of them.

    What is said of it quotes no text, so that it may be told of a file that still identifies somebody.

    Raises
    ------
    SourceRefused
        See `read_array`.
    """
    shape, dtype = _header(stream)
    if dtype.hasobject:
        raise SourceRefused(
            "an array of Python objects, which are never loaded since they could run code; save it as an array of "
            "numbers, such as array.astype('float32')"
        )
    if dtype.names is not None:
        raise SourceRefused(f"an array of records of {len(dtype.names)} fields; save each of the fields as an array")
    if len(shape) not in (2, 3):
        raise SourceRefused(
            f"an array of shape {shape}; two axes (y, x) or three (z, y, x) are taken: reshape it, or save each volume "
            "as a file"
        )
    if 0 in shape:
        raise SourceRefused(f"an array of shape {shape} has no samples; leave it out")
    needed, there = stream.tell() + math.prod(shape) * dtype.itemsize, stream.seek(0, os.SEEK_END)
    if there < needed:
        raise SourceRefused(f"{needed - there} bytes of its samples are missing; fetch the file again")


def _header(stream: BinaryIO) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type of the array in a file, which is left at its first sample."""
    try:
        version = np.lib.format.read_magic(stream)
        if version in _HEADER_READERS:
            shape, _, dtype = _HEADER_READERS[version](stream)
            return shape, dtype
    except Exception as error:  # it is a piece of Python: its parser raises what it likes, and quotes it
        raise SourceRefused(f"its header cannot be read ({type(error).__name__}); write the file anew") from error
    raise SourceRefused(f"it is of version {version[0]}.{version[1]} of the format; save it in version 1.0 or 2.0")
