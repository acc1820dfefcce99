"""DICOM segmentations as labels on the grid of the scan that they segment (PS3.3 A.51, C.8.20).

The rule: a frame is taken only where it has the place, the directions, the size and the pixel spacing of a slice, and a
voxel has one label or none. Nothing is resampled and nothing chosen: what does not fit is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from pydicom import Dataset

from mist.errors import SourceRefused
from mist.geometry import Geometry
from mist.ingest.dicom_dataset import frame_value, number, read_dataset, text
from mist.ingest.dicom_frames import frame_stack
from mist.ingest.dicom_geometry import frame_plane, pixel_spacing_mm, stack_geometry
from mist.ingest.dicom_header import HEADER_KEYWORDS, DicomHeader, header_of, read_header
from mist.ingest.dicom_series import stack_headers
from mist.ingest.dicom_stack import POSITION_TOLERANCE_MM, Plane, Stack
from mist.volume import Voxels
from mist_storage.workspace import MEMORY, Workspace

NO_FRAME = -1
"""In an order: the slice is that of no frame, and its labels are 0."""

_FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "GridFrameOffsetVector")


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the voxels of a scan lie that is a stack of slices."""

    stack: Stack
    """Its slices."""
    spacing_mm: tuple[float, float]
    """From row to row, and from column to column."""
    shape: tuple[int, int, int]
    """(z, y, x)."""
    frame_of_reference: str = ""
    """What all its positions are relative to; empty where slices do not say so, or not the same."""

    @property
    def geometry(self) -> Geometry:
        """The same as a volume has it."""
        return stack_geometry(self.stack, self.spacing_mm)

    def slice_of(self, plane: Plane) -> int:
        """Which slice `plane` is.

        Raises
        ------
        SourceRefused
            It is none.
        """
        if not plane.is_parallel_to(Plane("slices", self.stack.position_mm, self.stack.orientation)):
            raise SourceRefused(f"{plane.name} has other directions than the slices of the scan")
        step = np.asarray(self.stack.step_mm)
        way = np.subtract(plane.position_mm, self.stack.position_mm)
        place = int(np.clip(np.rint(way @ step / (step @ step)), 0, self.shape[0] - 1))
        distance_mm = float(np.linalg.norm(way - place * step))
        if distance_mm > POSITION_TOLERANCE_MM:
            raise SourceRefused(f"{plane.name} lies on no slice of the scan: {distance_mm:.4g} mm from the nearest one")
        return place

    def require_frame_of_reference(self, uid: str) -> None:
        """Refuse positions that are relative to something else, where both sides say what theirs are relative to."""
        if uid and self.frame_of_reference and uid != self.frame_of_reference:
            raise SourceRefused(
                f"its Frame of Reference UID is {uid}, and that of the scan is {self.frame_of_reference}: positions of "
                "the one say nothing of the other"
            )

    def require_pixels(self, shape: Sequence[int], spacing_mm: tuple[float, float] | None, name: str) -> None:
        """Refuse frames whose pixels are not those of slices; the farthest may lie off by `POSITION_TOLERANCE_MM`."""
        if tuple(shape) != self.shape[1:]:
            raise SourceRefused(f"{name} has (rows, columns) {tuple(shape)}, and the scan has {self.shape[1:]}")
        if spacing_mm is None:
            raise SourceRefused(f"{name} has no pixel spacing")
        drift_mm = np.abs(np.subtract(spacing_mm, self.spacing_mm)) * self.shape[1:]
        if drift_mm.max() > POSITION_TOLERANCE_MM:
            raise SourceRefused(f"{name} has a pixel spacing of {spacing_mm} mm, and the scan has {self.spacing_mm}")


def read_grid(paths: Sequence[Path]) -> Grid:
    """The grid of the scan in the DICOM files at `paths`, of which only headers are read.

    Raises
    ------
    SourceRefused
        They make no stack of slices.
    """
    if len(paths) == 1:
        return _grid_of_frames(paths[0])
    headers = [header for path in paths if (header := read_header(path, PurePath(path.name))) is not None]
    return _grid(*stack_headers(headers), headers, len(headers))


def _grid_of_frames(path: Path) -> Grid:
    dataset = read_dataset(path, (*HEADER_KEYWORDS, *_FUNCTIONAL_GROUPS))
    header = header_of(dataset, path, PurePath(path.name))
    stack = frame_stack(dataset, header.frames) if header.frames > 1 else None
    spacing_mm = pixel_spacing_mm(dataset)
    if stack is None or spacing_mm is None:
        raise SourceRefused("the scan is no stack of slices")
    return _grid(stack, spacing_mm, [header], header.frames)


def _grid(stack: Stack, spacing_mm: tuple[float, float], headers: Sequence[DicomHeader], slices: int) -> Grid:
    """The grid of `slices` in one file or several, which some de-identification gives several frames of reference."""
    form, frames = headers[0].slice_format, {header.frame_of_reference for header in headers}
    return Grid(stack, spacing_mm, (slices, form.rows, form.columns), frames.pop() if len(frames) == 1 else "")


def labels_on(
    grid: Grid, dataset: Dataset, pixels: Voxels, workspace: Workspace = MEMORY
) -> tuple[Voxels, tuple[int, ...]]:
    """The labels of a segmentation on `grid`, 0 where it has none, and of each slice which frame it is.

    Parameters
    ----------
    dataset
        What the segmentation says of itself.
    pixels
        Its frames, ([frame,] y, x).

    Returns
    -------
    labels
        (z, y, x) in the smallest unsigned type: Segment Numbers.
    order
        (z,), with `NO_FRAME`; of several frames, the first.

    Raises
    ------
    SourceRefused
        A frame lies on no slice, segments overlap, values are no labels, or positions are relative to something else.
    """
    grid.require_frame_of_reference(text(dataset, "FrameOfReferenceUID"))
    frames = pixels.reshape(-1, *pixels.shape[-2:])
    planes = [_plane(grid, dataset, frames, frame) for frame in range(len(frames))]
    numbers = _segment_numbers(dataset, frames)
    most = int(frames.max()) if numbers is None else max(numbers)
    labels = workspace.room(grid.shape, np.min_scalar_type(most))
    labels[...] = 0
    order = [NO_FRAME] * len(labels)
    for frame, plane in enumerate(planes):
        place = grid.slice_of(plane)
        added = frames[frame] if numbers is None else (frames[frame] != 0) * labels.dtype.type(numbers[frame])
        _add(labels[place], added, plane.name)
        order[place] = frame if order[place] == NO_FRAME else order[place]
    return labels, tuple(order)


def _plane(grid: Grid, dataset: Dataset, frames: Voxels, frame: int) -> Plane:
    """Where a frame lies, whose pixels are those of `grid`."""
    name = f"frame {frame + 1}"
    grid.require_pixels(frames.shape[1:], pixel_spacing_mm(dataset, frame), name)
    plane = frame_plane(dataset, frame, name)
    if plane is None:
        raise SourceRefused(f"{name} has no position or no orientation")
    return plane


def _segment_numbers(dataset: Dataset, frames: Voxels) -> list[int] | None:
    """The segment of each frame, or None where voxels say it (PS3.3 C.8.20.2.3)."""
    kind = text(dataset, "SegmentationType")
    if frames.dtype.kind != "u":
        raise SourceRefused(f"its samples are {frames.dtype}, and labels are unsigned integers")
    if kind == "LABELMAP":
        if background := number(dataset.get("PixelPaddingValue"), "PixelPaddingValue"):
            raise SourceRefused(f"its background is {background:g}; only 0 is taken")
        return None
    _require_two_values(dataset, kind, frames)
    return [_segment_number(dataset, frame) for frame in range(len(frames))]


def _require_two_values(dataset: Dataset, kind: str, frames: Voxels) -> None:
    """Refuse a segmentation that does not say of each voxel whether it belongs to a segment or not."""
    whole = {"BINARY": 1, "FRACTIONAL": dataset.get("MaximumFractionalValue")}.get(kind)
    full = number(whole, "MaximumFractionalValue")
    if full is None:
        raise SourceRefused(f"its Segmentation Type is {kind!r}, not BINARY, LABELMAP, or FRACTIONAL with a maximum")
    if not all(((frame == 0) | (frame == full)).all() for frame in frames):
        raise SourceRefused(f"it is {kind} and has values between 0 and {full:g}, which are no labels")


def _segment_number(dataset: Dataset, frame: int) -> int:
    value = frame_value(dataset, frame, "SegmentIdentificationSequence", "ReferencedSegmentNumber")
    found = number(value, "ReferencedSegmentNumber")
    if found is None or found < 1 or found != int(found):
        raise SourceRefused(f"frame {frame + 1} says no segment number (Referenced Segment Number is {value})")
    return int(found)


def _add(labels: Voxels, added: Voxels, name: str) -> None:
    """Set what `added` labels in a slice of `labels`, where nothing is labelled yet."""
    both = (labels != 0) & (added != 0)
    if both.any():
        first, second = int(labels[both][0]), int(added[both][0])
        raise SourceRefused(
            f"segments overlap: {np.count_nonzero(both)} voxels of {name} are of segment {second}, and of segment "
            f"{first} in a frame before it"
        )
    np.add(labels, added, out=labels, casting="same_kind")
