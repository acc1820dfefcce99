"""DICOM files sorted into scans.

The rule: single-frame CT, MR and PT slices of one Series Instance UID that say where they lie become a volume for each
direction in which they were cut and each matrix size; every other image is a scan of its own. Within a volume all must
agree, and one that does not is refused whole: leaving out a slice would change what the scan says. So is a series whose
images of several sizes lie like the slices of one volume.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

from mist.errors import SourceRefused
from mist.geometry import Geometry
from mist.ingest.dicom_geometry import stack_geometry
from mist.ingest.dicom_header import DicomHeader, require_one_format
from mist.ingest.dicom_stack import Plane, Stack, is_even, stack_planes
from mist.ingest.refusal import refusing
from mist.ingest.scan_id import scan_id_of_uid, with_suffix
from mist.ingest.seen_stack import SeenStack
from mist.ingest.source import Refusal, ScanTask, SourceKind, named, read_files

STACKED_MODALITIES = frozenset({"CT", "MR", "PT"})
"""Modalities whose series are slices through one volume. A series of radiographs is a folder of pictures."""

Slices = list[DicomHeader]


def without_copies(headers: Iterable[DicomHeader]) -> Slices:
    """`headers` without those whose files are byte for byte copies of the file of an earlier one."""
    kept: dict[str, Slices] = defaultdict(list)
    for header in headers:
        same_object = kept[header.sop_uid or str(header.path)]
        if not any(_is_copy(header, other) for other in same_object):
            same_object.append(header)
    return [header for same_object in kept.values() for header in same_object]


def sort_series(headers: Iterable[DicomHeader]) -> list[ScanTask | Refusal]:
    """The scans that DICOM files make, and those that they cannot make."""
    return [found for slices in _by_series(headers) for found in _sort_slices(slices)]


def stack_headers(headers: Sequence[DicomHeader]) -> tuple[Stack, tuple[float, float]]:
    """The stack that slices make, and their pixel spacing (rows, columns) in millimetres.

    Raises
    ------
    SourceRefused
        They differ in what they must share, or make no even stack.
    """
    require_one_format(headers)
    spacing = headers[0].slice_format.pixel_spacing
    planes = _planes(headers)
    if spacing is None or len(planes) < len(headers):
        raise SourceRefused("not all slices have a position, an orientation and a pixel spacing")
    return stack_planes(planes), spacing


def _by_series(headers: Iterable[DicomHeader]) -> list[Slices]:
    """`headers` in groups: the slices of a series together, every other image by itself."""
    series: dict[tuple[str, ...], Slices] = defaultdict(list)
    for header in headers:
        is_slice = header.series_uid and header.frames == 1 and header.modality in STACKED_MODALITIES
        key = (header.series_uid, header.modality) if is_slice else (str(header.path),)
        series[key].append(header)
    return list(series.values())


def _sort_slices(slices: Slices) -> list[ScanTask | Refusal]:
    """The scans in one series, and those that it should make but cannot."""
    try:
        with refusing(_name(slices)):
            stacks = _split(slices)
    except SourceRefused as error:
        return [_refusal(slices, error)]
    is_alone = sum(len(stack) > 1 for stack in stacks) == 1
    sizes = len({_matrix(stack[0]) for stack in stacks})
    return [_scan(stack, is_alone=is_alone, sizes=sizes) for stack in stacks]


def _scan(slices: Slices, *, is_alone: bool, sizes: int) -> ScanTask | Refusal:
    """The scan that parallel `slices` make, of a series of so many matrix `sizes`, or why they make none."""
    try:
        with refusing(_name(slices)):
            if len(slices) == 1:
                scan = _single(slices[0])
            else:
                scan = _stacked(slices, is_alone=is_alone, of=_size(slices[0]) if sizes > 1 else "")
    except SourceRefused as error:
        return _refusal(slices, error)
    if sizes == 1:
        return scan
    return replace(
        scan, note=f"its series has images of {sizes} sizes; this scan is of those of {_size(slices[0])} pixels"
    )


def _single(header: DicomHeader) -> ScanTask:
    _require_sound(header)
    scan_id = scan_id_of_uid(header.sop_uid, header.relative)
    return ScanTask(scan_id, SourceKind.DICOM, (header.path,), is_mask=header.modality == "SEG")


def _stacked(slices: Slices, *, is_alone: bool, of: str) -> ScanTask:
    """The scan of a stack, called by its series, and by direction and size (`of`) where the series has several."""
    stack, spacing_mm = stack_headers(slices)
    scan_id = scan_id_of_uid(slices[0].series_uid, slices[0].relative)
    if not is_alone:
        direction = [f"{cosine:.2f}" for cosine in stack.orientation]
        scan_id = with_suffix(scan_id, " ".join([*direction, of] if of else direction))
    ordered = [slices[place] for place in stack.order]
    seen = _seen_stack(ordered, stack_geometry(stack, spacing_mm))
    return ScanTask(scan_id, SourceKind.DICOM, tuple(header.path for header in ordered), seen=seen)


def _seen_stack(slices: Slices, geometry: Geometry) -> SeenStack | None:
    """What was seen of slices in order; None where one of them is not plain."""
    seen, form = [header.seen for header in slices if header.seen is not None], slices[0].slice_format
    if len(seen) < len(slices):
        return None
    return SeenStack(
        slices=tuple(seen),
        geometry=geometry,
        rows=form.rows,
        columns=form.columns,
        bits_allocated=form.bits_allocated,
        bits_stored=form.bits_stored,
        is_signed=form.pixel_representation == 1,
    )


def _split(slices: Slices) -> list[Slices]:
    """The slices of a series in groups that should each make one scan."""
    _require_distinct(slices)
    _require_one_patient(slices)
    for header in slices:
        _require_sound(header)
    by_matrix: dict[tuple[int, int], Slices] = defaultdict(list)
    for header in slices:
        by_matrix[_matrix(header)].append(header)
    stacks = [stack for alike in by_matrix.values() for stack in _split_alike(alike)]
    if len(by_matrix) > 1:
        _require_apart([stack for stack in stacks if _is_placed(stack[0])])
    return stacks


def _require_apart(stacks: Sequence[Slices]) -> None:
    """Refuse stacks of several sizes that lie like the slices of one volume: nobody can say which are wrong."""
    pairs = [[*one, *other] for one, other in combinations(stacks, 2)]
    for slices in [*pairs, *_by_direction([header for stack in stacks for header in stack])]:
        planes = _planes(slices)
        is_stack = all(plane.is_parallel_to(planes[0]) for plane in planes) and is_even(planes)
        if is_stack and len(set(map(_matrix, slices))) > 1:
            require_one_format(slices)


def _split_alike(slices: Slices) -> list[Slices]:
    """Slices of one size in groups that should each make one scan."""
    placed = [header for header in slices if _is_placed(header)]
    if not placed:
        return [[header] for header in slices]
    if len(placed) < len(slices):
        without = next(header for header in slices if header not in placed)
        raise SourceRefused(
            f"only {len(placed)} of {len(slices)} slices have a position, an orientation and a pixel spacing; "
            f"{without.path.name} does not; give those without a series of their own"
        )
    return _by_direction(slices)


def _by_direction(slices: Slices) -> list[Slices]:
    """`slices`, which all have planes, in groups of parallel ones."""
    groups: list[tuple[Plane, Slices]] = []
    for header, plane in zip(slices, _planes(slices), strict=True):
        group = next((members for first, members in groups if plane.is_parallel_to(first)), None)
        if group is None:
            groups.append((plane, [header]))
        else:
            group.append(header)
    return [members for _, members in groups]


def _require_distinct(slices: Slices) -> None:
    """Refuse slices of which two claim to be the same object, since nobody can say which one is right."""
    seen: dict[str, DicomHeader] = {}
    for header in slices:
        other = seen.setdefault(header.sop_uid, header) if header.sop_uid else header
        if other is not header:
            raise SourceRefused(
                f"{other.path.name} and {header.path.name} are different files of one SOP Instance UID "
                f"{header.sop_uid}; remove the wrong one"
            )


def _require_one_patient(slices: Slices) -> None:
    """Refuse a series of two patients; which ones is nobody's business who reads a message."""
    named_slices = [header for header in slices if header.patient_id]
    other = next((header for header in named_slices if header.patient_id != named_slices[0].patient_id), None)
    if other is not None:
        raise SourceRefused(
            f"{named_slices[0].path.name} and {other.path.name} are of one series and of two patients (Patient ID); "
            "correct the wrong one, or give each patient a series"
        )


def _require_sound(header: DicomHeader) -> None:
    if header.fault:
        raise SourceRefused(f"{header.path.name}: {header.fault}")


def _is_placed(header: DicomHeader) -> bool:
    return header.plane is not None and header.slice_format.pixel_spacing is not None


def _matrix(header: DicomHeader) -> tuple[int, int]:
    return header.slice_format.rows, header.slice_format.columns


def _size(header: DicomHeader) -> str:
    return "{} x {}".format(*_matrix(header))


def _planes(headers: Iterable[DicomHeader]) -> list[Plane]:
    return [header.plane for header in headers if header.plane is not None]


def _name(slices: Slices) -> str:
    return named([header.path for header in slices])


def _refusal(slices: Slices, error: SourceRefused) -> Refusal:
    return Refusal(tuple(header.path for header in slices), str(error))


def _is_copy(one: DicomHeader, other: DicomHeader) -> bool:
    ours, theirs = read_files([one.path])[0], read_files([other.path])[0]
    return ours.sha256 == theirs.sha256
