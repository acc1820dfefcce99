"""One job of an ingest: a scan, with its mask if it has one, from files to stored objects.

The rule: a job is data in and data out, so that it runs in any process. It writes objects and never the catalog; what
it returns becomes visible only when its rows are committed. Nothing of a job is stored unless all of it can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mist.errors import SourceRefused
from mist.ingest.deidentify.copies import cleaned, refused_findings
from mist.ingest.deidentify.risk import BurnedInRisk
from mist.ingest.expected_memory import PROCESS_BYTES, expected_memory
from mist.ingest.job import Job, Result, refused
from mist.ingest.keep import KeptFiles, keep_files
from mist.ingest.limits import Limits, limited
from mist.ingest.load import READ_FROM_MEMORY, load_scan, load_segmentation
from mist.ingest.one_grid import require_one_grid
from mist.ingest.refusal import refusing
from mist.ingest.report import ScanOutcome, ScanStatus
from mist.ingest.segmentations import apart, tied
from mist.ingest.source import Contents, ScanTask, SourceFile, SourceScan, hold_files, read_files, source_digest
from mist.wavelet import IMAGE_WAVELET, MASK_WAVELET
from mist_storage.catalog_row import CatalogRow
from mist_storage.scan_writer import EncodingFailed, write_scan
from mist_storage.store import Store, open_store
from mist_storage.workspace import Workspace


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A task whose source has been read."""

    task: ScanTask
    files: tuple[SourceFile, ...]
    scan: SourceScan | None
    """None where the dataset has it already."""
    digest: str
    """Of the source."""
    kept: KeptFiles | None = None
    """What is kept of the files of `scan`; None where nothing is to be stored."""

    @property
    def source_bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def do_job(job: Job, limits: Limits | None = None) -> list[Result]:
    """Do `job`; what cannot be stored is in the results, one for each task in its order.

    A segmentation that cannot be put on the grid of its scan is stored by itself instead. With `limits`, which are for
    child processes, decoding ends the process that takes more time than they grant.

    Raises
    ------
    StoreError
        The store failed.
    """
    results = _do_together(job, limits)
    mask = results[-1].outcome
    parts = parts_of(job, mask.reason) if mask.status is ScanStatus.REFUSED else []
    return [result for part in parts for result in _do_together(part, limits)] or results


def parts_of(job: Job, reason: str) -> list[Job]:
    """What to do instead of a `job` that failed: nothing else, unless a segmentation need not be tied to its scan."""
    return [replace(job, tasks=tasks) for tasks in apart(job.tasks, reason)]


def _do_together(job: Job, limits: Limits | None) -> list[Result]:
    """Store all scans of `job`, or none."""
    try:
        if job.deidentification is None:
            return _do_tasks(job, limits)
        with cleaned(job.tasks, job.deidentification, job.scratch, limits) as (tasks, findings):
            first, *others = _do_tasks(replace(job, tasks=tasks), limits)
            return [replace(first, findings=findings), *others]
    except BurnedInRisk as error:
        first, *others = refused(job, str(error))
        return [replace(first, findings=refused_findings(job.tasks)), *others]
    except (SourceRefused, EncodingFailed) as error:
        return refused(job, str(error))


def expected_bytes(job: Job) -> int:
    """How much memory `job` will take: little where the dataset has its scans already."""
    if job.is_known:
        return PROCESS_BYTES
    on_grid = job.tasks[:1] if job.tasks[-1].segments else ()  # whose labels are as many as the scan's voxels
    return sum(map(expected_memory, (*job.tasks, *on_grid)))


def _do_tasks(job: Job, limits: Limits | None) -> list[Result]:
    """Do the tasks of `job` from their files as they are."""
    prepared: list[_Prepared] = []
    for task in tied(job.tasks):
        prepared.append(_prepare(task, job, limits, prepared[0] if task.segments else None))
    for mask in prepared[1:]:
        if mask.task.segments is None:  # or its labels were put on the grid of the image
            _require_one_grid(prepared[0], mask, job, limits)
    return [_finish(item, job) for item in prepared]


def _prepare(task: ScanTask, job: Job, limits: Limits | None, image: _Prepared | None) -> _Prepared:
    """Read the source of `task`, and decode it unless the dataset has it.

    Parameters
    ----------
    image
        The scan on whose grid its labels are put; None where it has a grid of its own.

    Raises
    ------
    SourceRefused
        It cannot be read, does not lie on that grid, or the dataset has a scan of that id from other files.
    """
    with refusing(task.source):
        files, held = _files(task, job)
    digest = source_digest(files, is_mask=task.is_mask, grid=None if image is None else image.digest)
    known = job.known.get(task.scan_id)
    forms = _forms(task, files, job)
    if known == digest or (image is None and known in forms):
        return _Prepared(task, files, None, digest)
    if known is not None and known not in forms and not job.replace:
        raise SourceRefused(
            f"{task.source}: the dataset has scan {task.scan_id!r} from other content; "
            "--replace puts this in its place; or give the source another name"
        )
    grid_files = () if image is None else image.files
    with limited(limits, sum(file.bytes for file in (*files, *grid_files))):
        scan = _loaded(task, files, job, image, held)
    if job.dry_run:
        return _Prepared(task, files, scan, digest)
    with refusing(task.source):
        return _Prepared(task, files, scan, digest, keep_files(task, files, scan.decoded, held))


def _files(task: ScanTask, job: Job) -> tuple[tuple[SourceFile, ...], Contents]:
    """The files of `task`, and what they hold, where there is room for it and it is all that will be read of them."""
    is_held = job.memory_bytes is None and task.kind in READ_FROM_MEMORY and task.segments is None
    return hold_files(task.paths) if is_held else (read_files(task.paths), {})


def _forms(task: ScanTask, files: Sequence[SourceFile], job: Job) -> set[str]:
    """The digests that a scan of `files` may have in the dataset: by itself, or on the grid of a scan that is there."""
    own = {source_digest(files, is_mask=task.is_mask)}
    if not task.is_mask or (job.replace and task.mask_of is None):
        return own
    own_ids = {each.scan_id for each in job.tasks}
    grids = [digest for scan_id, digest in job.known.items() if scan_id not in own_ids]
    return own | {source_digest(files, is_mask=True, grid=grid) for grid in grids}


def _loaded(
    task: ScanTask, files: Sequence[SourceFile], job: Job, image: _Prepared | None, held: Contents
) -> SourceScan:
    if image is None:
        return load_scan(task, files, job.workspace, held)
    return load_segmentation(task, image.task.paths, files, job.workspace)


def _require_one_grid(image: _Prepared, mask: _Prepared, job: Job, limits: Limits | None) -> None:
    """Refuse a mask that does not lie on its image, also where the dataset has one of them already."""
    if image.scan is None and mask.scan is None:
        return
    with limited(limits, sum(file.bytes for file in (*image.files, *mask.files))):
        scans = [item.scan or _loaded(item.task, item.files, job, None, {}) for item in (image, mask)]
    require_one_grid(*scans)


def _finish(item: _Prepared, job: Job) -> Result:
    """Store what has been prepared, unless the dataset has it."""
    if item.scan is None:
        return _result(item, ScanStatus.UNCHANGED)
    if item.kept is None:
        return _result(item, ScanStatus.PLANNED)
    row = _store(open_store(job.dataset_url), item, item.scan, item.kept, job.workspace)
    return _result(item, ScanStatus.STORED, row)


def _result(item: _Prepared, status: ScanStatus, row: CatalogRow | None = None) -> Result:
    stored_bytes = row.stored_bytes if row is not None else 0
    task = item.task
    outcome = ScanOutcome(task.scan_id, task.source, status, task.note, item.source_bytes, stored_bytes)
    return Result(task, outcome, row)


def _store(store: Store, item: _Prepared, scan: SourceScan, source: KeptFiles, workspace: Workspace) -> CatalogRow:
    """Write the objects of `scan`; the row that makes them a scan."""
    stored = write_scan(
        store,
        scan.scan_id,
        scan.decoded.volume,
        wavelet=MASK_WAVELET if scan.is_mask else IMAGE_WAVELET,
        display=scan.decoded.display,
        sources=[file.to_json() for file in source.files],
        kept=source.kept,
        workspace=workspace,
    )
    return CatalogRow(
        scan_id=stored.scan_id,
        digest=stored.digest,
        header=stored.header,
        modality=scan.decoded.modality,
        body_part=scan.decoded.body_part,
        mask=item.task.mask,
        mask_of=item.task.mask_of,
        source_sha256=item.digest,
        source_bytes=item.source_bytes,
        stored_bytes=stored.stored_bytes,
        labels=item.task.labels,
    )
