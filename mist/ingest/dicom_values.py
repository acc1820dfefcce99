"""What the stored values of a DICOM object mean, and how it wishes to be shown.

The rule: one linear map for a whole volume, or a refusal; never a value that would come back wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom import Dataset

from mist.errors import SourceRefused
from mist.ingest.dicom_dataset import frame_value, number, text
from mist.scan import Display
from mist.volume import Rescale

UNSPECIFIED = "US"
"""Rescale Type of values whose unit nobody knows (PS3.3 C.11.1.1.2)."""


def rescale_of(dataset: Dataset, frames: int = 1) -> Rescale:
    """The map from stored to physical values, which all frames share.

    Raises
    ------
    SourceRefused
        Frames have different maps, or the map is a lookup table.
    """
    if dataset.get("ModalityLUTSequence"):
        raise SourceRefused(
            "its values are mapped by a Modality LUT, which cannot be kept yet: only a linear rescale can"
        )
    if text(dataset, "Modality") == "RTDOSE":
        return _dose_rescale(dataset)
    first = _frame_rescale(dataset, 0)
    for frame in range(1, frames):
        if _frame_rescale(dataset, frame) != first:
            raise SourceRefused(f"frames 1 and {frame + 1} have different rescale slopes or intercepts")
    return first


def _frame_rescale(dataset: Dataset, frame: int) -> Rescale:
    macro = "PixelValueTransformationSequence"
    slope = number(frame_value(dataset, frame, macro, "RescaleSlope"), "RescaleSlope")
    intercept = number(frame_value(dataset, frame, macro, "RescaleIntercept"), "RescaleIntercept")
    if slope is None and intercept is None:
        return Rescale()
    named = frame_value(dataset, frame, macro, "RescaleType") or _usual_unit(dataset)
    unit = "" if named == UNSPECIFIED else str(named)
    return Rescale(1.0 if slope is None else slope, intercept or 0.0, unit)


def _usual_unit(dataset: Dataset) -> str:
    """The unit of rescaled values that name none: Hounsfield units for CT (PS3.3 C.8.2.1), Units for PET (C.8.9.1)."""
    return "HU" if text(dataset, "Modality") == "CT" else text(dataset, "Units")


def _dose_rescale(dataset: Dataset) -> Rescale:
    """The map of a dose grid (PS3.3 C.8.8.3)."""
    scaling = number(dataset.get("DoseGridScaling"), "DoseGridScaling")
    return Rescale() if scaling is None else Rescale(scaling, 0.0, text(dataset, "DoseUnits"))


def display_of(dataset: Dataset) -> Display:
    """The first window that the object names, and whether black is high.

    A window is only a wish: a malformed one is no reason to refuse the voxels, and is left out.
    """
    inverted = text(dataset, "PhotometricInterpretation") == "MONOCHROME1"
    center = _first_number(frame_value(dataset, 0, "FrameVOILUTSequence", "WindowCenter"))
    width = _first_number(frame_value(dataset, 0, "FrameVOILUTSequence", "WindowWidth"))
    if center is None or width is None or width <= 0:
        return Display(inverted=inverted)
    return Display(center, width, inverted)


def _first_number(value: object) -> float | None:
    first = value[0] if isinstance(value, Sequence) and not isinstance(value, str) and value else value
    try:
        return number(first, "Window")
    except SourceRefused:
        return None
