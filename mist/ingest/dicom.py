"""DICOM files into volumes.

The rule: slices and frames become a volume where their positions make an even stack; frames without positions become a
cine loop; everything else is a flat image. Knows how the parts come together, and none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np
from pydicom import Dataset

from mist.errors import SourceRefused
from mist.geometry import Geometry
from mist.ingest.dicom_dataset import read_dataset, text
from mist.ingest.dicom_geometry import cine_geometry, frame_stack, image_geometry, pixel_spacing_mm, stack_geometry
from mist.ingest.dicom_header import DicomHeader, header_of
from mist.ingest.dicom_pixels import PIXEL_KEYWORDS, decode_pixels
from mist.ingest.dicom_series import stack_headers
from mist.ingest.dicom_values import display_of, rescale_of
from mist.ingest.refusal import refusing
from mist.ingest.source import DecodedSource
from mist.volume import Volume, Voxels


def read_dicom(paths: Sequence[Path]) -> DecodedSource:
    """The volume in one DICOM file, or in the files of a stack of slices.

    Raises
    ------
    SourceRefused
        Files hold no pixels, cannot be decoded, or make no stack.
    """
    return _read_object(paths[0]) if len(paths) == 1 else _read_stack(paths)


def _read_stack(paths: Sequence[Path]) -> DecodedSource:
    """The volume in several files, one slice each."""
    slices = []
    for path in paths:
        with refusing(path.name):
            slices.append(_read_file(path))
    stack, spacing_mm = stack_headers([header for _, header, _ in slices])
    dataset = slices[stack.order[0]][0]
    voxels = np.stack([slices[place][2] for place in stack.order])
    axes = "zyxc" if voxels.ndim == 4 else "zyx"
    return _described(
        Volume(voxels, axes, stack_geometry(stack, spacing_mm), rescale_of(dataset)), dataset, stack.order
    )


def _read_object(path: Path) -> DecodedSource:
    """The volume in one file: an image, a stack of frames, or a cine loop."""
    dataset, header, pixels = _read_file(path)
    if header.frames == 1:
        axes, geometry = "yx", image_geometry(dataset, path.name)
        order: tuple[int, ...] = ()
    else:
        axes, geometry, order = _framed(dataset, header.frames)
    pixels = pixels[list(order)] if order else pixels
    colour = "c" if pixels.ndim > len(axes) else ""
    return _described(Volume(pixels, axes + colour, geometry, rescale_of(dataset, header.frames)), dataset, order)


def _framed(dataset: Dataset, frames: int) -> tuple[str, Geometry, tuple[int, ...]]:
    """Axes and geometry of an object with several frames, and the order in which they are slices, if they are."""
    if "TotalPixelMatrixColumns" in dataset:
        raise SourceRefused(f"its {frames} frames are tiles of a whole-slide image, which are not put together yet")
    stack, spacing_mm = frame_stack(dataset, frames), pixel_spacing_mm(dataset)
    if stack is None or spacing_mm is None:
        return "tyx", cine_geometry(dataset), ()
    return "zyx", stack_geometry(stack, spacing_mm), stack.order


def _read_file(path: Path) -> tuple[Dataset, DicomHeader, Voxels]:
    """What a file says, without its pixels; what is needed to sort it; and its pixels."""
    dataset = read_dataset(path)
    header = header_of(dataset, path, PurePath(path.name))
    pixels = decode_pixels(dataset, header)
    for keyword in PIXEL_KEYWORDS:
        dataset.pop(keyword, None)
    return dataset, header, pixels


def _described(volume: Volume, dataset: Dataset, order: tuple[int, ...]) -> DecodedSource:
    """`volume`, whose slices are in that `order`, with what `dataset` says about it."""
    modality, body_part = text(dataset, "Modality"), text(dataset, "BodyPartExamined")
    return DecodedSource(volume, display_of(dataset), modality, body_part, order)
