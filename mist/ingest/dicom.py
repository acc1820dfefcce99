"""DICOM files into volumes.

The rule: slices and frames become a volume where their positions make an even stack; frames without positions, or all
in one place, become a cine loop, and several frames in each place of a stack volumes one after the other; everything
else is a flat image. Knows how the parts come together, and none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType

import numpy as np
from pydicom import Dataset

from mist.errors import SourceRefused
from mist.geometry import Geometry
from mist.ingest.dicom_body import plain_pixels
from mist.ingest.dicom_dataset import read_dataset, text
from mist.ingest.dicom_frames import FrameGrid, frame_grid
from mist.ingest.dicom_geometry import cine_geometry, image_geometry, pixel_spacing_mm, stack_geometry
from mist.ingest.dicom_header import DicomHeader, header_of, require_one_format
from mist.ingest.dicom_pixels import PIXEL_KEYWORDS, decode_pixels
from mist.ingest.dicom_seen import seen_pixels
from mist.ingest.dicom_segments import labels_on, read_grid
from mist.ingest.dicom_series import stack_headers
from mist.ingest.dicom_tables import modality_values
from mist.ingest.dicom_values import alike, display_of, rescales_of
from mist.ingest.refusal import refusing
from mist.ingest.seen_stack import SeenStack
from mist.ingest.source import Contents, DecodedSource, PlainPixels
from mist.volume import Rescale, Volume, Voxels
from mist_storage.workspace import MEMORY, Workspace


def read_dicom(
    paths: Sequence[Path],
    workspace: Workspace = MEMORY,
    held: Contents = MappingProxyType({}),
    seen: SeenStack | None = None,
) -> DecodedSource:
    """The volume in one DICOM file, or in the files of a stack of slices, for which `workspace` makes room.

    Files that are `held` are not read, and those that are as they were `seen` are not parsed.

    Raises
    ------
    SourceRefused
        Files hold no pixels, cannot be decoded, or make no stack.
    """
    if len(paths) == 1:
        return _read_object(paths[0], held)
    as_seen = None if seen is None else _read_seen(paths, seen, workspace, held)
    return as_seen or _read_stack(paths, workspace, held)


def read_segmentation(path: Path, image: Sequence[Path], workspace: Workspace = MEMORY) -> DecodedSource:
    """The labels of the segmentation at `path` on the grid of the scan in the DICOM files `image`.

    Raises
    ------
    SourceRefused
        It cannot be decoded, or does not fit: see `mist.ingest.dicom_segments`.
    """
    one, grid = _read_file(path), read_grid(image)
    labels, order = labels_on(grid, one.dataset, one.pixels, workspace)
    return _described(Volume(labels, "zyx", grid.geometry), one.dataset, order)


def _read_seen(paths: Sequence[Path], seen: SeenStack, workspace: Workspace, held: Contents) -> DecodedSource | None:
    """The volume in files that are as they were `seen`; None if one of them is not."""
    voxels = workspace.room((len(paths), seen.rows, seen.columns), seen.sample_type)
    for place, (path, one) in enumerate(zip(paths, seen.slices, strict=True)):
        with refusing(path.name):
            samples = one.samples_in(held.get(path) or path.read_bytes())
            if samples is None:
                return None
            voxels[place] = seen_pixels(seen, samples)
    voxels, rescale = alike(voxels, [one.rescale for one in seen.slices], workspace)
    plain = [PlainPixels(one.offset, seen.bits_allocated // 8, "<", is_planar=False) for one in seen.slices]
    volume, order = Volume(voxels, "zyx", seen.geometry, rescale), tuple(range(len(paths)))
    with refusing(paths[0].name):
        return _described(volume, read_dataset(paths[0], data=held.get(paths[0])), order, plain)


def _read_stack(paths: Sequence[Path], workspace: Workspace, held: Contents) -> DecodedSource:
    """The volume in several files, one slice each, of which one at a time is in memory beside it."""
    first = _read_slice(paths[0], held)
    voxels = workspace.room((len(paths), *first.pixels.shape), first.pixels.dtype)
    headers, rescales, plain = [], [], []
    for place, path in enumerate(paths):
        one = _read_slice(path, held) if place else first
        require_one_format([first.header, one.header])
        voxels = _wide_enough(voxels, one.pixels)
        voxels[place] = one.pixels
        headers.append(one.header)
        rescales.append(one.rescales[0])
        plain.append(one.plain)
    stack, spacing_mm = stack_headers(headers)
    if stack.order != tuple(range(len(paths))):  # which is how their task has them
        voxels = voxels[list(stack.order)]
    voxels, rescale = alike(voxels, [rescales[place] for place in stack.order], workspace)
    axes = "zyxc" if voxels.ndim == 4 else "zyx"
    place = stack.order[0]
    lowest = read_dataset(paths[place], data=held.get(paths[place])) if place else first.dataset
    volume = Volume(voxels, axes, stack_geometry(stack, spacing_mm), rescale)
    return _described(volume, lowest, stack.order, plain)


def _read_slice(path: Path, held: Contents) -> _File:
    with refusing(path.name):
        return _read_file(path, held.get(path))


def _wide_enough(voxels: Voxels, pixels: Voxels) -> Voxels:
    """`voxels`, or a copy that can hold `pixels` too, where a slice's own table gives wider samples than another's."""
    return voxels.astype(np.result_type(voxels, pixels), copy=False)


def _read_object(path: Path, held: Contents) -> DecodedSource:
    """The volume in one file: an image, a stack of frames, a cine loop, or several stacks one after the other."""
    one = _read_file(path, held.get(path))
    if one.header.frames == 1:
        axes, geometry = "yx", image_geometry(one.dataset, path.name)
        order: tuple[int, ...] = ()
        pixels, rescale = one.pixels, one.rescales[0] or Rescale()
    else:
        grid = frame_grid(one.dataset, one.header.frames)
        axes, geometry = _framed(one.dataset, grid)
        order = grid.order if grid is not None else ()
        pixels, rescale = alike(one.pixels, one.rescales)
        pixels = pixels[list(order)] if order else pixels
        if axes == "tzyx":
            pixels = pixels.reshape(grid.moments if grid is not None else 1, -1, *pixels.shape[1:])
    colour = "c" if pixels.ndim > len(axes) else ""
    return _described(Volume(pixels, axes + colour, geometry, rescale), one.dataset, order, [one.plain])


def _framed(dataset: Dataset, grid: FrameGrid | None) -> tuple[str, Geometry]:
    """Axes and geometry of an object with several frames."""
    spacing_mm = pixel_spacing_mm(dataset)
    if grid is None or spacing_mm is None:
        return "tyx", cine_geometry(dataset)
    if grid.stack is None:
        return "tyx", image_geometry(dataset, "frame 1")
    return "zyx" if grid.moments == 1 else "tzyx", stack_geometry(grid.stack, spacing_mm)


@dataclass(frozen=True, slots=True)
class _File:
    """What a file says."""

    dataset: Dataset
    """All but the pixels."""
    header: DicomHeader
    """What is needed to sort it."""
    pixels: Voxels
    """Its pixels."""
    rescales: list[Rescale | None]
    """The map from `pixels` to physical values, of each frame; None for one that states none."""
    plain: PlainPixels | None
    """Where they lie in the file."""


def _read_file(path: Path, data: bytes | None = None) -> _File:
    dataset = read_dataset(path, data=data)
    header = header_of(dataset, path, PurePath(path.name))
    _require_no_tiles(dataset, header.frames)
    plain = plain_pixels(dataset)
    pixels, rescales = decode_pixels(dataset, header), rescales_of(dataset, header.frames)
    if dataset.get("ModalityLUTSequence"):
        pixels, unit = modality_values(pixels, dataset)
        rescales = [Rescale(unit=unit)] * header.frames
    for keyword in PIXEL_KEYWORDS:
        dataset.pop(keyword, None)
    return _File(dataset, header, pixels, rescales, plain)


def _require_no_tiles(dataset: Dataset, frames: int) -> None:
    if "TotalPixelMatrixColumns" in dataset and frames > 1:
        raise SourceRefused(
            f"its {frames} frames are tiles of a whole-slide image, which are not put together yet; "
            "convert the level that you need to TIFF"
        )


def _described(
    volume: Volume, dataset: Dataset, order: tuple[int, ...], plain: Sequence[PlainPixels | None] = ()
) -> DecodedSource:
    """`volume`, whose slices are in that `order`, with what `dataset` says about it."""
    modality, body_part = text(dataset, "Modality"), text(dataset, "BodyPartExamined")
    return DecodedSource(volume, display_of(dataset), modality, body_part, order, tuple(plain))
