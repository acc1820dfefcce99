"""An ingest that is killed goes on where it stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from mist.ingest.processes import JOBS_AHEAD
from mist.ingest.report import ScanStatus
from mist.ingest.run import ingest
from mist_storage.dataset import open_dataset
from mist_storage.verify import verify_scans

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


def test_an_ingest_that_is_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    source, url = tmp_path / "source", (tmp_path / "dataset").as_uri()
    source.mkdir()
    for number in range(FILES):
        np.save(source / f"{number:03}.npy", np.random.default_rng(number).integers(0, 99, (20, 30)).astype(np.uint8))
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
