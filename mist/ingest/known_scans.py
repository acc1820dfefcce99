"""What a dataset has already of the scans of an ingest.

The rule: what is known is looked up once, before anything is decoded; labels and masks stay unless new ones are given.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace as replaced

from mist.errors import DatasetNotFound
from mist.ingest.job import Job, Result
from mist.ingest.report import ScanStatus
from mist.ingest.source import ScanTask
from mist_storage.catalog_row import CatalogRow, Label
from mist_storage.dataset import open_dataset


def existing_rows(dataset_url: str, tasks: Iterable[ScanTask]) -> dict[str, CatalogRow]:
    """The rows that the dataset has for `tasks` and for the scans whose masks they are, by scan id."""
    try:
        catalog = open_dataset(dataset_url).catalog
    except DatasetNotFound:
        return {}
    rows = {task.scan_id: catalog.row(task.scan_id) for task in tasks if task.scan_id in catalog}
    images = {row.mask_of for row in rows.values() if row.mask_of is not None and row.mask_of in catalog}
    return rows | {scan_id: catalog.row(scan_id) for scan_id in images}


def as_stored(task: ScanTask, rows: Mapping[str, CatalogRow]) -> ScanTask:
    """`task` with the labels and masks that the dataset has for it."""
    row = rows.get(task.scan_id)
    if row is None:
        return task
    is_mask = task.is_mask or row.mask_of is not None
    return replaced(task, is_mask=is_mask, mask=row.mask, mask_of=row.mask_of, labels=row.labels)


def with_known(tasks: tuple[ScanTask, ...], rows: Mapping[str, CatalogRow], pattern: Job) -> Job:
    """A job like `pattern` that does `tasks`, and knows which of them the dataset has."""
    own = [rows[task.scan_id] for task in tasks if task.scan_id in rows]
    images = [rows[row.mask_of] for row in own if row.mask_of in rows and row.mask_of is not None]
    known = {row.scan_id: row.source_sha256 for row in (*own, *images)}
    return replaced(pattern, tasks=tasks, known=known)


def relabelled(result: Result, rows: Mapping[str, CatalogRow]) -> Result:
    """`result` with a new row where the dataset has the scan but other labels."""
    if result.outcome.status is not ScanStatus.UNCHANGED:
        return result
    row, task = rows[result.task.scan_id], result.task
    same = (row.mask, row.mask_of, _given(row.labels)) == (task.mask, task.mask_of, _given(task.labels))
    if same:
        return result
    new = replaced(row, mask=task.mask, mask_of=task.mask_of, labels=task.labels)
    return Result(task, replaced(result.outcome, status=ScanStatus.RELABELLED), new)


def _given(labels: Mapping[str, Label]) -> dict[str, Label]:
    """The labels that have a value, such that equal labels compare equal: NaN does not."""
    given = {name: value for name, value in labels.items() if value is not None}
    return {name: "NaN" if isinstance(value, float) and math.isnan(value) else value for name, value in given.items()}
