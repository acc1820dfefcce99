"""NumPy `.npy` files into volumes.

The rule: two axes are (y, x), three are (z, y, x); nothing is known of where the voxels lie. Pickled objects, which
could run code, are never loaded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mist.errors import SourceRefused
from mist.geometry import geometry_of_indices
from mist.ingest.sample_type import to_voxels
from mist.ingest.source import DecodedSource
from mist.volume import Volume
from mist_storage.workspace import MEMORY, Workspace


def read_array(path: Path, workspace: Workspace = MEMORY) -> DecodedSource:
    """The volume in the file at `path`, for which `workspace` makes room.

    Raises
    ------
    SourceRefused
        The array has not two or three axes, or samples of a type that cannot be stored.
    """
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    if mapped.ndim not in (2, 3):
        raise SourceRefused(f"an array of shape {mapped.shape}; two axes (y, x) or three (z, y, x) are taken")
    array = workspace.room(mapped.shape, mapped.dtype.newbyteorder("="))
    array[...] = mapped
    return DecodedSource(Volume(to_voxels(array), "zyx"[3 - array.ndim :], geometry_of_indices()))
