"""Jobs on several processor cores of this machine.

The rule: each job is done in a child process (`mist.ingest.workshop`), unless one worker is asked for: that is this
process, which nothing protects.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from mist.ingest.job import Job, Result
from mist.ingest.limits import Limits
from mist.ingest.memory_gate import usual_memory
from mist.ingest.worker import do_job, expected_bytes
from mist.ingest.workshop import Workshop

_Work = TypeVar("_Work")
_Done = TypeVar("_Done")

JOBS_AHEAD = 2
"""Jobs handed out for each worker: one being done and one waiting, so that what is on its way stays bounded."""

USUAL = Limits()
"""What decoding a scan may take."""


def do_jobs(
    jobs: Sequence[Job], workers: int | None, limits: Limits = USUAL, memory_bytes: int | None = None
) -> Generator[list[Result], None, None]:
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
    memory_bytes
        What all of them may take together; half of the machine's memory if None.

    Raises
    ------
    StoreError
        The store failed; jobs not yet begun are dropped.
    """
    memory = usual_memory() if memory_bytes is None else memory_bytes
    if workers == 1:
        yield from (do_job(_within(job, memory)) for job in jobs)
        return
    count = min(workers or os.cpu_count() or 1, max(1, len(jobs)))
    with Workshop(do_job, limits, memory) as workshop, ThreadPoolExecutor(count) as threads:
        try:
            yield from in_turn(jobs, lambda job: threads.submit(workshop.do, job), count * JOBS_AHEAD)
        finally:  # an interrupt waits for nothing
            threads.shutdown(wait=False, cancel_futures=True)
            workshop.close()


def in_turn(work: Sequence[_Work], submit: Callable[[_Work], Future[_Done]], ahead: int) -> Iterator[_Done]:
    """What `submit` has done of each piece of `work`, as it is done; at most `ahead` are handed out at a time."""
    waiting = iter(work)
    running = set(map(submit, islice(waiting, ahead)))
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()
            running.update(map(submit, islice(waiting, 1)))


def _within(job: Job, memory_bytes: int) -> Job:
    """`job`, to be done in files where memory is not enough."""
    return job if expected_bytes(job) <= memory_bytes else replace(job, memory_bytes=memory_bytes)
