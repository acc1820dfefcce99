"""Which scan has which segmentation for a mask, whatever came first and whatever else there is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom

from mist.ingest.run import ingest
from mist_storage.dataset import open_dataset
from tests.segmentations import LEFT, ONE, Frame, expected, save, segmentation, write_short_series
from tests.tied_masks import labels_of, outcomes, statuses, ties


def test_a_segmentation_whose_series_is_absent_is_a_scan_of_its_own(folder: Path, url: str) -> None:
    folder.mkdir()
    mask = save(segmentation(ONE, "1.2.3.4"), folder)
    assert outcomes(ingest([folder], url, workers=1))[mask].reason == ""
    assert ties(url) == {mask: (None, None)}
    assert open_dataset(url).catalog.row(mask).header.shape[0] == 4


def test_a_segmentation_is_tied_when_its_series_comes_later(folder: Path, url: str) -> None:
    series = write_short_series(folder / "ct")
    mask = save(segmentation(ONE, series), folder)
    ingest([folder / "seg.dcm"], url, workers=1)
    assert statuses(folder, url) == {series: "stored", mask: "stored"}
    np.testing.assert_array_equal(labels_of(url, series), expected(ONE))


def test_a_tied_segmentation_is_unchanged_with_its_series_and_alone(folder: Path, series: str, url: str) -> None:
    mask = save(segmentation(ONE, series), folder)
    ingest([folder], url, workers=1)
    version = open_dataset(url).catalog.version

    assert statuses(folder, url) == statuses(folder, url, replace=True) == {series: "unchanged", mask: "unchanged"}
    assert statuses(folder / "seg.dcm", url) == {mask: "unchanged"}
    assert statuses(folder / "ct", url) == {series: "unchanged"}
    assert open_dataset(url).catalog.version == version


def test_a_scan_that_was_there_before_is_given_its_mask(folder: Path, series: str, url: str) -> None:
    ingest([folder], url, workers=1)
    mask = save(segmentation(ONE, series), folder)
    assert statuses(folder, url) == {series: "relabelled", mask: "stored"}
    assert ties(url)[series] == (mask, None)


def test_of_two_segmentations_none_is_chosen(folder: Path, series: str, url: str) -> None:
    masks = [save(segmentation(ONE, series, name=name), folder, name) for name in ("one", "two")]
    found = outcomes(ingest([folder], url, workers=1))
    assert all("2 segmentations refer to it" in found[mask].reason for mask in masks)
    assert ties(url) == dict.fromkeys((series, *masks), (None, None))


def test_labels_choose_between_two_segmentations(folder: Path, series: str, url: str) -> None:
    other, chosen = (save(segmentation(ONE, series, name=name), folder, name) for name in ("one", "two"))
    (folder / "labels.csv").write_text("file,outline\nct/000.dcm,two.dcm\n")
    found = outcomes(ingest([folder], url, workers=1, labels=folder / "labels.csv"))
    assert ties(url) == {series: (chosen, None), chosen: (None, series), other: (None, None)}
    assert f"that scan has the mask {chosen}" in found[other].reason
    np.testing.assert_array_equal(labels_of(url, series), expected(ONE))
    assert set(statuses(folder, url).values()) == {"unchanged"}


def test_labels_that_name_another_mask_win(folder: Path, series: str, url: str) -> None:
    mask = save(segmentation(ONE, series), folder)
    np.save(folder / "drawn.npy", expected(ONE))
    (folder / "labels.csv").write_text("file,outline\nct/000.dcm,drawn.npy\n")
    found = outcomes(ingest([folder], url, workers=1, labels=folder / "labels.csv"))
    assert ties(url) == {series: ("drawn", None), "drawn": (None, series), mask: (None, None)}
    assert "that scan has the mask drawn" in found[mask].reason


def test_labels_keep_a_mask_that_does_not_lie_on_the_grid(folder: Path, series: str, url: str) -> None:
    frames = [Frame(LEFT * 128, place) for place in range(12)]
    mask = save(segmentation(frames, series, kind="FRACTIONAL"), folder)
    (folder / "labels.csv").write_text("file,outline\nct/000.dcm,seg.dcm\n")
    found = outcomes(ingest([folder], url, workers=1, labels=folder / "labels.csv"))
    assert ties(url) == {series: (mask, None), mask: (None, series)}
    assert labels_of(url, series).max() == 128
    assert found[mask].status == "stored"


def test_a_scan_that_is_replaced_by_another_lets_go_of_a_mask_that_does_not_fit(
    folder: Path, series: str, url: str
) -> None:
    mask = save(segmentation(ONE, series), folder)
    ingest([folder], url, workers=1)
    for path in (folder / "ct").iterdir():
        moved = pydicom.dcmread(path)
        moved.ImagePositionPatient[2] += 0.5
        moved.save_as(path)
    assert statuses(folder, url) == {series: "refused", mask: "refused"}
    assert statuses(folder, url, replace=True) == {series: "stored", mask: "stored"}
    assert ties(url) == {series: (None, None), mask: (None, None)}
