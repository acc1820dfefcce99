from __future__ import annotations

import os
import re
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import mist.ingest.processes
from mist.ingest.discover import discover
from mist.ingest.job import Job, Result
from mist.ingest.limits import Limits, limited
from mist.ingest.load import load_scan
from mist.ingest.processes import do_jobs
from mist.ingest.refusal import refusing
from mist.ingest.run import ingest
from mist.ingest.source import ScanTask, SourceFile, SourceScan
from mist.ingest.worker import do_job
from mist_storage.dataset import open_dataset


def die_of_b(job: Job, limits: Limits | None = None) -> list[Result]:
    """Do a job, but end the process at the scan called b, as a decoder that crashes would."""
    if job.tasks[0].scan_id == "b":
        os._exit(9)
    return do_job(job, limits)


@pytest.fixture
def crashing() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mist.ingest.processes, "do_job", die_of_b)
        yield


@pytest.mark.usefixtures("crashing")
def test_a_process_that_dies_costs_one_scan(source: Path, url: str) -> None:
    report = ingest([source], url, workers=2)

    assert [outcome.scan_id for outcome in report.refused] == ["b"]
    assert "the process that decoded it died" in report.refused[0].reason
    assert open_dataset(url).catalog.scan_ids == ["a", "a-mask"]


SMALL = Limits(seconds=3, seconds_per_mib=0, memory_bytes=1 << 28, memory_per_byte=0)
"""What a decoder may take in these tests; the first use of a process also imports what it needs in this time."""


def loop_on_b(job: Job, limits: Limits | None = None) -> list[Result]:
    """Do a job, but at the scan called b decode for ever, in compiled code that no exception ends."""
    if job.tasks[0].scan_id == "b":
        with limited(limits, 0):
            re.match("(a|a)*b", "a" * 100)
    return do_job(job, limits)


def gorge_on_b(job: Job, limits: Limits | None = None) -> list[Result]:
    """Do a job, but at the scan called b take more memory than is granted."""
    with pytest.MonkeyPatch.context() as patch:
        if job.tasks[0].scan_id == "b":
            patch.setattr("mist.ingest.worker.load_scan", gorge)
        return do_job(job, limits)


def gorge(task: ScanTask, files: Sequence[SourceFile], *_: object) -> SourceScan:
    with refusing(task.source):
        np.ones(1 << 29, np.uint8)
    return load_scan(task, files)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (die_of_b, "b.npy: the process that decoded it died: a decoder crashed"),
        (loop_on_b, "b.npy: the process that decoded it died: .* took more than 3 s"),
        (gorge_on_b, "b.npy: MemoryError"),
    ],
)
def test_a_decoder_that_crashes_hangs_or_gorges_costs_one_scan(
    source: Path, url: str, behaviour: Callable[..., list[Result]], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mist.ingest.processes, "do_job", behaviour)
    jobs = [Job(url, (task,), {}) for task in discover([source]).tasks]

    results = [result for bundle in do_jobs(jobs, 2, SMALL) for result in bundle]

    refused = [result.outcome for result in results if result.row is None]
    assert [outcome.scan_id for outcome in refused] == ["b"]
    assert re.match(reason, refused[0].reason)


def test_one_source_alone_is_decoded_in_a_child_process_too(
    source: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mist.ingest.processes, "do_job", die_of_b)

    report = ingest([source / "b.npy"], url)

    assert "the process that decoded it died" in report.refused[0].reason


def test_limits_are_lifted_when_a_scan_is_decoded() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)

    with limited(SMALL, 0), pytest.raises(MemoryError):
        np.ones(1 << 29, np.uint8)

    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert signal.alarm(0) == 0


def test_limits_grow_with_the_source() -> None:
    limits = Limits()

    assert (limits.seconds_for(0), limits.seconds_for(100 << 20)) == (120, 320)
    assert limits.memory_for(100 << 20) == (2 << 30) + 64 * (100 << 20)
