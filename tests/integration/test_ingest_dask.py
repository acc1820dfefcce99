"""An ingest on a Dask cluster: real processes on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import distributed
import numpy as np
import pytest

from mist.errors import ClusterUnavailable, InvalidRequest
from mist.ingest.report import Progress, ScanStatus
from mist.ingest.run import ingest
from mist.request import Request
from mist_storage.dataset import open_dataset
from tests.dask_processes import DaskProcesses, dask_cluster, free_port, kill_group

SCANS = 24


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """A scheduler and two workers."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as cluster:
        cluster.start_worker()
        cluster.start_worker()
        cluster.wait_for_workers(2)
        yield cluster


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Some images."""
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(SCANS):
        np.save(folder / f"s{number:02}.npy", image(number))
    return folder


def image(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    return np.random.default_rng(number).integers(0, 4000, (200, 300)).astype(np.uint16)


def test_a_cluster_stores_what_one_process_stores(cluster: DaskProcesses, source: Path, tmp_path: Path) -> None:
    (source / "bad.npy").write_bytes((source / "s00.npy").read_bytes()[:200])
    here, there = (tmp_path / "here").as_uri(), (tmp_path / "there").as_uri()

    report = ingest([source], there, scheduler=cluster.address)

    assert report == ingest([source], here, workers=1)
    assert [outcome.source for outcome in report.refused] == ["bad.npy"]
    assert digests(there) == digests(here)
    assert not list((tmp_path / "there").glob("*#*"))


def digests(url: str) -> dict[str, str]:
    catalog = open_dataset(url).catalog
    return {scan_id: catalog.row(scan_id).digest for scan_id in catalog.scan_ids}


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(
    cluster: DaskProcesses, source: Path, tmp_path: Path
) -> None:
    url = (tmp_path / "dataset").as_uri()
    victim = cluster.start_worker()
    cluster.wait_for_workers(3)
    killed_after: list[int] = []

    def kill(progress: Progress) -> None:
        if not killed_after:
            kill_group(victim)
            killed_after.append(progress.done)

    report = ingest([source], url, scheduler=cluster.address, commit_rows=5, on_progress=kill)

    dataset = open_dataset(url)
    assert killed_after == [1]
    assert (report.ok, report.count(ScanStatus.STORED), len(dataset.catalog)) == (True, SCANS, SCANS)
    for number in (0, SCANS - 1):
        found = dataset.reader(f"s{number:02}").read(Request()).voxels
        np.testing.assert_array_equal(found, image(number))


def test_a_scheduler_that_is_not_there_is_named(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mist.ingest.dask_cluster.CONNECT_S", 1)
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(ClusterUnavailable, match=rf"{address}: no Dask scheduler answers there"):
        ingest([source], (tmp_path / "dataset").as_uri(), scheduler=address)


def test_what_is_no_address_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ClusterUnavailable, match="nonsense"):
        ingest([source], (tmp_path / "dataset").as_uri(), scheduler="nonsense://")


def test_workers_and_a_scheduler_are_not_given_together(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="workers or a scheduler, not both"):
        ingest([source], (tmp_path / "dataset").as_uri(), workers=2, scheduler="tcp://127.0.0.1:1")


def test_a_worker_without_mist_is_named_before_anything_is_done(source: Path, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow" / "mist"
    shadow.mkdir(parents=True)
    (shadow / "__init__.py").touch()
    work = tmp_path / "work"
    work.mkdir()
    with dask_cluster(work) as cluster:
        cluster.start_worker({"PYTHONPATH": f"{shadow.parent}:{dependencies()}"})
        cluster.wait_for_workers(1)
        with pytest.raises(ClusterUnavailable, match=f"a worker on {socket.gethostname()} has no MIST"):
            ingest([source], (tmp_path / "dataset").as_uri(), scheduler=cluster.address)


def dependencies() -> str:
    """Where Dask is, if not among what every Python here has."""
    return str(Path(distributed.__file__).parents[1])
