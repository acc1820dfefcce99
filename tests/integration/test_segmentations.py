from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

import mist_client
from mist.delivery.source_files import give_back
from mist.ingest.deidentify.key import make_key
from mist.ingest.discover import discover
from mist.ingest.job import Job, Result
from mist.ingest.limits import Limits
from mist.ingest.report import IngestReport, ScanOutcome
from mist.ingest.run import bundles, ingest
from mist.ingest.worker import do_job
from mist.ingest.workshop import Workshop
from mist_storage.dataset import open_dataset
from tests.command_line import Mist
from tests.segmentations import Frame, disc, expected, segmentation, write_short_series

LEFT, RIGHT = disc(80, 40), disc(80, 120)

ONE = [Frame(LEFT, 7), Frame(LEFT, 4), Frame(LEFT, 6), Frame(LEFT, 5)]
"""One segment, on four slices, in no order."""

TWO = [Frame(LEFT, 4), Frame(RIGHT, 4, segment=2), Frame(RIGHT, 5, segment=2)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def series(folder: Path) -> str:
    """The short CT phantom, called by its Series Instance UID."""
    return write_short_series(folder / "ct")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return (tmp_path / "dataset").as_uri()


def save(dataset: Dataset, folder: Path, name: str = "seg") -> str:
    """Write a segmentation beside the series; its id is returned."""
    dataset.save_as(folder / f"{name}.dcm", enforce_file_format=True)
    return str(dataset.SOPInstanceUID)


def outcomes(report: IngestReport) -> dict[str, ScanOutcome]:
    return {outcome.scan_id: outcome for outcome in report.outcomes}


def statuses(folder: Path, url: str, **options: object) -> dict[str, str]:
    report = ingest([folder], url, workers=1, **options)  # type: ignore[arg-type]
    return {scan_id: outcome.status.value for scan_id, outcome in outcomes(report).items()}


def ties(url: str) -> dict[str, tuple[str | None, str | None]]:
    """The mask of each scan, and whose mask it is."""
    catalog = open_dataset(url).catalog
    return {row.scan_id: (row.mask, row.mask_of) for row in map(catalog.row, catalog.scan_ids)}


def labels_of(url: str, scan_id: str, level: int = 0) -> np.ndarray:
    mask = mist_client.open(url)[scan_id].mask
    assert mask is not None
    return mask.read(level=level).voxels


def test_frames_in_any_order_become_labels_on_the_slices_of_the_scan(folder: Path, series: str, url: str) -> None:
    mask = save(segmentation(ONE, series), folder)

    assert statuses(folder, url) == {series: "stored", mask: "stored"}
    assert ties(url) == {series: (mask, None), mask: (None, series)}
    np.testing.assert_array_equal(labels_of(url, series), expected(ONE))


@pytest.mark.parametrize(("level", "steps"), [(0, (1, 1, 1)), (1, (2, 2, 2))])
def test_labels_lie_where_the_scan_does_at_every_level(
    folder: Path, series: str, url: str, level: int, steps: tuple[int, int, int]
) -> None:
    save(segmentation(TWO, series), folder)
    ingest([folder], url, workers=1)

    scan = mist_client.open(url)[series]
    assert scan.mask is not None
    image, labels = scan.read(level=level), scan.mask.read(level=level)
    assert labels.voxels.shape == image.voxels.shape
    np.testing.assert_array_equal(labels.affine, image.affine)
    np.testing.assert_array_equal(labels.voxels, expected(TWO)[tuple(slice(None, None, step) for step in steps)])


def test_segments_that_overlap_are_not_tied_and_it_is_said_why(folder: Path, series: str, url: str) -> None:
    save(segmentation([Frame(LEFT, 4), Frame(disc(80, 50), 4, segment=2)], series), folder)

    report = ingest([folder], url, workers=1)
    (refused,) = report.refused
    assert "several slices lie in one place" in refused.reason
    assert f"not tied to scan {series}: seg.dcm: segments overlap" in refused.reason
    assert ties(url) == {series: (None, None)}


TURNED = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        (lambda series: segmentation(ONE, series, orientation=TURNED), "frame 1 has other directions than the slices"),
        (lambda series: segmentation(ONE, series, spacing_mm=(0.8, 0.81)), r"has a pixel spacing of \(0.8, 0.81\) mm"),
        (
            lambda series: segmentation([Frame(LEFT, place + 0.03) for place in (3, 4)], series),
            "frame 1 lies on no slice of the scan: 0.03 mm",
        ),
        (lambda series: segmentation([Frame(LEFT, 11), Frame(LEFT, 12)], series), "frame 2 lies on no slice"),
        (
            lambda series: segmentation([Frame(LEFT[:80], place) for place in (3, 4)], series),
            r"frame 1 has \(rows, columns\) \(80, 160\)",
        ),
        (
            lambda series: segmentation([Frame(LEFT * 128, place) for place in (3, 4)], series, kind="FRACTIONAL"),
            "FRACTIONAL and has values between 0 and 255",
        ),
    ],
    ids=["turned", "spacing", "between slices", "beyond the last slice", "size", "fractional"],
)
def test_what_does_not_fit_is_stored_as_a_scan_of_its_own(
    folder: Path, series: str, url: str, segments: object, reason: str
) -> None:
    assert callable(segments)
    mask = save(segments(series), folder)

    found = outcomes(ingest([folder], url, workers=1))
    again = outcomes(ingest([folder], url, workers=1))
    assert {scan_id: outcome.status for scan_id, outcome in found.items()} == {series: "stored", mask: "stored"}
    assert re.search(reason, found[mask].reason)
    assert ties(url) == {series: (None, None), mask: (None, None)}
    assert {outcome.status for outcome in again.values()} == {"unchanged"}
    assert again[mask].reason == found[mask].reason


def test_fractions_that_are_all_or_nothing_are_labels(folder: Path, series: str, url: str) -> None:
    frames = [Frame(LEFT * 255, 3), Frame(LEFT * 255, 8)]
    save(segmentation(frames, series, kind="FRACTIONAL"), folder)
    ingest([folder], url, workers=1)
    np.testing.assert_array_equal(labels_of(url, series), expected([Frame(LEFT, 3), Frame(LEFT, 8)]))


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


def test_a_segmentation_that_is_broken_costs_its_scan_nothing(folder: Path, series: str, url: str) -> None:
    dataset = segmentation(ONE, series)
    dataset.PixelData = dataset.PixelData[:100]
    save(dataset, folder)
    report = ingest([folder], url, workers=1)
    assert len(report.refused) == 1
    assert ties(url) == {series: (None, None)}


@pytest.mark.parametrize("kind", [("BINARY", 1), ("LABELMAP", 1), ("LABELMAP", 2)], ids=["bits", "bytes", "words"])
def test_the_file_of_a_tied_segmentation_comes_back(folder: Path, series: str, url: str, kind: tuple[str, int]) -> None:
    frames = [Frame(LEFT, 7), Frame(RIGHT, 2)] if kind[0] == "BINARY" else [Frame(LEFT + 3 * RIGHT, 7), Frame(RIGHT, 2)]
    mask = save(segmentation(frames, series, kind=kind[0], sample_bytes=kind[1]), folder)
    ingest([folder], url, workers=1)
    np.testing.assert_array_equal(labels_of(url, series), expected(frames))
    give_back(open_dataset(url), [mask], folder / "out")
    (path,) = (folder / "out").rglob("seg.dcm")
    assert path.read_bytes() == (folder / "seg.dcm").read_bytes()


def test_the_frames_of_a_label_map_are_not_kept_twice(folder: Path, series: str, url: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 160, 160)).astype(np.uint8)
    mask = save(segmentation([*map(Frame, noise, (7, 2, 5))], series, kind="LABELMAP"), folder)
    ingest([folder], url, workers=1)
    assert open_dataset(url).catalog.row(mask).stored_bytes < 1.5 * noise.size


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_a_single_frame_is_put_on_its_slice(folder: Path, series: str, url: str, kind: str) -> None:
    save(segmentation([Frame(LEFT, 9)], series, kind=kind), folder)
    ingest([folder], url, workers=1)
    np.testing.assert_array_equal(labels_of(url, series), expected([Frame(LEFT, 9)]))


def test_frames_of_an_enhanced_image_are_slices_too(folder: Path, url: str) -> None:
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 160, 160)).astype(np.uint8)
    image = segmentation([*map(Frame, pixels, (3, 1, 0, 2))], "1.2.3", kind="LABELMAP", name="image")
    image.Modality = "CT"
    scan_id = save(image, folder, "image")
    save(segmentation([*TWO[:1], Frame(RIGHT, 1)], str(image.SeriesInstanceUID)), folder)
    report = ingest([folder], url, workers=1)
    assert "lies on no slice" in report.noted[0].reason  # frame 1 is above the highest slice
    save(segmentation([Frame(RIGHT, 1)], str(image.SeriesInstanceUID)), folder)
    assert set(statuses(folder, url, replace=True).values()) == {"relabelled", "stored"}
    np.testing.assert_array_equal(labels_of(url, scan_id), expected([Frame(RIGHT, 1)])[:4])


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


def test_a_segmentation_that_ends_its_process_costs_its_scan_nothing(folder: Path, series: str, url: str) -> None:
    mask = save(segmentation(ONE, series), folder)
    jobs = [Job(url, bundle, {}) for bundle in bundles(discover([folder]).tasks)]
    with Workshop(die_of_segmentations, Limits(), 1 << 32) as workshop:
        results = [result for job in jobs for result in workshop.do(job)]
    assert {result.task.scan_id: result.outcome.status.value for result in results} == {
        series: "stored",
        mask: "refused",
    }


def die_of_segmentations(job: Job, limits: Limits) -> list[Result]:
    if any(task.is_mask for task in job.tasks):
        os._exit(1)
    return do_job(job, limits)


def test_worker_processes_tie_as_one_process_does(folder: Path, series: str, url: str, tmp_path: Path) -> None:
    save(segmentation(TWO, series), folder)
    assert ingest([folder], url, workers=1) == ingest([folder], (tmp_path / "other").as_uri(), workers=2)
    np.testing.assert_array_equal(labels_of((tmp_path / "other").as_uri(), series), expected(TWO))


def test_a_dry_run_says_what_would_not_be_tied(folder: Path, series: str, url: str) -> None:
    mask = save(segmentation(ONE, series, orientation=TURNED), folder)
    found = outcomes(ingest([folder], url, workers=1, dry_run=True))
    assert (found[mask].status, found[series].status) == ("planned", "planned")
    assert "other directions" in found[mask].reason


def test_de_identified_uids_still_tie(mist: Mist, folder: Path, series: str, url: str, tmp_path: Path) -> None:
    save(segmentation(ONE, series), folder)
    make_key(tmp_path / "key")
    options = ["--deidentify", "basic", "--deidentify-key", tmp_path / "key", "--workers", 1, "--json"]
    report = json.loads(mist("ingest", folder, url, *options).output)
    (scan,) = mist_client.open(url)
    assert report["counts"]["stored"] == 2
    assert scan.id != series
    np.testing.assert_array_equal(labels_of(url, scan.id), expected(ONE))


def test_the_command_says_what_was_not_tied(mist: Mist, folder: Path, series: str, url: str) -> None:
    save(segmentation(ONE, series, orientation=TURNED), folder)
    done = mist("ingest", folder, url, "--workers", 1)
    assert done.code == 0
    assert "seg.dcm: not tied to scan" in done.messages
