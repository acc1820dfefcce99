"""Images to ingest, with labels: two pictures, a volume and its mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image

SPACING = (2.0, 1.0, 0.5)


def voxels_of(seed: int, *shape: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    smooth = np.add.outer(np.add.outer(np.arange(shape[0]) * 30, np.arange(shape[1]) * 9), np.arange(shape[2]) * 4)
    return (smooth + np.random.default_rng(seed).integers(0, 20, shape)).astype(np.int16)


def write_sources(folder: Path) -> Path:
    """Two labelled pictures, a volume with a mask, and a table."""
    folder.mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 200, (60, 72), np.uint8)
        Image.fromarray(pixels).save(folder / f"xr{number}.png")
    affine = np.diag([*reversed(SPACING), 1.0])
    volume = voxels_of(3, 12, 48, 64)
    nib.Nifti1Image(volume.T, affine).to_filename(folder / "mr.nii.gz")
    nib.Nifti1Image((volume.T > 500).astype(np.uint8), affine).to_filename(folder / "mr-mask.nii.gz")
    table = "file,outline,age,score\nxr0.png,,50,0.5\nxr1.png,,61,NaN\nmr.nii.gz,mr-mask.nii.gz,70,\n"
    (folder / "labels.csv").write_text(table)
    return folder
