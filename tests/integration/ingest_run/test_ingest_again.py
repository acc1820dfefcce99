from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from mist.errors import ScanConflict
from mist.ingest.report import Progress, ScanStatus
from mist.ingest.run import ingest
from mist_storage.dataset import open_dataset
from tests.ingest_runs import objects, read, statuses, stored, voxels_of


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


def test_of_two_ingests_at_once_the_second_takes_no_scan_of_other_content_from_the_first(
    source: Path, url: str, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    np.save(other / "b.npy", voxels_of(9, 20, 30))

    def outrun(step: Progress) -> None:
        if step.done == 1:
            statuses(other, url)

    with pytest.raises(ScanConflict, match="'b'"):
        ingest([source], url, workers=1, on_progress=outrun)

    np.testing.assert_array_equal(read(open_dataset(url), "b"), voxels_of(9, 20, 30))
    again = ingest([source], url, workers=1)
    assert {outcome.scan_id for outcome in again.refused} == {"b"}
    assert again.count(ScanStatus.STORED) == 2
