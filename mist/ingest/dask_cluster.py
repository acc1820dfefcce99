"""Jobs on a Dask cluster.

The rule: a worker does a job as this machine would, in a child process within limits (`mist.ingest.workshop`), so a
decoder that crashes costs one scan and never the worker. A worker that is killed costs nothing: Dask hands its jobs to
others, and what both stored is the same object. Nothing is begun on a worker that runs another MIST or sees other
files. The one module that knows Dask.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from distributed import Client, KilledWorker, get_worker
from distributed.client import FutureCancelledError
from distributed.comm.addressing import get_address_host_port
from distributed.comm.core import CommClosedError

from mist.errors import ClusterUnavailable
from mist.ingest.batches import batches
from mist.ingest.cluster_check import Surroundings, fault, looking
from mist.ingest.job import Job, Result
from mist.ingest.limits import Limits
from mist.ingest.memory_gate import usual_memory
from mist.ingest.processes import JOBS_AHEAD, USUAL, in_turn
from mist.ingest.worker import do_job
from mist.ingest.workshop import Workshop
from mist_storage.address import Address
from mist_storage.keys import SCANS

CONNECT_S = 10
"""How long a scheduler, and then a first worker, is waited for."""

_LOST = (KilledWorker, CommClosedError, CancelledError, FutureCancelledError, asyncio.CancelledError)
"""What Dask raises of work that nobody does any more."""


@dataclass(frozen=True, slots=True)
class Run:
    """One ingest, as its workers must know it."""

    name: str
    """Of no other run."""
    asking: Surroundings
    """The machine that it was started on."""
    limits: Limits
    """What decoding a scan may take."""
    memory_bytes: int | None
    """What the jobs of one worker may take together; what Dask grants the worker, or half of its machine, if None."""
    probe: Path | None
    """A file beside the dataset, which shows a worker that it sees the same folder; None in a bucket."""


def do_jobs_on(
    scheduler: str, jobs: Sequence[Job], limits: Limits = USUAL, memory_bytes: int | None = None
) -> Generator[list[Result], None, None]:
    """The results of `jobs`, as the workers of the Dask scheduler at `scheduler` have done them.

    Parameters
    ----------
    scheduler
        Its address, such as `tcp://host:8786`.
    jobs
        What to do.
    limits
        What decoding a scan may take.
    memory_bytes
        See `Run`.

    Raises
    ------
    ClusterUnavailable
        The scheduler cannot be reached, has no workers, lost them, or has some that cannot do this.
    StoreError
        The store failed; jobs not yet begun are dropped.
    """
    if not jobs:
        return
    with _client(scheduler) as client, _probe(jobs[0].dataset_url) as probe:
        run = Run(secrets.token_hex(8), Surroundings(**looking([])()), limits, memory_bytes, probe)
        _require_able(client, run, jobs)
        executor, hands = client.get_executor(pure=False), _hands(client)
        try:
            together = batches(jobs, hands)
            for done in in_turn(together, lambda batch: executor.submit(do_on_worker, batch, run), JOBS_AHEAD * hands):
                yield from done
        except _LOST as error:
            raise ClusterUnavailable(
                f"{scheduler}: the scheduler or its workers are gone ({type(error).__name__}); what was committed "
                "stays: run the same command again"
            ) from error
        finally:
            executor.shutdown(wait=False)  # which cancels what has not been begun
            if client.status == "running":  # the workers of a lost scheduler end by themselves
                with suppress(OSError, *_LOST):
                    client.run(close_workshop, run.name)


def do_on_worker(jobs: Sequence[Job], run: Run) -> list[list[Result]]:
    """The results of each of `jobs`; runs on a worker, which may have joined the cluster after the run began."""
    paths = [*_probes(run), *(path for job in jobs for task in job.tasks for path in task.paths)]
    _require_no_fault(run, replace(_own(), missing=tuple(str(path) for path in paths if not path.exists())))
    workshop = _workshop(run)
    return [workshop.do(job) for job in jobs]


@cache
def _own() -> Surroundings:
    """What this worker is, found out once: asking for a version reads what is installed, for some ten milliseconds."""
    return Surroundings(**looking([])())


def _require_able(client: Client, run: Run, jobs: Sequence[Job]) -> None:
    """Make sure that each worker of now can do `jobs`: by the first file of each folder."""
    folders = {path.parent: path for job in jobs for task in job.tasks for path in task.paths}
    look = looking([*folders.values(), *_probes(run)])
    for found in client.run(look).values():
        _require_no_fault(run, Surroundings(**found))


def _require_no_fault(run: Run, worker: Surroundings) -> None:
    if reason := fault(run.asking, worker):
        raise ClusterUnavailable(f"a worker on {reason}")


def _probes(run: Run) -> list[Path]:
    return [] if run.probe is None else [run.probe]


def _hands(client: Client) -> int:
    """How many threads the workers have together."""
    threads: dict[str, int] = client.nthreads()
    return max(1, sum(threads.values()))


@contextmanager
def _client(scheduler: str) -> Iterator[Client]:
    """A client of a scheduler that has a worker."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other versions of packages: `fault` knows which matter
            get_address_host_port(scheduler, strict=True)  # a client that finds it out waits 20 s for its own end
            client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterUnavailable(
            f"{scheduler}: no Dask scheduler answers there ({error}); start one with `dask scheduler`"
        ) from error
    with _silent(), client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError:
            raise ClusterUnavailable(
                f"{scheduler}: the scheduler has no workers; start some with `dask worker {scheduler}`"
            ) from None
        yield client


@contextmanager
def _silent() -> Iterator[None]:
    """Dask's client logs nothing by itself: that a connection is lost is said by an error, in one line."""
    log = logging.getLogger("distributed.client")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def _probe(dataset_url: str) -> Iterator[Path | None]:
    """A file in the dataset's folder that nobody else has, of a name that no reader lists; None in a bucket.

    It lies where `mist gc` looks for what writes have left, for an ingest that is killed leaves it.
    """
    address = Address.parse(dataset_url)
    if address.scheme != "file":
        yield None
        return
    folder = address.path / SCANS
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f"cluster#{secrets.randbits(48)}"
    probe.touch()
    try:
        yield probe
    finally:
        probe.unlink(missing_ok=True)


_workshops: dict[str, Workshop] = {}
_ended: set[str] = set()
"""Runs of which no job may begin any more: one may arrive here after the word that its run has ended."""
_lock = threading.Lock()


def _workshop(run: Run) -> Workshop:
    """What the worker that this runs on has for a run."""
    with _lock:
        if run.name in _ended:
            raise ClusterUnavailable("the ingest that asked for this has ended; nothing is done for it any more")
        if run.name not in _workshops:
            granted = get_worker().memory_manager.memory_limit
            memory = run.memory_bytes or granted or usual_memory()
            _workshops[run.name] = Workshop(do_job, run.limits, memory)
        return _workshops[run.name]


def close_workshop(name: str) -> None:
    """End what this worker has of a run, for good."""
    with _lock:
        _ended.add(name)
        workshop = _workshops.pop(name, None)
    if workshop is not None:
        workshop.close()
