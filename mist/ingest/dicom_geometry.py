"""Where the pixels of a DICOM object lie.

The rule: what the object says is taken, what it leaves out stays unknown (`mist.geometry.Space` says which).
"""

from __future__ import annotations

from pydicom import Dataset

from mist.geometry import Geometry, geometry_from_dicom, geometry_from_spacing, geometry_of_indices
from mist.ingest.dicom_dataset import frame_value, number, numbers, value_of, vector
from mist.ingest.dicom_stack import Plane, Stack

UNKNOWN_THICKNESS_MM = 1.0
"""Length of the affine's z column for a single image that does not say how thick it is: it is never used."""


def frame_plane(dataset: Dataset, frame: int, name: str) -> Plane | None:
    """Where a frame lies, or None where the object does not say.

    Raises
    ------
    SourceRefused
        Position or orientation are malformed.
    """
    position = vector(
        frame_value(dataset, frame, "PlanePositionSequence", "ImagePositionPatient"), "ImagePositionPatient"
    )
    orientation = numbers(
        frame_value(dataset, frame, "PlaneOrientationSequence", "ImageOrientationPatient"), "ImageOrientationPatient", 6
    )
    return None if position is None or orientation is None else Plane(name, position, orientation)


def pixel_spacing_mm(dataset: Dataset, frame: int = 0) -> tuple[float, float] | None:
    """Distance between rows and between columns, or None where the object does not say, or says 0.

    Pixel Spacing is true in the patient, or calibrated to be. Imager Pixel Spacing, which a projection has when it was
    not calibrated, is true at the detector: the patient is magnified by an unknown few per cent (PS3.3 10.7.1.3). It is
    the better answer all the same, since without it a radiograph would have no size at all.
    """
    measured = frame_value(dataset, frame, "PixelMeasuresSequence", "PixelSpacing")
    for keyword, value in (("PixelSpacing", measured), ("ImagerPixelSpacing", value_of(dataset, "ImagerPixelSpacing"))):
        found = numbers(value, keyword, 2)
        if found is not None and min(found) > 0:
            return found[0], found[1]
    return None


def image_geometry(dataset: Dataset, name: str) -> Geometry:
    """Where a single image lies, as far as the object says."""
    plane, spacing = frame_plane(dataset, 0, name), pixel_spacing_mm(dataset)
    if plane is None or spacing is None:
        return _flat_geometry(spacing)
    step = plane.normal * _thickness_mm(dataset)
    return geometry_from_dicom(plane.position_mm, plane.orientation, spacing, step)


def stack_geometry(stack: Stack, spacing_mm: tuple[float, float]) -> Geometry:
    """Where a stack of slices lies, whose pixels are `spacing_mm` apart (rows, columns)."""
    return geometry_from_dicom(stack.position_mm, stack.orientation, spacing_mm, stack.step_mm)


def cine_geometry(dataset: Dataset) -> Geometry:
    """Where the frames of a cine loop lie: their spacing is known at best, since each may lie elsewhere."""
    return _flat_geometry(pixel_spacing_mm(dataset))


def _flat_geometry(spacing_mm: tuple[float, float] | None) -> Geometry:
    if spacing_mm is None:
        return geometry_of_indices()
    return geometry_from_spacing((UNKNOWN_THICKNESS_MM, *spacing_mm))


def _thickness_mm(dataset: Dataset) -> float:
    value = frame_value(dataset, 0, "PixelMeasuresSequence", "SliceThickness")
    found = number(value, "SliceThickness")
    return found if found is not None and found > 0 else UNKNOWN_THICKNESS_MM
