"""Positions of a segmentation that are relative to something else than those of its scan."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from mist.ingest.report import IngestReport
from mist.ingest.run import ingest
from mist_storage.dataset import open_dataset
from tests.segmentations import Frame, disc, segmentation, write_short_series

FRAMES = [Frame(disc(80, 40), 4), Frame(disc(80, 40), 5)]
ELSEWHERE = "1.2.3.4"


def frame_of_reference(folder: Path) -> str:
    return str(pydicom.dcmread(next(folder.iterdir()), stop_before_pixels=True).FrameOfReferenceUID)


def ingested(folder: Path, series: str, uid: str | None, url: str) -> IngestReport:
    dataset = segmentation(FRAMES, series)
    if uid is not None:
        dataset.FrameOfReferenceUID = uid
    dataset.save_as(folder / "seg.dcm", enforce_file_format=True)
    return ingest([folder], url, workers=1)


def test_a_segmentation_in_another_frame_of_reference_is_not_tied(tmp_path: Path) -> None:
    series = write_short_series(tmp_path / "in" / "ct")

    report = ingested(tmp_path / "in", series, ELSEWHERE, str(tmp_path / "dataset"))

    (untied,) = report.noted
    assert f"its Frame of Reference UID is {ELSEWHERE}, and that of the scan is" in untied.reason
    assert open_dataset(str(tmp_path / "dataset")).catalog.row(series).mask is None


@pytest.mark.parametrize("says_so", [True, False])
def test_a_segmentation_in_the_same_or_an_unknown_one_is_tied(tmp_path: Path, *, says_so: bool) -> None:
    series = write_short_series(tmp_path / "in" / "ct")
    uid = frame_of_reference(tmp_path / "in" / "ct") if says_so else None

    assert ingested(tmp_path / "in", series, uid, str(tmp_path / "dataset")).noted == ()


def test_slices_that_disagree_on_their_frame_of_reference_say_nothing_of_it(tmp_path: Path) -> None:
    series = write_short_series(tmp_path / "in" / "ct")
    for path in (tmp_path / "in" / "ct").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.FrameOfReferenceUID = generate_uid()
        dataset.save_as(path)

    assert ingested(tmp_path / "in", series, ELSEWHERE, str(tmp_path / "dataset")).noted == ()
