"""What a job of an ingest is given, and what comes of it.

The rule: data in and data out, so that a job is done in any process, on any machine that sees the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mist.ingest.deidentify.counts import Findings
from mist.ingest.deidentify.file import Deidentification
from mist.ingest.report import ScanOutcome, ScanStatus
from mist.ingest.source import ScanTask
from mist_storage.catalog_row import CatalogRow
from mist_storage.workspace import MEMORY, Files, Workspace

SLABS_IN_MEMORY = 32
"""What is looked at together of a scan that memory is too small for takes some six times its own size, decoded."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to store.

    Parameters
    ----------
    dataset_url
        The dataset.
    tasks
        The scan, and its mask.
    known
        Of the scans that the dataset has already, and of those whose masks they are: the digest of the source, by
        scan id.
    replace
        Whether a scan of other content gives way.
    dry_run
        Whether to do everything but the storing.
    memory_bytes
        How much memory there is, where it is known not to be enough: voxels then lie in files. None where it is.
    deidentification
        What is done to the files before anything else reads them; None where they are read as they are.
    scratch
        A private folder for what is made of the files then.
    """

    dataset_url: str
    tasks: tuple[ScanTask, ...]
    known: Mapping[str, str]
    replace: bool = False
    dry_run: bool = False
    memory_bytes: int | None = None
    deidentification: Deidentification | None = None
    scratch: Path | None = None

    @property
    def workspace(self) -> Workspace:
        """Where voxels lie while the job is done."""
        return MEMORY if self.memory_bytes is None else Files(max(1, self.memory_bytes // SLABS_IN_MEMORY))

    @property
    def is_known(self) -> bool:
        """Whether the dataset has all its scans already, so that nothing will be decoded."""
        return not self.replace and all(task.scan_id in self.known and not task.segments for task in self.tasks)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one task of a job."""

    task: ScanTask
    """The task."""
    outcome: ScanOutcome
    """What to report."""
    row: CatalogRow | None = None
    """The row to commit, if it was stored."""
    findings: Findings = field(default_factory=Findings)
    """What de-identification found and did; the first result of a job has that of all its tasks."""


def refused(job: Job, reason: str) -> list[Result]:
    """The results of a job of which nothing is stored."""
    return [
        Result(task, ScanOutcome(task.scan_id, task.source, ScanStatus.REFUSED, _reason(task, job, reason)))
        for task in job.tasks
    ]


def _reason(task: ScanTask, job: Job, reason: str) -> str:
    """`reason`, led by the scan's own name where the fault may be that of the other scan of the job."""
    is_own = len(job.tasks) == 1 or reason.startswith(task.source)
    own = reason if is_own else f"{task.source}, with its pair: {reason}"
    return f"{own}; {task.note}" if task.note else own
