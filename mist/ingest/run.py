"""Ingest: sources into a dataset.

The rule: workers write objects, the caller's process commits rows, so a reader sees all of a scan or none of it. What
the dataset has already is not decoded again, and nothing is committed where nothing changed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace as replaced
from functools import partial
from itertools import chain
from pathlib import Path

from mist.errors import InvalidRequest
from mist.ingest.commits import COMMIT_ROWS, AddRows, OnStopped, committing
from mist.ingest.deidentify.counts import Findings
from mist.ingest.deidentify.discovery import discover_privately
from mist.ingest.deidentify.file import Deidentification
from mist.ingest.deidentify.private_file import map_file
from mist.ingest.deidentify.staging import Staging
from mist.ingest.discover import Discovery, discover
from mist.ingest.job import Job, Result
from mist.ingest.join import join_labels
from mist.ingest.known_scans import as_stored, existing_rows, relabelled, with_known
from mist.ingest.labels import read_labels
from mist.ingest.processes import do_jobs
from mist.ingest.report import IngestReport, OnProgress, Progress, ScanOutcome, ScanStatus
from mist.ingest.segmentations import settled
from mist.ingest.source import Refusal, ScanTask, named
from mist_storage.address import WRITABLE_SCHEMES, Address
from mist_storage.catalog import commit_rows as commit_to_catalog
from mist_storage.dataset import split_version

Names = Callable[[Sequence[Path]], tuple[str, ...]]
"""What files are called in a report."""


def ingest(  # noqa: PLR0913 - each is an option of the command
    sources: Sequence[str | Path],
    dataset_url: str,
    *,
    labels: str | Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    memory_bytes: int | None = None,
    dry_run: bool = False,
    replace: bool = False,
    commit_rows: int = COMMIT_ROWS,
    deidentification: Deidentification | None = None,
    private_map: Path | None = None,
    on_progress: OnProgress | None = None,
    on_stopped: OnStopped | None = None,
) -> IngestReport:
    """Store the scans in `sources` in the dataset at `dataset_url`.

    Parameters
    ----------
    sources
        Files, and folders that are searched through.
    dataset_url
        `file://`, `s3://` or a path of a local folder; made where it does not exist.
    labels
        A CSV file: see `mist.ingest.labels`. Without one, what the dataset says of labels and masks stays.
    workers
        Processes, at least 1; as many as there are processor cores if None. 1 is this process, which a decoder that
        crashes or hangs on a malicious file takes with it: for files that are trusted, and for debugging.
    scheduler
        Address of a Dask scheduler, whose workers do the work instead; see `mist.ingest.dask_cluster`.
    memory_bytes
        What all workers together may take, each by itself where there is a `scheduler`; half of the machine's memory
        if None. A scan that needs more than this is stored through files, alone.
    dry_run
        Read and check everything, store nothing.
    replace
        Whether a scan takes the place of one with the same id and other content, which is refused otherwise.
    commit_rows
        Rows of one commit; there are fewer after `mist.ingest.commits.COMMIT_SECONDS`.
    deidentification
        What is done to each file before anything else reads it; None where files are stored as they are.
    private_map
        Where to write which file was given which name, if somebody is to know.
    on_progress
        Told of each source when it is done.
    on_stopped
        Told what is committed where an error or a signal ends the work: what was done until then, in one last commit.

    Raises
    ------
    InvalidRequest
        A source or the labels cannot be used, or the dataset cannot be written to.
    ScanConflict
        Another ingest has stored one of the scans from other files since this one began; run it again.
    StoreError
        The store failed. What was done before stays, if it could be committed; nothing else is visible.
    ClusterUnavailable
        The Dask cluster cannot be reached, or cannot do this. What was done before stays.
    """
    _require_usable(dataset_url, workers, scheduler)
    _require_private(deidentification, scheduler)
    with _discovered(sources, labels, deidentification, private_map) as (discovery, scratch):
        rows = existing_rows(dataset_url, discovery.tasks)
        told = discovery.tasks if labels is not None else [as_stored(task, rows) for task in discovery.tasks]
        tasks = settled(told, asks_anew=replace and labels is None)
        pattern = Job(dataset_url, (), {}, replace, dry_run, deidentification=deidentification, scratch=scratch)
        jobs = [with_known(bundle, rows, pattern) for bundle in bundles(tasks)]
        if scheduler is not None:
            results = _on_cluster(scheduler, jobs, memory_bytes)
        else:
            results = do_jobs(jobs, workers, memory_bytes=memory_bytes)
        findings: list[Findings] = []
        current = ([relabelled(_noted(result, findings), rows) for result in bundle] for bundle in results)
        names = _as_paths if deidentification is None else _as_names
        known = None if replace else {scan_id: row.source_sha256 for scan_id, row in rows.items()}
        commit = None if dry_run else partial(commit_to_catalog, dataset_url, known=known)
        with committing(commit, commit_rows, on_stopped) as add, closing(results):
            return _reported(discovery, _outcomes(current, add, names), findings, on_progress, names)


@contextmanager
def _discovered(
    sources: Sequence[str | Path],
    labels: str | Path | None,
    deidentification: Deidentification | None,
    private_map: Path | None,
) -> Iterator[tuple[Discovery, Path | None]]:
    """The scans in `sources` with their labels; and, where files are de-identified, a folder for clean ones."""
    if deidentification is None:
        discovery = discover(sources)
        if not (discovery.tasks or discovery.refusals):
            raise InvalidRequest(f"{', '.join(map(str, sources))}: no images, only files that are none")
        yield (discovery if labels is None else join_labels(discovery, read_labels(labels))), None
        return
    with Staging.open(deidentification.key) as staging:
        discovery = discover_privately(sources, labels, deidentification, staging)
        if private_map is not None:
            map_file(private_map).write(staging.map(discovery.tasks))
        yield discovery, staging.folder


def _reported(
    discovery: Discovery,
    stored: Iterable[ScanOutcome],
    findings: Sequence[Findings],
    on_progress: OnProgress | None,
    names: Names,
) -> IngestReport:
    """The report of all that `discovery` found; `findings` are there once `stored` has been gone through."""
    refused = [_outcome(refusal, names) for refusal in discovery.refusals]
    total = len(refused) + len(discovery.tasks)
    outcomes = [
        _told(outcome, done, total, on_progress) for done, outcome in enumerate(chain(refused, stored), start=1)
    ]
    ordered = tuple(sorted(outcomes, key=lambda o: (o.scan_id, o.source)))
    return IngestReport(ordered, len(discovery.skipped), Findings.sum(findings), names(discovery.skipped))


def _as_paths(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(map(str, paths))


def _as_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """The names of links or clean copies, which are neutral; the folder that they lie in is gone afterwards."""
    return tuple(path.name for path in paths)


def _noted(result: Result, findings: list[Findings]) -> Result:
    findings.append(result.findings)
    return result


def bundles(tasks: Iterable[ScanTask]) -> list[tuple[ScanTask, ...]]:
    """The tasks stored together or not at all: an image and its mask; any other by itself. None is left out."""
    by_id = {task.scan_id: task for task in tasks}
    wanted = [(task.scan_id, task.mask) for task in by_id.values() if task.mask is not None]
    wanted += [(task.segments, task.scan_id) for task in by_id.values() if task.segments is not None]
    pairs: dict[str, str] = {}
    paired: set[str] = set()
    for image, mask in wanted:
        if image != mask and image in by_id and mask in by_id and paired.isdisjoint((image, mask)):
            pairs[image] = mask
            paired |= {image, mask}
    masks = set(pairs.values())
    return [
        (task, by_id[pairs[task.scan_id]]) if task.scan_id in pairs else (task,)
        for task in by_id.values()
        if task.scan_id not in masks
    ]


def _on_cluster(scheduler: str, jobs: Sequence[Job], memory_bytes: int | None) -> Generator[list[Result], None, None]:
    from mist.ingest.dask_cluster import do_jobs_on  # noqa: PLC0415 - most ingests do without Dask

    return do_jobs_on(scheduler, jobs, memory_bytes=memory_bytes)


def _require_usable(dataset_url: str, workers: int | None, scheduler: str | None) -> None:
    if workers is not None and scheduler is not None:
        raise InvalidRequest("give workers or a scheduler, not both: a cluster has workers of its own")
    if workers is not None and workers < 1:
        raise InvalidRequest(f"an ingest needs at least 1 worker, not {workers}")
    if split_version(dataset_url)[1] is not None:
        raise InvalidRequest(
            f"{dataset_url} names a version, and versions never change; leave out the @ and the number"
        )
    address = Address.parse(dataset_url)
    if address.scheme not in WRITABLE_SCHEMES:
        places = " or ".join(f"{scheme}://" for scheme in WRITABLE_SCHEMES)
        raise InvalidRequest(f"{dataset_url}: a dataset is written to {places}")
    if address.scheme == "file" and (in_the_way := _file_on_the_way_to(address.path)) is not None:
        raise InvalidRequest(f"{dataset_url}: {in_the_way} is a file, not a folder")


def _require_private(deidentification: Deidentification | None, scheduler: str | None) -> None:
    if deidentification is not None and scheduler is not None:
        raise InvalidRequest("files are de-identified on this machine, which their key does not leave: no scheduler")


def _file_on_the_way_to(folder: Path) -> Path | None:
    """What keeps `folder` from being made: the first of it and its parents that is there, if that is no folder."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    return None if there is None or there.is_dir() else there


def _outcomes(results: Iterable[Sequence[Result]], add: AddRows, names: Names) -> Iterator[ScanOutcome]:
    """The outcomes of `results`, whose rows are committed in time."""
    for bundle in results:
        add([result.row for result in bundle if result.row is not None])
        yield from (replaced(result.outcome, files=names(result.task.paths)) for result in bundle)


def _outcome(refusal: Refusal, names: Names) -> ScanOutcome:
    return ScanOutcome("", named(refusal.paths), ScanStatus.REFUSED, refusal.reason, files=names(refusal.paths))


def _told(outcome: ScanOutcome, done: int, total: int, on_progress: OnProgress | None) -> ScanOutcome:
    if on_progress is not None:
        on_progress(Progress(done, total, outcome))
    return outcome
