from __future__ import annotations

import os
import re
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.data import get_testdata_file

import mist.ingest.processes
from mist.errors import DatasetNotFound, InvalidRequest, StoreError
from mist.ingest.deidentify.file import Deidentification
from mist.ingest.deidentify.key import Key
from mist.ingest.deidentify.profile import Profile
from mist.ingest.discover import discover
from mist.ingest.job import Job, Result
from mist.ingest.limits import Limits, limited
from mist.ingest.load import load_scan
from mist.ingest.processes import do_jobs
from mist.ingest.refusal import refusing
from mist.ingest.report import Progress, ScanStatus
from mist.ingest.run import ingest
from mist.ingest.source import ScanTask, SourceFile, SourceScan
from mist.ingest.worker import do_job
from mist.request import Request
from mist_storage.dataset import Dataset, open_dataset
from mist_storage.verify import verify_scan


def voxels_of(seed: int, *shape: int) -> npt.NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 4000, shape or (40, 50)).astype(np.uint16)


def mask_of(seed: int, *shape: int) -> npt.NDArray[np.uint8]:
    return (voxels_of(seed, *shape) > 3000).astype(np.uint8)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two images, one of which has a mask, a table, and a file that is broken."""
    folder = tmp_path / "source"
    folder.mkdir()
    np.save(folder / "a.npy", voxels_of(1))
    np.save(folder / "a-mask.npy", mask_of(2))
    np.save(folder / "b.npy", voxels_of(3, 5, 40, 50))
    (folder / "labels.csv").write_text("file,outline,age\na.npy,a-mask.npy,50\nb.npy,,\n")
    return folder


@pytest.fixture
def url(tmp_path: Path) -> str:
    return (tmp_path / "dataset").as_uri()


def read(dataset: Dataset, scan_id: str) -> npt.NDArray[np.integer | np.floating]:
    return dataset.reader(scan_id).read(Request()).voxels


def statuses(source: Path, url: str, *, replace: bool = False, dry_run: bool = False) -> dict[str, str]:
    report = ingest([source], url, workers=1, replace=replace, dry_run=dry_run)
    return {outcome.scan_id: outcome.status.value for outcome in report.outcomes}


def objects(url: str) -> dict[str, bytes]:
    """Every file of a dataset."""
    root = Path(url.removeprefix("file://"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_goes_in_comes_out(source: Path, url: str) -> None:
    report = ingest([source], url, labels=source / "labels.csv", workers=1)

    dataset = open_dataset(url)
    assert report.ok
    assert (report.count(ScanStatus.STORED), report.skipped) == (3, 1)
    np.testing.assert_array_equal(read(dataset, "a"), voxels_of(1))
    np.testing.assert_array_equal(read(dataset, "b"), voxels_of(3, 5, 40, 50))


def test_an_image_and_its_mask_are_tied_and_the_mask_is_not_filtered(source: Path, url: str) -> None:
    ingest([source], url, labels=source / "labels.csv", workers=1)

    dataset = open_dataset(url)
    image, mask = dataset.catalog.row("a"), dataset.catalog.row("a-mask")
    assert (image.mask, mask.mask_of, image.labels["age"]) == ("a-mask", "a", 50)
    assert mask.header.wavelet == "lazy"
    np.testing.assert_array_equal(dataset.reader("a-mask").read(Request(level=1)).voxels, mask_of(2)[::2, ::2])


def test_a_row_says_what_was_read_and_stored(source: Path, url: str) -> None:
    report = ingest([source / "b.npy"], url, workers=1)

    row = open_dataset(url).catalog.row("b")
    assert row.source_bytes == report.source_bytes == (source / "b.npy").stat().st_size
    assert row.stored_bytes == report.stored_bytes
    assert row.stored_bytes == sum(len(data) for key, data in objects(url).items() if key.startswith("scans/"))


def test_worker_processes_store_what_one_process_stores(source: Path, url: str, tmp_path: Path) -> None:
    other = (tmp_path / "other").as_uri()

    first = ingest([source], url, labels=source / "labels.csv", workers=1)
    second = ingest([source], other, labels=source / "labels.csv", workers=2)

    assert first == second
    assert stored(url) == stored(other)


def stored(url: str) -> dict[str, bytes]:
    return {key: data for key, data in objects(url).items() if key.startswith("scans/")}


def test_a_second_ingest_decodes_and_changes_nothing(source: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest([source], url, labels=source / "labels.csv", workers=1)
    before = objects(url)
    monkeypatch.setattr("mist.ingest.worker.load_scan", None)  # calling it would fail

    report = ingest([source], url, labels=source / "labels.csv", workers=1)

    assert report.count(ScanStatus.UNCHANGED) == 3
    assert objects(url) == before


def test_a_renamed_dicom_file_is_the_same_source(url: str, tmp_path: Path) -> None:
    original = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(original, str)
    renamed = tmp_path / "renamed"
    renamed.write_bytes(Path(original).read_bytes())

    assert [*statuses(Path(original), url).values(), *statuses(renamed, url).values()] == ["stored", "unchanged"]


def test_without_labels_a_second_ingest_keeps_those_of_the_dataset(source: Path, url: str) -> None:
    ingest([source], url, labels=source / "labels.csv", workers=1)

    assert set(statuses(source, url).values()) == {"unchanged"}
    assert open_dataset(url).catalog.row("a").labels["age"] == 50


def test_new_labels_are_committed_without_storing_the_scan_again(source: Path, url: str) -> None:
    ingest([source], url, labels=source / "labels.csv", workers=1)
    before = stored(url)
    (source / "labels.csv").write_text("file,outline,age\na.npy,a-mask.npy,51\nb.npy,,\n")

    report = ingest([source], url, labels=source / "labels.csv", workers=1)

    assert [outcome.scan_id for outcome in report.outcomes if outcome.status is ScanStatus.RELABELLED] == ["a"]
    assert open_dataset(url).catalog.row("a").labels["age"] == 51
    assert stored(url) == before


def test_a_label_that_is_not_a_number_does_not_change_each_time(source: Path, url: str) -> None:
    (source / "labels.csv").write_text("file,score\na.npy,NaN\nb.npy,0.5\n")
    ingest([source], url, labels=source / "labels.csv", workers=1)
    before = objects(url)

    report = ingest([source], url, labels=source / "labels.csv", workers=1)

    assert report.count(ScanStatus.UNCHANGED) == 3
    assert objects(url) == before


def test_other_content_under_a_taken_id_is_refused(source: Path, url: str) -> None:
    statuses(source, url)
    np.save(source / "a.npy", voxels_of(9))

    report = ingest([source], url, workers=1)

    assert [outcome.scan_id for outcome in report.refused] == ["a"]
    assert "the dataset has scan 'a' from other content" in report.refused[0].reason
    np.testing.assert_array_equal(read(open_dataset(url), "a"), voxels_of(1))


def test_other_content_takes_the_place_of_a_scan_when_asked_to(source: Path, url: str) -> None:
    statuses(source, url)
    np.save(source / "a.npy", voxels_of(9))

    assert statuses(source, url, replace=True) == {"a": "stored", "a-mask": "unchanged", "b": "unchanged"}
    np.testing.assert_array_equal(read(open_dataset(url), "a"), voxels_of(9))


def test_a_bad_file_stops_no_other(source: Path, url: str) -> None:
    (source / "bad.npy").write_bytes((source / "a.npy").read_bytes()[:200])

    report = ingest([source], url, workers=1)

    assert not report.ok
    assert [outcome.source for outcome in report.refused] == ["bad.npy"]
    assert open_dataset(url).catalog.scan_ids == ["a", "a-mask", "b"]


def test_an_image_and_a_mask_of_other_size_are_both_refused(source: Path, url: str) -> None:
    np.save(source / "a-mask.npy", mask_of(2, 40, 51))

    report = ingest([source], url, labels=source / "labels.csv", workers=1)

    assert [outcome.scan_id for outcome in report.refused] == ["a", "a-mask"]
    assert "differ in shape" in report.refused[0].reason
    assert open_dataset(url).catalog.scan_ids == ["b"]


def test_doubles_that_are_multiples_of_nothing_come_back_bit_for_bit(tmp_path: Path, url: str) -> None:
    doubles = np.random.default_rng(1).standard_normal((3, 70, 50))
    doubles[0, 0, :3] = np.nan, -0.0, -np.inf
    np.save(tmp_path / "f.npy", doubles)

    assert ingest([tmp_path / "f.npy"], url, workers=1).ok
    dataset = open_dataset(url)
    assert verify_scan(dataset.store, dataset.catalog.row("f")) == []
    assert read(dataset, "f").tobytes() == doubles.tobytes()


def test_a_dry_run_stores_nothing(source: Path, url: str) -> None:
    assert set(statuses(source, url, dry_run=True).values()) == {"planned"}

    with pytest.raises(DatasetNotFound):
        open_dataset(url)


def test_progress_is_told_for_every_source(source: Path, url: str) -> None:
    (source / "bad.npy").write_bytes(b"")
    told: list[Progress] = []

    report = ingest([source], url, workers=1, on_progress=told.append)

    assert [(progress.done, progress.total) for progress in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert {progress.outcome for progress in told} == set(report.outcomes)


def test_rows_are_committed_by_and_by(source: Path, url: str) -> None:
    ingest([source], url, workers=1, commit_rows=1)

    assert open_dataset(url).catalog.version == 2


def test_a_store_that_fails_stops_the_ingest_and_shows_nothing(
    read_only_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = tmp_path_factory.mktemp("source")
    np.save(source / "a.npy", voxels_of(1))

    with pytest.raises(StoreError):
        ingest([source], (read_only_folder / "dataset").as_uri(), workers=1)

    assert not (read_only_folder / "dataset").exists()


def test_a_file_in_the_place_of_the_dataset_is_refused_by_name(source: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")

    with pytest.raises(InvalidRequest, match=r"/taken is a file, not a folder"):
        ingest([source], (tmp_path / "taken" / "dataset").as_uri(), workers=1)

    assert (tmp_path / "taken").read_text() == "mine"


def test_sources_without_any_image_are_refused(tmp_path: Path, url: str) -> None:
    (tmp_path / "notes.txt").write_text("no image")

    with pytest.raises(InvalidRequest, match=r"notes\.txt: no images"):
        ingest([tmp_path / "notes.txt"], url, workers=1)


@pytest.mark.parametrize(
    ("address", "workers", "reason"),
    [
        ("memory://d", 1, "a dataset is written to file:// or s3://"),
        ("file:///nowhere@3", 1, "names a version"),
        ("file:///nowhere", 0, "at least 1 worker, not 0"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_read(address: str, workers: int, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        ingest(["/nowhere"], address, workers=workers)


def test_a_dicom_file_that_names_no_series_is_stored(url: str) -> None:
    path = get_testdata_file("JPEGLSNearLossless_16.dcm")
    assert not pydicom.dcmread(str(path)).get("SeriesInstanceUID")

    (outcome,) = ingest([str(path)], url, workers=1).outcomes
    assert outcome.status is ScanStatus.STORED


def test_files_are_de_identified_on_the_machine_that_has_the_key(tmp_path: Path, url: str) -> None:
    settings = Deidentification(Profile.parse("basic"), Key(b"k" * 32))
    with pytest.raises(InvalidRequest, match="on this machine"):
        ingest([tmp_path], url, deidentification=settings, scheduler="tcp://127.0.0.1:1")


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
