"""Where the frames of a reconstructed tomogram of nuclear medicine lie (PS3.3 C.8.4.11, C.8.4.15).

The rule: the detector gives the place of the first slice, the sign of Spacing Between Slices the way from there, and
the Slice Vector says which slice a frame is. What lacks one of them has no places. Reads headers, never pixels.
"""

from __future__ import annotations

import numpy as np
from pydicom import Dataset

from mist.ingest.dicom_dataset import number, numbers, text, value_of
from mist.ingest.dicom_geometry import frame_plane
from mist.ingest.dicom_stack import Plane

RECONSTRUCTED = "RECON TOMO"
"""Value 3 of Image Type of a volume; of one for each phase of the heart it is another."""

_KIND = 2
"""Place of it in Image Type, counted from 0."""


def tomogram_planes(dataset: Dataset, frames: int) -> list[Plane] | None:
    """Where each frame of a tomogram lies; None where the object is none, or does not say all that it takes.

    Raises
    ------
    SourceRefused
        What it says is malformed.
    """
    if not _is_tomogram(dataset):
        return None
    spacing_mm = number(value_of(dataset, "SpacingBetweenSlices"), "SpacingBetweenSlices")
    slices = _slices(dataset, frames)
    detectors = list(dataset.get("DetectorInformationSequence") or ())
    first = frame_plane(detectors[0], 0, "slice 1") if len(detectors) == 1 else None
    if not spacing_mm or slices is None or first is None:
        return None
    places = np.asarray(first.position_mm) + np.outer(np.asarray(slices) - 1, first.normal * spacing_mm)
    return [
        Plane(f"frame {frame + 1}", (float(x), float(y), float(z)), first.orientation)
        for frame, (x, y, z) in enumerate(places)
    ]


def _is_tomogram(dataset: Dataset) -> bool:
    kinds = list(dataset.get("ImageType") or ())
    return text(dataset, "Modality") == "NM" and kinds[_KIND : _KIND + 1] == [RECONSTRUCTED]


def _slices(dataset: Dataset, frames: int) -> tuple[float, ...] | None:
    """Which slice each frame is, counted from 1, where each is another."""
    slices = numbers(dataset.get("SliceVector"), "SliceVector", frames)
    return slices if slices is not None and sorted(slices) == list(range(1, frames + 1)) else None
