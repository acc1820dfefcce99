"""An ingest on a Dask cluster: real processes on loopback."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import distributed
import numpy as np
import psutil
import pytest

from mist.errors import ClusterUnavailable, DatasetNotFound, InvalidRequest, StoreDenied
from mist.ingest.report import Progress, ScanStatus
from mist.ingest.run import ingest
from mist.request import Request
from mist_storage.dataset import open_dataset, open_store
from mist_storage.verify import verify_scans
from tests.command_line import DEADLINE_S, start_process
from tests.dask_processes import DaskProcesses, dask_cluster, free_port, kill_group

SCANS = 24
LARGE_SCANS = 12


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
    assert not list((tmp_path / "there").rglob("*#*"))


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


PROMPTLY_S = 30
"""On a busy machine; alone, the command ends within a second."""


@pytest.fixture
def large_source(tmp_path: Path) -> Path:
    """Images that take some tenths of a second each, so that the middle of an ingest can be met."""
    folder = tmp_path / "large"
    folder.mkdir()
    for number in range(LARGE_SCANS):
        noise = np.random.default_rng(number).integers(0, 4000, (1000, 1000))
        np.save(folder / f"s{number:02}.npy", noise.astype(np.uint16))
    return folder


def test_ctrl_c_ends_the_command_and_what_the_cluster_does_for_it(
    cluster: DaskProcesses, large_source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    process = begun(large_source, folder, cluster)

    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=PROMPTLY_S)
    at_its_end = objects(folder)

    assert (process.returncode, cluster.unfinished_work()) == (130, {})
    assert objects(folder) == at_its_end
    assert len(at_its_end) < LARGE_SCANS
    assert messages.splitlines()[-1].startswith("error: interrupted; what was not finished is not to be seen")
    assert "Traceback" not in messages
    assert_converges(large_source, folder, cluster)


def test_a_scheduler_that_is_lost_in_the_middle_is_named_with_the_remedy(
    cluster: DaskProcesses, large_source: Path, tmp_path: Path
) -> None:
    folder, place = tmp_path / "dataset", tmp_path / "dask"
    place.mkdir()
    with dask_cluster(place) as lost:
        lost.start_worker()
        process = begun(large_source, folder, lost)
        kill_group(lost.scheduler)
        _, messages = process.communicate(timeout=PROMPTLY_S)

    assert process.returncode == 1
    said = messages.splitlines()[-1]
    assert "Traceback" not in messages
    assert said.startswith(f"error: {lost.address}: the scheduler or its workers are gone")
    assert said.endswith("run the same command again")
    assert_converges(large_source, folder, cluster)


def test_children_of_a_command_that_was_killed_end_when_nobody_asks_anything_of_them(
    large_source: Path, tmp_path: Path
) -> None:
    folder, place = tmp_path / "dataset", tmp_path / "dask"
    place.mkdir()
    impatient = place / "impatient.py"
    impatient.write_text("from mist.ingest import workshop\n\nworkshop.IDLE_S = 0.5\n")
    with dask_cluster(place) as other:
        other.start_worker({"DASK_DISTRIBUTED__WORKER__PRELOAD": f"['{impatient}']"})
        process = begun(large_source, folder, other)
        children = decoders(other)
        process.kill()
        process.communicate(timeout=PROMPTLY_S)

        assert len(children) == 1
        assert wait_until(lambda: decoders(other) == [] and other.unfinished_work() == {})
        assert len(objects(folder)) < LARGE_SCANS
        open_store(str(folder)).remove_staged("scans", datetime.now(UTC))  # as `mist gc` does
        assert_converges(large_source, folder, other)


def decoders(cluster: DaskProcesses) -> list[int]:
    """The children of the cluster's workers, and those that have ended and were left as they were."""
    found = [child for each in cluster.processes for child in psutil.Process(each.pid).children(recursive=True)]
    return [child.pid for child in found if is_decoder(child)]


def is_decoder(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE or "mist.ingest.child" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def wait_until(is_so: Callable[[], bool]) -> bool:
    """Whether it becomes so in time."""
    deadline = time.monotonic() + PROMPTLY_S
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)  # polls processes: there is no event to wait for
    return is_so()


def begun(source: Path, folder: Path, cluster: DaskProcesses) -> subprocess.Popen[str]:
    """An ingest on the cluster that has stored a scan, and not all of them."""
    process = start_process(["ingest", source, folder, "--scheduler", cluster.address])
    deadline = time.monotonic() + DEADLINE_S
    while not list(folder.glob("scans/*/*/zarr.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)  # polls a process: there is no event to wait for
    assert process.poll() is None
    return process


def objects(folder: Path) -> list[str]:
    """The scans whose objects are all there."""
    return sorted(path.parent.name for path in folder.glob("scans/*/*/zarr.json"))


def assert_converges(source: Path, folder: Path, cluster: DaskProcesses) -> None:
    """Hold that the same ingest goes on from what is committed, ends with all scans, whole, and leaves no more."""
    kept = len(open_dataset(str(folder)).catalog) if (folder / "catalog").exists() else 0
    report = ingest([source], str(folder), scheduler=cluster.address)
    dataset = open_dataset(str(folder))
    assert (report.count(ScanStatus.UNCHANGED), len(dataset.catalog)) == (kept, LARGE_SCANS)
    assert [problem for _, found in verify_scans(dataset.store, dataset.catalog) for problem in found] == []
    assert len(objects(folder)) == LARGE_SCANS
    assert not list(folder.rglob("*#*"))


def test_a_cluster_fills_a_bucket_though_a_worker_is_killed(source: Path, tmp_path: Path, s3_url: str) -> None:
    victims: list[subprocess.Popen[bytes]] = []

    def kill(_: Progress) -> None:
        while victims:
            kill_group(victims.pop())

    with dask_cluster(tmp_path) as cluster:  # whose workers have the bucket's credentials
        victims.append(cluster.start_worker())
        cluster.start_worker()
        cluster.wait_for_workers(2)
        report = ingest([source], s3_url, scheduler=cluster.address, commit_rows=5, on_progress=kill)
        again = ingest([source], s3_url, scheduler=cluster.address)

    here = (tmp_path / "here").as_uri()
    assert ingest([source], here, workers=1) == report
    assert (digests(s3_url), again.count(ScanStatus.UNCHANGED)) == (digests(here), SCANS)


def test_a_worker_without_the_credentials_of_the_bucket_is_an_error_of_the_store(
    source: Path, tmp_path: Path, s3_url: str
) -> None:
    with dask_cluster(tmp_path) as cluster:
        cluster.start_worker({"AWS_SECRET_ACCESS_KEY": "wrong"})
        with pytest.raises(StoreDenied, match=f"{re.escape(s3_url)}.*credentials are wrong"):
            ingest([source], s3_url, scheduler=cluster.address)
    with pytest.raises(DatasetNotFound):
        open_dataset(s3_url)
