"""What tells DICOM files apart before any pixel is read.

The rule: a header is enough to sort files into scans and to refuse those that make none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePath

from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, MediaStorageDirectoryStorage

from mist.errors import SourceRefused
from mist.ingest.dicom_dataset import number, read_dataset, text, value_of
from mist.ingest.dicom_geometry import frame_plane, pixel_spacing_mm
from mist.ingest.dicom_stack import Plane
from mist.ingest.seen_stack import SeenSlice

HEADER_KEYWORDS = (
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "PatientID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "ReferencedSeriesSequence",
    "Modality",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "ImagerPixelSpacing",
)
"""The attributes that are read of each file to sort it."""


@dataclass(frozen=True, slots=True)
class SliceFormat:
    """What all slices of a stack must have in common; the names of the fields stand in messages.

    The Frame of Reference UID is not among it: some de-identification gives each slice of a sound series its own. Nor
    is the rescale, which may differ from slice to slice: see `mist.ingest.dicom_values.alike`.
    """

    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    photometric_interpretation: str
    pixel_spacing: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """What a DICOM file says of itself, short of its pixels."""

    path: Path
    """The file, absolute."""
    relative: PurePath
    """Its path below the source that the user named."""
    sop_uid: str
    """SOP Instance UID; empty where absent."""
    patient_id: str = field(repr=False)
    """Patient ID, which no message says; empty where absent."""
    series_uid: str
    """Series Instance UID; empty where absent."""
    frame_of_reference: str
    """Frame of Reference UID: positions of two of them have nothing to do with each other; empty where absent."""
    sop_class: str
    """What kind of object it is, by name."""
    modality: str
    """Modality; empty where absent."""
    frames: int
    """How many images the file holds."""
    plane: Plane | None
    """Where its one image lies; None where it does not say, or holds several."""
    fault: str
    """What is wrong with the place that it names; empty where nothing is. Its whole series is refused for it."""
    slice_format: SliceFormat
    """What a stack of slices must agree in."""
    segments_series: str
    """Of a segmentation: the Series Instance UID of the one series that it refers to; empty otherwise."""
    seen: SeenSlice | None = None
    """Of a plain slice: what spares parsing it again; None where nobody looked, too."""


def read_header(path: Path, relative: PurePath) -> DicomHeader | None:
    """The header of the file at `path`, or None for a DICOMDIR, which only lists other files.

    Raises
    ------
    SourceRefused
        The object holds no image, or its header is malformed.
    """
    dataset = read_dataset(path, HEADER_KEYWORDS)
    return None if is_directory(dataset) else header_of(dataset, path, relative)


def is_directory(dataset: FileDataset) -> bool:
    """Whether this is a DICOMDIR."""
    meta = getattr(dataset, "file_meta", None)
    return meta is not None and value_of(meta, "MediaStorageSOPClassUID") == MediaStorageDirectoryStorage


def header_of(dataset: FileDataset, path: Path, relative: PurePath) -> DicomHeader:
    """The header of a dataset that came from `path`; see `read_header`."""
    if "Rows" not in dataset or "Columns" not in dataset:
        raise SourceRefused(no_pixels(dataset))
    frames = int(number(value_of(dataset, "NumberOfFrames"), "NumberOfFrames") or 1)
    plane, fault = _plane(dataset, path.name) if frames == 1 else (None, "")
    return DicomHeader(
        path=path,
        relative=relative,
        sop_uid=text(dataset, "SOPInstanceUID"),
        patient_id=text(dataset, "PatientID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        frame_of_reference=text(dataset, "FrameOfReferenceUID"),
        sop_class=sop_class_name(dataset),
        modality=text(dataset, "Modality"),
        frames=frames,
        plane=plane,
        fault=fault,
        slice_format=_slice_format(dataset),
        segments_series=_segments_series(dataset),
    )


def _plane(dataset: FileDataset, name: str) -> tuple[Plane | None, str]:
    """Where an image lies, and what is wrong with that."""
    try:
        return frame_plane(dataset, 0, name), ""
    except SourceRefused as error:
        return None, str(error)


def _segments_series(dataset: FileDataset) -> str:
    """Which series a segmentation is of, by its Common Instance Reference Module (PS3.3 C.12.2)."""
    items = dataset.get("ReferencedSeriesSequence") if text(dataset, "Modality") == "SEG" else None
    return text(items[0], "SeriesInstanceUID") if isinstance(items, Items) and len(items) == 1 else ""


def _slice_format(dataset: FileDataset) -> SliceFormat:
    def whole(keyword: str) -> int:
        return int(number(value_of(dataset, keyword), keyword) or 0)

    return SliceFormat(
        rows=whole("Rows"),
        columns=whole("Columns"),
        samples_per_pixel=whole("SamplesPerPixel"),
        bits_allocated=whole("BitsAllocated"),
        bits_stored=whole("BitsStored"),
        pixel_representation=whole("PixelRepresentation"),
        photometric_interpretation=text(dataset, "PhotometricInterpretation"),
        pixel_spacing=pixel_spacing_mm(dataset),
    )


def no_pixels(dataset: FileDataset) -> str:
    """Why an object without pixels is not stored."""
    kind = sop_class_name(dataset)
    return (
        f"there are no pixels in it: it is {kind}; only images are stored"
        if kind
        else "there are no pixels in it, and it does not say what it is; only images are stored"
    )


def sop_class_name(dataset: FileDataset) -> str:
    """What kind of object a dataset is, by name; its UID where the standard of today does not know it."""
    return UID(text(dataset, "SOPClassUID")).name


def require_one_format(headers: Sequence[DicomHeader]) -> None:
    """Make sure that all slices have one format.

    Raises
    ------
    SourceRefused
        Two slices differ.
    """
    first = headers[0]
    for header in headers[1:]:
        for each in fields(SliceFormat):
            ours, theirs = getattr(first.slice_format, each.name), getattr(header.slice_format, each.name)
            if ours != theirs:
                what = each.name.replace("_", " ")
                raise SourceRefused(
                    f"slices differ in {what}: {ours} in {first.path.name}, {theirs} in {header.path.name}; "
                    "give each kind a series of its own"
                )
