from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from mist.ingest.job import Job, Result, refused
from mist.ingest.limits import Limits
from mist.ingest.source import ScanTask, SourceKind
from mist.ingest.workshop import Workshop

JOB = Job("memory://x", (ScanTask("scan", SourceKind.NUMPY, (Path("scan.npy"),)),), {"scan": "its digest"})

DEADLINE_S = 30


def name_process(job: Job, limits: Limits) -> list[Result]:
    """The process that a job is done in, as what is wrong with it."""
    del limits
    return refused(job, str(os.getpid()))


def process_of(results: list[Result]) -> int:
    return int(results[0].outcome.reason)


def is_there(process: int) -> bool:
    """Whether a process runs, or has ended and was left as it was."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def is_gone_in_time(process: int) -> bool:
    deadline, never = time.monotonic() + DEADLINE_S, threading.Event()
    while is_there(process) and time.monotonic() < deadline:
        never.wait(0.02)  # polls a process: there is no event to wait for
    return not is_there(process)


def test_jobs_one_after_the_other_are_done_in_one_child() -> None:
    with Workshop(name_process, Limits(), 1 << 32) as workshop:
        first = process_of(workshop.do(JOB))
        assert process_of(workshop.do(JOB)) == first
        assert is_there(first)
    assert not is_there(first)


def test_a_child_that_nobody_asks_anything_of_ends_and_the_next_job_gets_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mist.ingest.workshop.IDLE_S", 0.2)
    with Workshop(name_process, Limits(), 1 << 32) as workshop:
        for _ in range(2):
            assert is_gone_in_time(process_of(workshop.do(JOB)))


def test_a_workshop_that_was_closed_looks_after_no_child_any_more() -> None:
    before = set(threading.enumerate())
    with Workshop(name_process, Limits(), 1 << 32) as workshop:
        workshop.do(JOB)
        (timer,) = set(threading.enumerate()) - before
    timer.join(DEADLINE_S)
    assert not timer.is_alive()
