from __future__ import annotations

from pathlib import Path

import pytest

from mist.ingest.batches import BATCH_BYTES, BATCH_JOBS, SHARES, batches
from mist.ingest.job import Job
from mist.ingest.source import ScanTask, SourceKind


def job(path: Path) -> Job:
    return Job("memory://x", (ScanTask(path.stem, SourceKind.NUMPY, (path,)),), {})


def jobs(folder: Path, sizes: list[int]) -> list[Job]:
    """A job for each size, of a file that is so large and takes no place on the disk."""
    paths = [folder / f"{number}.npy" for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        with path.open("wb") as file:
            file.truncate(size)
    return [job(path) for path in paths]


def test_small_jobs_go_together_in_their_order(tmp_path: Path) -> None:
    many = jobs(tmp_path, [10] * 300)
    found = batches(many, hands=2)
    assert [each for batch in found for each in batch] == many
    assert {len(batch) for batch in found[:-1]} == {BATCH_JOBS}


def test_what_is_large_goes_alone(tmp_path: Path) -> None:
    sizes = [10, BATCH_BYTES, 10, 10, 2 * BATCH_BYTES, BATCH_BYTES // 2, BATCH_BYTES // 2, 10]
    found = batches(jobs(tmp_path, [*sizes, *[BATCH_BYTES] * 100]), hands=1)
    assert [len(batch) for batch in found][:6] == [1, 1, 2, 1, 2, 1]


@pytest.mark.parametrize("count", [0, 1, 7, 24, 100])
def test_few_jobs_are_shared_among_all_who_work(tmp_path: Path, count: int) -> None:
    hands = 3
    found = batches(jobs(tmp_path, [10] * count), hands)
    assert len(found) >= min(count, SHARES * hands)


def test_a_file_that_is_gone_is_left_to_who_reads_it(tmp_path: Path) -> None:
    gone = job(tmp_path / "gone.npy")
    assert batches([gone], hands=1) == [(gone,)]
