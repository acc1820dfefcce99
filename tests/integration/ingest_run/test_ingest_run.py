from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from mist.errors import DatasetNotFound, InvalidRequest, StoreError
from mist.ingest.deidentify.file import Deidentification
from mist.ingest.deidentify.key import Key
from mist.ingest.deidentify.profile import Profile
from mist.ingest.report import Progress, ScanStatus
from mist.ingest.run import ingest
from mist.request import Request
from mist_storage.dataset import open_dataset
from mist_storage.verify import verify_scan
from tests.ingest_runs import mask_of, objects, read, statuses, stored, voxels_of


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
