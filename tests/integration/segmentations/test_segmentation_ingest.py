"""Segmentations and their scan in an ingest: processes that end, dry runs, de-identification, the command."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

import mist_client
from mist.ingest.deidentify.key import make_key
from mist.ingest.discover import discover
from mist.ingest.job import Job, Result
from mist.ingest.limits import Limits
from mist.ingest.run import bundles, ingest
from mist.ingest.worker import do_job
from mist.ingest.workshop import Workshop
from tests.command_line import Mist
from tests.segmentations import ONE, TURNED, TWO, expected, save, segmentation
from tests.tied_masks import labels_of, outcomes, ties


def test_a_segmentation_that_is_broken_costs_its_scan_nothing(folder: Path, series: str, url: str) -> None:
    dataset = segmentation(ONE, series)
    dataset.PixelData = dataset.PixelData[:100]
    save(dataset, folder)
    report = ingest([folder], url, workers=1)
    assert len(report.refused) == 1
    assert ties(url) == {series: (None, None)}


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
