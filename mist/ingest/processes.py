"""Jobs on several processor cores.

The rule: processes are started anew (`spawn`) and never forked, since the object store's runtime does not survive a
fork. Each holds decoding to limits of time and memory. A process that dies in the middle of foreign bytes costs one
job: the jobs that were running are done again, each in a process of its own, and the one that kills it is refused.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from mist.ingest.limits import Limits
from mist.ingest.worker import Job, Result, do_job, refused

JOBS_AHEAD = 2
"""Jobs handed to the pool for each worker: one being done and one waiting, so that memory stays bounded."""

USUAL = Limits()
"""What decoding a scan may take."""

Unfinished = tuple[list[Job], list[Job]]
"""The jobs that were running when a process died, and those not yet begun."""


def do_jobs(jobs: Sequence[Job], workers: int | None, limits: Limits = USUAL) -> Iterator[list[Result]]:
    """The results of `jobs`, as they are done.

    Parameters
    ----------
    jobs
        What to do.
    workers
        Processes; as many as there are processor cores if None. 1 is this process, which nothing protects from a
        decoder that crashes.
    limits
        What decoding a scan may take, in the others.

    Raises
    ------
    StoreError
        The store failed; jobs not yet begun are dropped.
    """
    if workers == 1:
        yield from map(do_job, jobs)
        return
    waiting = list(jobs)
    while waiting:
        suspects, waiting = yield from _do_in_pool(waiting, workers or os.cpu_count() or 1, limits)
        for job in suspects:
            yield _do_alone(job, limits)


def _do_in_pool(jobs: Sequence[Job], workers: int, limits: Limits) -> Generator[list[Result], None, Unfinished]:
    """Do `jobs` until all are done, or a process dies."""
    waiting: deque[Job] = deque(jobs)
    running: dict[Future[list[Result]], Job] = {}
    pool = _pool(min(workers, len(jobs)))
    try:
        while waiting or running:
            while waiting and len(running) < JOBS_AHEAD * workers:
                future = _submit(pool, waiting[0], limits)
                running[future] = waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield future.result()
                del running[future]
    except BrokenProcessPool:
        return list(running.values()), list(waiting)
    finally:
        pool.shutdown(cancel_futures=True)
    return [], []


def _do_alone(job: Job, limits: Limits) -> list[Result]:
    """Do a job in a process of its own; refuse it if that process dies."""
    try:
        with _pool(1) as pool:
            return _submit(pool, job, limits).result()
    except BrokenProcessPool:
        return refused(
            job,
            f"{job.tasks[0].source}: the process that decoded it died: a decoder crashed, ran out of memory, or took "
            f"more than {limits.seconds:g} s; export it anew, or convert it with its own software",
        )


def _submit(pool: ProcessPoolExecutor, job: Job, limits: Limits) -> Future[list[Result]]:
    with _interrupts_for_this_process_alone():
        return pool.submit(do_job, job, limits)  # starts a process if none is idle


@contextmanager
def _interrupts_for_this_process_alone() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; those started in here leave it to this one, which then ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
