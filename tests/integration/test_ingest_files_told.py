"""Which files a report names: all of them, and of de-identified ones nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from mist.ingest.deidentify.file import Deidentification
from mist.ingest.deidentify.key import Key
from mist.ingest.deidentify.profile import Profile
from mist.ingest.report import IngestReport
from mist.ingest.run import ingest
from mist.ingest_summary import summary_json


def sources(folder: Path) -> Path:
    """An image, a text beside it, and in two folders a broken file of one name."""
    folder.mkdir()
    np.save(folder / "Doe-Jane.npy", np.zeros((3, 4), np.uint8))
    (folder / "Doe-Jane.txt").write_text("beside")
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "IM0001").write_bytes(b"broken")
    return folder


def files_told(report: IngestReport) -> dict[str, list[str]]:
    return {outcome.status.value: [*outcome.files] for outcome in report.outcomes}


def test_every_file_of_the_sources_is_named_in_the_report(tmp_path: Path) -> None:
    folder = sources(tmp_path / "in")

    report = ingest([folder], str(tmp_path / "dataset"), workers=1)

    told = {path for outcome in report.outcomes for path in outcome.files} | {*report.skipped_files}
    assert told == {str(path) for path in folder.rglob("*") if path.is_file()}


def test_files_that_are_de_identified_are_told_by_neutral_names(tmp_path: Path) -> None:
    folder = sources(tmp_path / "in")
    shutil.copy(folder / "Doe-Jane.npy", folder / "two" / "Roe-Jane.npy")

    report = ingest(
        [folder],
        str(tmp_path / "dataset"),
        workers=1,
        deidentification=Deidentification(Profile(), Key(b"k" * 32)),
    )

    assert all(outcome.files for outcome in report.outcomes)
    assert "Jane" not in str(summary_json(report))
    assert str(tmp_path) not in str(summary_json(report))
