"""DICOM segmentations tied to the scans that they refer to.

The rule: a scan has one mask. Labels and the dataset say first which one; where they are silent, it is the only
segmentation that refers to the scan's series, and of several it is none. An untied one is a scan of its own, with a
note that says why. Reads nothing: whether labels lie on the scan's grid is found out when they are decoded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mist.ingest.dicom_header import DicomHeader
from mist.ingest.source import ScanTask


def referring(tasks: Iterable[ScanTask], headers: Iterable[DicomHeader]) -> list[ScanTask]:
    """`tasks` of which each segmentation knows the scan that it refers to, if that is one of them."""
    all_tasks, by_path = list(tasks), {header.path: header for header in headers}
    scans: dict[str, list[str]] = defaultdict(list)
    for task in all_tasks:
        if not task.is_mask and task.paths[0] in by_path:
            scans[by_path[task.paths[0]].series_uid].append(task.scan_id)
    series = {path: header.segments_series for path, header in by_path.items() if header.segments_series}
    return [
        _referring(task, scans[series[task.paths[0]]]) if task.is_mask and task.paths[0] in series else task
        for task in all_tasks
    ]


def _referring(task: ScanTask, scans: Sequence[str]) -> ScanTask:
    if len(scans) > 1:
        return replace(task, note=f"not tied: the series that it refers to makes {len(scans)} scans")
    return replace(task, segments=scans[0]) if scans else task


def settled(tasks: Sequence[ScanTask], *, asks_anew: bool) -> list[ScanTask]:
    """`tasks` in which at most one segmentation is still to be put on the grid of each scan.

    Parameters
    ----------
    asks_anew
        Whether masks are what the dataset says, and may change: what its headers say of a pair is then not yet said.
    """
    by_id = {task.scan_id: task for task in tasks}
    rivals: dict[str | None, int] = defaultdict(int)
    for task in tasks:
        rivals[task.segments] += 1
    told = {task.scan_id: _settled(task, by_id, rivals) for task in tasks}
    if asks_anew:
        for task in [task for task in told.values() if task.segments]:
            told |= _unsaid(told[task.segments or ""], task)
    return list(told.values())


def _settled(task: ScanTask, by_id: Mapping[str, ScanTask], rivals: Mapping[str | None, int]) -> ScanTask:
    if task.segments is None:
        return task
    image = by_id.get(task.segments)
    if image is None or task.mask_of not in (None, image.scan_id):
        return replace(task, segments=None)
    if reason := _conflict(image, task, rivals[image.scan_id]):
        return untied(task, reason)
    return task


def _conflict(image: ScanTask, mask: ScanTask, rivals: int) -> str:
    """Why `mask` cannot be that of `image`; empty where nothing speaks against it."""
    if image.is_mask:
        return "that scan is a mask itself"
    if image.mask not in (None, mask.scan_id):
        return f"that scan has the mask {image.mask}"
    if image.mask is None and rivals > 1:
        return f"{rivals} segmentations refer to it, and a scan has one mask: name one in the labels"
    return ""


def _unsaid(image: ScanTask, mask: ScanTask) -> dict[str, ScanTask]:
    return {image.scan_id: replace(image, mask=None), mask.scan_id: replace(mask, mask_of=None)}


def untied(task: ScanTask, reason: str) -> ScanTask:
    """`task`, a segmentation, as a scan of its own, with a note of why."""
    return replace(task, segments=None, note=f"not tied to scan {task.segments}: {reason}")


def tied(tasks: Sequence[ScanTask]) -> tuple[ScanTask, ...]:
    """The `tasks` of a job; if they are a scan and a segmentation on its grid, each names the other."""
    if tasks[-1].segments is None:
        return tuple(tasks)
    image, mask = tasks
    return replace(image, mask=mask.scan_id), replace(mask, mask_of=image.scan_id)


def apart(tasks: Sequence[ScanTask], reason: str) -> list[tuple[ScanTask, ...]]:
    """What to do instead of `tasks`, a scan and a segmentation that cannot be put on its grid; else nothing.

    A pair that labels or the dataset have tied stays one, on the grid that the segmentation has by itself.
    """
    if tasks[-1].segments is None:
        return []
    image, mask = tasks
    alone = untied(mask, reason)
    return [(image, alone)] if mask.mask_of is not None else [(image,), (alone,)]
