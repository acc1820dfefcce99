"""Frames of a segmentation as labels on the slices of its scan, and as a file again."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import mist_client
from mist.delivery.source_files import give_back
from mist.ingest.run import ingest
from mist_storage.dataset import open_dataset
from tests.segmentations import LEFT, ONE, RIGHT, TURNED, TWO, Frame, disc, expected, save, segmentation
from tests.tied_masks import labels_of, outcomes, statuses, ties


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
    assert "its frames are of 2 segments (1, 2), which one volume cannot tell apart" in refused.reason
    assert f"not tied to scan {series}: seg.dcm: segments overlap" in refused.reason
    assert ties(url) == {series: (None, None)}


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


def test_segments_on_other_slices_are_not_mixed_in_a_scan_alone(folder: Path, url: str) -> None:
    folder.mkdir()
    save(segmentation([Frame(LEFT, 4), Frame(LEFT, 5), Frame(LEFT, 6, segment=2)], "1.2.3"), folder)

    (refused,) = ingest([folder / "seg.dcm"], url, workers=1).refused
    assert "its frames are of 2 segments (1, 2)" in refused.reason
    assert "ingest it together with the series that it segments" in refused.reason


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
