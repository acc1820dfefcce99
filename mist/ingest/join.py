"""Labels joined to the scans that they belong to.

The rule: a row that fits no scan is an error, never dropped; an image and its mask stand and fall together. Reads
nothing but the headers of masks that lie outside the sources.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mist.errors import InvalidRequest
from mist.ingest.dicom_header import read_header
from mist.ingest.discover import Discovery, ReadHeader, discover_files, without_collisions
from mist.ingest.labels import LabelRow
from mist.ingest.source import Refusal, ScanTask
from mist_storage.catalog_row import Label


def join_labels(discovery: Discovery, rows: Sequence[LabelRow], read: ReadHeader = read_header) -> Discovery:
    """`discovery` with labels and masks: a mask is one whether or not the sources hold it as well.

    Parameters
    ----------
    read
        What reads the header of a mask that `discovery` has left out: one outside the sources, or a copy.

    Raises
    ------
    InvalidRequest
        A row names a file that no source has, or two rows say different things of one scan.
    """
    whole = _with_masks(discovery, rows, read)
    scans = _Scans.of(whole)
    facts: dict[str, _Facts] = {}
    lost: dict[str, str] = {}
    for row in rows:
        scan_id, mask_id = scans.find(row.file), scans.find(row.mask.path) if row.mask else None
        if scan_id is None or (row.mask and mask_id is None):
            lost |= _lost(row, scan_id, mask_id)
        else:
            _agree(facts, scan_id, _Facts(row.labels, mask_id), row)
    return _applied(whole, facts, lost)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the rows say of one scan."""

    labels: Mapping[str, Label]
    mask: str | None


@dataclass(frozen=True, slots=True)
class _Scans:
    """Which scan each file of a run is in."""

    ids: Mapping[str, str]
    """By real path."""
    refused: frozenset[str]
    """Real paths of files that are in none."""

    @classmethod
    def of(cls, discovery: Discovery) -> _Scans:
        ids = {os.path.realpath(path): task.scan_id for task in discovery.tasks for path in task.paths}
        refused = frozenset(os.path.realpath(path) for refusal in discovery.refusals for path in refusal.paths)
        return cls(ids, refused)

    def find(self, path: Path) -> str | None:
        """The id of the scan that the file at `path` is in, or None where it was refused."""
        real = os.path.realpath(path)
        if real not in self.ids and real not in self.refused:
            raise InvalidRequest(
                f"the labels name {path}, which is no image of the sources; add it to them or drop its row"
            )
        return self.ids.get(real)


def _with_masks(discovery: Discovery, rows: Sequence[LabelRow], read: ReadHeader) -> Discovery:
    """`discovery` and the masks that `rows` name beyond it."""
    scans = _Scans.of(discovery)
    known = scans.ids.keys() | scans.refused
    more = [row.mask for row in rows if row.mask and os.path.realpath(row.mask.path) not in known]
    masks = discover_files(more, read)
    tasks, collisions = without_collisions([*discovery.tasks, *masks.tasks])
    return Discovery(
        tasks=tuple(tasks),
        refusals=(*discovery.refusals, *masks.refusals, *collisions),
        skipped=(*discovery.skipped, *masks.skipped),
    )


def _lost(row: LabelRow, scan_id: str | None, mask_id: str | None) -> dict[str, str]:
    """Why the scan or the mask of a row cannot be stored when the other one was refused."""
    if scan_id is not None and row.mask:
        return {scan_id: f"its mask {row.mask.path.name} was refused"}
    return {mask_id: f"{row.file.name}, whose mask it is, was refused"} if mask_id is not None else {}


def _agree(facts: dict[str, _Facts], scan_id: str, said: _Facts, row: LabelRow) -> None:
    if facts.setdefault(scan_id, said) != said:
        raise InvalidRequest(f"the labels say different things of scan {scan_id!r}, once of its file {row.file.name}")
    if said.mask == scan_id:
        raise InvalidRequest(f"the labels name {row.file.name} as its own mask")


def _applied(discovery: Discovery, facts: Mapping[str, _Facts], lost: Mapping[str, str]) -> Discovery:
    mask_of = {said.mask: scan_id for scan_id, said in facts.items() if said.mask is not None}
    told = [_told(task, facts.get(task.scan_id), mask_of.get(task.scan_id)) for task in discovery.tasks]
    refusals = [
        Refusal(task.paths, f"{task.source}: {lost[task.scan_id]}") for task in discovery.tasks if task.scan_id in lost
    ]
    return replace(
        discovery,
        tasks=tuple(sorted((task for task in told if task.scan_id not in lost), key=lambda task: task.scan_id)),
        refusals=(*discovery.refusals, *refusals),
    )


def _told(task: ScanTask, said: _Facts | None, mask_of: str | None) -> ScanTask:
    """`task` with what the labels say of it."""
    if said is not None:
        task = replace(task, labels=said.labels, mask=said.mask)
    return replace(task, is_mask=True, mask_of=mask_of) if mask_of is not None else task
