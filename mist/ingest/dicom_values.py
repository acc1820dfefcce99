"""What the stored values of a DICOM object mean, and how it wishes to be shown.

The rule: a volume has one linear map to true values. Where slices or frames have maps of their own, as those of PET
have, the voxels are the true values instead, in float32, from which each stored value can be had back: a filter that
mixes slices must find one scale in all of them. What cannot be had back is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from mist.errors import SourceRefused
from mist.ingest.dicom_dataset import frame_value, number, text
from mist.scan import Display
from mist.volume import Rescale, Voxels
from mist_storage.workspace import MEMORY, Workspace

UNSPECIFIED = "US"
"""Rescale Type of values whose unit nobody knows (PS3.3 C.11.1.1.2)."""


def rescales_of(dataset: Dataset, frames: int = 1) -> list[Rescale | None]:
    """The map from stored to physical values of each frame; None for one that states none."""
    if text(dataset, "Modality") == "RTDOSE":
        return [_dose_rescale(dataset)] * frames
    return [_frame_rescale(dataset, frame) for frame in range(frames)]


def alike(voxels: Voxels, rescales: Sequence[Rescale | None], workspace: Workspace = MEMORY) -> tuple[Voxels, Rescale]:
    """Voxels that share one map to physical values, and the map.

    Parameters
    ----------
    voxels
        Stored values; the first axis is that of the slices or frames where there are several.
    rescales
        The map of each of them; None for one that states none.
    workspace
        Makes room for other voxels.

    Raises
    ------
    SourceRefused
        Only some state a map, maps differ in their unit, or float32 cannot tell all values apart.
    """
    stated = [rescale or Rescale() for rescale in rescales]
    first = stated[0]
    if all(rescale == first for rescale in stated):
        return voxels, first
    if None in rescales:
        raise SourceRefused(
            f"{rescales.count(None)} of {len(rescales)} slices or frames have no Rescale Slope and Intercept, as the "
            "others have, and nothing says what their values are; correct their headers, or store them apart"
        )
    units = sorted({rescale.unit for rescale in stated})
    if len(units) > 1:
        raise SourceRefused(f"slices or frames measure different things ({', '.join(map(repr, units))}); split them")
    values = workspace.room(voxels.shape, np.float32)
    for place, pair in enumerate(zip(voxels, stated, strict=True)):
        values[place] = _true_values(*pair)
    return values, Rescale(unit=first.unit)


def _true_values(stored: Voxels, rescale: Rescale) -> npt.NDArray[np.float32]:
    """The true values of a slice, which are proven to lead back to the stored ones."""
    with np.errstate(all="ignore"):  # overflow shows below
        values = (stored.astype(np.float64) * rescale.slope + rescale.intercept).astype(np.float32)
        back = np.rint((values.astype(np.float64) - rescale.intercept) / rescale.slope)
    if stored.dtype.kind == "f" or not np.array_equal(back, stored):
        raise SourceRefused(
            f"slices or frames have different rescales, and {stored.dtype} samples times {rescale.slope:g} plus "
            f"{rescale.intercept:g} cannot be told apart in float32; store the slices one by one"
        )
    return values


def _frame_rescale(dataset: Dataset, frame: int) -> Rescale | None:
    macro = "PixelValueTransformationSequence"
    slope = number(frame_value(dataset, frame, macro, "RescaleSlope"), "RescaleSlope")
    intercept = number(frame_value(dataset, frame, macro, "RescaleIntercept"), "RescaleIntercept")
    if slope is None and intercept is None:
        return None
    if slope == 0:
        raise SourceRefused("its Rescale Slope is 0, by which all its true values would be one; correct the header")
    named = frame_value(dataset, frame, macro, "RescaleType") or _usual_unit(dataset)
    unit = "" if named == UNSPECIFIED else str(named)
    return Rescale(1.0 if slope is None else slope, intercept or 0.0, unit)


def _usual_unit(dataset: Dataset) -> str:
    """The unit of rescaled values that name none: Hounsfield units for CT (PS3.3 C.8.2.1), Units for PET (C.8.9.1)."""
    return "HU" if text(dataset, "Modality") == "CT" else text(dataset, "Units")


def _dose_rescale(dataset: Dataset) -> Rescale | None:
    """The map of a dose grid (PS3.3 C.8.8.3)."""
    scaling = number(dataset.get("DoseGridScaling"), "DoseGridScaling")
    return None if scaling is None else Rescale(scaling, 0.0, text(dataset, "DoseUnits"))


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
