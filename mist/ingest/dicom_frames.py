"""The frames of a DICOM object as slices, as moments in time, or both.

The rule: positions decide, as they do for files. Frames that say where they lie make an even stack, several of them one
in each place, or are refused with the reason; frames that do not say so are moments. Of several frames in one place the
object itself must say which belong together (PS3.3 C.7.6.17: Dimension Index Values). Reads headers, never pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from mist.errors import SourceRefused
from mist.ingest.dicom_dataset import frame_value, number, numbers, text, value_of
from mist.ingest.dicom_geometry import frame_plane, pixel_spacing_mm
from mist.ingest.dicom_stack import POSITION_TOLERANCE_MM, Plane, Stack, stack_planes
from mist.ingest.dicom_tomogram import tomogram_planes

ALWAYS_STACKED = frozenset({"SEG", "RTDOSE"})
"""Modalities whose frames are planes in space and never moments in time: one frame in each place, or a refusal."""

Table = npt.NDArray[np.int64]
"""(frames, dimensions): where each frame stands along each dimension of its object."""


@dataclass(frozen=True, slots=True)
class FrameGrid:
    """Frames in the order of a volume."""

    order: tuple[int, ...]
    """Frames, moment after moment, within a moment along the normal."""
    moments: int
    """How many frames lie in each place."""
    stack: Stack | None
    """The places; None where there is only one."""


def frame_grid(dataset: Dataset, frames: int) -> FrameGrid | None:
    """How the `frames` of an object lie, or None where it does not say where each of them is.

    Raises
    ------
    SourceRefused
        It says so, and they make no even stack or are of several segments; or it does not, and must by
        `ALWAYS_STACKED`.
    """
    planes = _placed_planes(dataset, frames)
    if planes is None:
        if text(dataset, "Modality") in ALWAYS_STACKED:
            raise SourceRefused(
                f"not all of its {frames} frames have a position, an orientation and the same spacing; export it anew"
            )
        return None
    if text(dataset, "Modality") in ALWAYS_STACKED:
        _require_one_segment(dataset, frames)
        whole = stack_planes(planes)
        return FrameGrid(whole.order, 1, whole)
    places = _places(planes)
    moments = _in_order(dataset, places)
    stack = stack_planes([planes[place[0]] for place in places]) if len(places) > 1 else None
    along = stack.order if stack is not None else (0,)
    order = tuple(moments[place][moment] for moment in range(len(moments[0])) for place in along)
    return FrameGrid(order, len(moments[0]), stack)


def frame_stack(dataset: Dataset, frames: int) -> Stack | None:
    """The stack that the frames of an object make, one in each place; None where they do not make one.

    Raises
    ------
    SourceRefused
        As of `frame_grid`.
    """
    grid = frame_grid(dataset, frames)
    return None if grid is None or grid.moments > 1 else grid.stack


def _require_one_segment(dataset: Dataset, frames: int) -> None:
    """Refuse frames of several segments as one volume, in which nobody could tell one segment from another."""
    keyword = "ReferencedSegmentNumber"
    found = [frame_value(dataset, frame, "SegmentIdentificationSequence", keyword) for frame in range(frames)]
    if segments := sorted({str(value) for value in found if value != found[0]}):
        raise SourceRefused(
            f"its frames are of {len(segments) + 1} segments ({found[0]}, {', '.join(segments)}), which one volume "
            "cannot tell apart; ingest it together with the series that it segments, or export each segment by itself"
        )


def _placed_planes(dataset: Dataset, frames: int) -> list[Plane] | None:
    """Where each frame lies; None where the object does not say so of its frames, or not how large pixels are."""
    planes = _frame_planes(dataset, frames)
    known = [plane for plane in planes if plane is not None]
    spacings = {pixel_spacing_mm(dataset, frame) for frame in range(frames)}
    if not known or spacings == {None}:
        return None
    if len(known) < frames or None in spacings:
        raise SourceRefused(
            f"not all of its {frames} frames have a position, an orientation and a pixel spacing; export it anew"
        )
    if len(spacings) > 1:
        raise SourceRefused(f"its frames differ in pixel spacing: {sorted(filter(None, spacings))}; split it")
    return known


def _frame_planes(dataset: Dataset, frames: int) -> list[Plane | None]:
    offsets = numbers(dataset.get("GridFrameOffsetVector"), "GridFrameOffsetVector", frames)
    if offsets is not None:
        return _dose_planes(dataset, offsets)
    if tomogram := tomogram_planes(dataset, frames):
        return [*tomogram]
    if value_of(dataset, "ImagePositionPatient") is not None and _position(dataset) is None:
        return [None] * frames  # of the object as a whole, or of its first frame alone
    return [frame_plane(dataset, frame, f"frame {frame + 1}") for frame in range(frames)]


def _position(dataset: Dataset) -> object:
    """The position of the first frame in its functional groups, if it is there."""
    groups = Dataset()
    for keyword in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        if keyword in dataset:
            groups[keyword] = dataset[keyword]
    return frame_value(groups, 0, "PlanePositionSequence", "ImagePositionPatient")


def _dose_planes(dataset: Dataset, offsets_mm: Sequence[float]) -> list[Plane | None]:
    """The planes of a dose grid: at offsets along the normal from the first (PS3.3 C.8.8.3.2)."""
    first = frame_plane(dataset, 0, "frame 1")
    if first is None:
        return [None] * len(offsets_mm)
    if offsets_mm[0] != 0:
        raise SourceRefused(
            f"Grid Frame Offset Vector begins with {offsets_mm[0]}; only offsets from the first are taken; "
            "correct the header"
        )
    places = np.asarray(first.position_mm) + np.outer(offsets_mm, first.normal)
    return [
        Plane(f"frame {frame + 1}", (float(x), float(y), float(z)), first.orientation)
        for frame, (x, y, z) in enumerate(places)
    ]


def _places(planes: Sequence[Plane]) -> list[list[int]]:
    """The frames that lie in each place, both in the order of the file."""
    positions = np.array([plane.position_mm for plane in planes])
    places: list[list[int]] = []
    firsts = np.empty_like(positions)
    for frame, plane in enumerate(planes):
        near = np.abs(firsts[: len(places)] - positions[frame]).max(axis=1) <= POSITION_TOLERANCE_MM
        same = next((place for place in np.flatnonzero(near) if plane.is_parallel_to(planes[places[place][0]])), None)
        if same is None:
            firsts[len(places)] = positions[frame]
            places.append([frame])
        else:
            places[same].append(frame)
    return places


def _in_order(dataset: Dataset, places: Sequence[Sequence[int]]) -> list[list[int]]:
    """The frames of each place, such that those of equal number belong together.

    Raises
    ------
    SourceRefused
        Places have different numbers of frames, or nothing says which ones belong together.
    """
    counts = [len(place) for place in places]
    if min(counts) < max(counts):
        raise SourceRefused(
            f"its frames lie in {len(places)} places, {max(counts)} in one of them and {min(counts)} in another; "
            "split it, or export it anew if frames are missing"
        )
    if counts[0] == 1:
        return [list(place) for place in places]
    for table in _tables(dataset, sum(counts)):
        varies = np.any([np.ptp(table[list(place)], axis=0) > 0 for place in places], axis=0)
        keyed = [sorted((tuple(table[frame, varies]), frame) for frame in place) for place in places]
        keys = [[key for key, _ in pairs] for pairs in keyed]
        if all(found == keys[0] for found in keys) and len(set(keys[0])) == len(keys[0]):
            return [[frame for _, frame in pairs] for pairs in keyed]
    if len(places) == 1:
        return [list(places[0])]  # as they are, for want of anything better
    raise SourceRefused(
        f"{counts[0]} of its frames lie in each of {len(places)} places, and neither Dimension Index Values nor "
        "Temporal Position Index say which belong together; export it anew with them, or as one series for each moment"
    )


def _tables(dataset: Dataset, frames: int) -> list[Table]:
    """What an object says of the order of its frames: the dimensions that it declares, else moments alone."""
    rows = []
    for keyword in ("DimensionIndexValues", "TemporalPositionIndex"):
        found = [
            _whole_numbers(frame_value(dataset, frame, "FrameContentSequence", keyword)) for frame in range(frames)
        ]
        if found[0] and len({len(row) for row in found}) == 1:
            rows.append(np.array(found, dtype=np.int64))
    return rows


def _whole_numbers(value: object) -> tuple[int, ...]:
    if value is None:
        return ()
    parts = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return tuple(int(number(part, "DimensionIndexValues") or 0) for part in parts)
