"""An ingest that is killed, interrupted or told to end goes on where it stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mist.errors import StoreError
from mist.ingest.commits import Stopped
from mist.ingest.processes import JOBS_AHEAD
from mist.ingest.report import Progress, ScanStatus
from mist.ingest.run import ingest
from mist_storage.dataset import open_dataset
from mist_storage.verify import verify_scans

STOPPED_AT = 20

FILES, COMMIT_ROWS, WORKERS, KILLED_AT = 160, 24, 2, 80

KILLED = """
import os, signal, sys
from mist.ingest.run import ingest

source, url, rows, workers, last = *sys.argv[1:3], *map(int, sys.argv[3:])

def tell(progress):
    if progress.done == last:
        os.kill(os.getpid(), signal.SIGKILL)

ingest([source], url, workers=workers, commit_rows=rows, on_progress=tell)
"""


def save_images(folder: Path, count: int) -> Path:
    """A folder with small images of noise."""
    folder.mkdir()
    for number in range(count):
        np.save(folder / f"{number:03}.npy", np.random.default_rng(number).integers(0, 99, (20, 30)).astype(np.uint8))
    return folder


def test_an_ingest_that_is_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    source, url = save_images(tmp_path / "source", FILES), (tmp_path / "dataset").as_uri()
    numbers = map(str, (COMMIT_ROWS, WORKERS, KILLED_AT))

    code = subprocess.run([sys.executable, "-c", KILLED, source, url, *numbers], check=False, timeout=120).returncode
    committed, written = len(open_dataset(url).catalog), len(list(tmp_path.glob("dataset/scans/*/*/zarr.json")))
    resumed = ingest([source], url, workers=WORKERS)
    again = ingest([source], url, workers=WORKERS)

    dataset = open_dataset(url)
    assert code == -signal.SIGKILL
    assert committed == KILLED_AT // COMMIT_ROWS * COMMIT_ROWS
    assert written - committed <= COMMIT_ROWS + JOBS_AHEAD * WORKERS  # what is done twice
    assert (resumed.count(ScanStatus.UNCHANGED), resumed.count(ScanStatus.STORED)) == (committed, FILES - committed)
    assert again.count(ScanStatus.UNCHANGED) == FILES
    assert not [problem for _, found in verify_scans(dataset.store, dataset.catalog) for problem in found]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("end", [KeyboardInterrupt, StoreError])
def test_what_is_done_when_an_ingest_is_ended_is_committed_and_not_done_again(
    tmp_path: Path, end: type[BaseException], workers: int
) -> None:
    source, url = save_images(tmp_path / "source", 2 * STOPPED_AT), (tmp_path / "dataset").as_uri()
    told: list[Stopped] = []

    def stop(progress: Progress) -> None:
        if progress.done == STOPPED_AT:
            raise end

    with pytest.raises(end):
        ingest([source], url, workers=workers, on_progress=stop, on_stopped=told.append)
    versions = open_dataset(url).catalog.version
    resumed = ingest([source], url, workers=workers)

    assert (told, versions) == ([Stopped(rows=STOPPED_AT)], 0)
    assert (resumed.count(ScanStatus.UNCHANGED), resumed.count(ScanStatus.STORED)) == (STOPPED_AT, STOPPED_AT)


def test_a_dry_run_that_is_ended_makes_no_dataset(tmp_path: Path) -> None:
    source, url = save_images(tmp_path / "source", 2), (tmp_path / "dataset").as_uri()

    def stop(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest([source], url, workers=1, dry_run=True, on_progress=stop)
    assert not (tmp_path / "dataset").exists()
