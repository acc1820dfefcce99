"""Jobs handed out together, where handing one out costs more than a small one takes.

The rule: only small jobs share a batch, and there are several batches for each of those who work, so that all of them
end at about the same time. The order stays. Knows sizes, not scans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from mist.ingest.job import Job

BATCH_JOBS = 16
"""Jobs of one batch at the most: handing one out on a cluster takes some ten milliseconds, and a picture of a few
kilobytes twice that."""

BATCH_BYTES = 4 << 20
"""Bytes of source files of one batch at the most, unless one job has more: below a second's work."""

SHARES = 4
"""Batches for each of those who work, where there are jobs enough."""


def batches(jobs: Sequence[Job], hands: int) -> list[tuple[Job, ...]]:
    """`jobs`, in batches for as many `hands` as work at a time."""
    return list(_batches(jobs, max(1, min(BATCH_JOBS, len(jobs) // (SHARES * hands)))))


def _batches(jobs: Sequence[Job], most: int) -> Iterator[tuple[Job, ...]]:
    batch: list[Job] = []
    held = 0
    for job in jobs:
        size = _source_bytes(job)
        if batch and (len(batch) >= most or held + size > BATCH_BYTES):
            yield tuple(batch)
            batch, held = [], 0
        batch.append(job)
        held += size
    if batch:
        yield tuple(batch)


def _source_bytes(job: Job) -> int:
    """The size of the files of `job`; those that are gone are found so by who reads them."""
    total = 0
    for task in job.tasks:
        for path in task.paths:
            with suppress(OSError):
                total += path.stat().st_size
    return total
