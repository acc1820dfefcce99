from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import pydicom
import pytest

from mist.ingest.deidentify.key import make_key
from tests.canaries import PATTERN, burned_in, image
from tests.command_line import COMMAND, Mist


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_key(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "sources").mkdir()
    image(1).save_as(tmp_path / "sources" / "CNRY.dcm")
    return tmp_path / "sources"


def test_burned_in_text_that_somebody_accepts_is_stored_and_said(mist: Mist, tmp_path: Path, key: Path) -> None:
    (tmp_path / "sources").mkdir()
    burned_in().save_as(tmp_path / "sources" / "CNRY.dcm")
    options = ["--deidentify", "basic", "--deidentify-key", key, "--workers", 1, "--accept-burned-in", "--json"]
    done = mist("ingest", tmp_path / "sources", tmp_path / "dataset", *options)
    report = json.loads(done.output)["deidentification"]["report"]
    assert (report["burned_in_accepted"], report["files"]["files whose burned-in text was accepted"]) == (True, 1)
    mist("export", tmp_path / "dataset", "-o", tmp_path / "out")
    (path,) = (tmp_path / "out").rglob("*.dcm")
    assert "burned-in text accepted by the operator" in pydicom.dcmread(path).DeidentificationMethod


def test_the_map_is_for_its_owner_alone_and_leads_back(mist: Mist, tmp_path: Path, key: Path, sources: Path) -> None:
    options = ["--deidentify", "basic", "--deidentify-key", key, "--workers", 1, "--dry-run"]
    mist("ingest", sources, tmp_path / "dataset", *options, "--deidentify-map", tmp_path / "map.csv")
    assert stat.S_IMODE((tmp_path / "map.csv").stat().st_mode) == 0o600
    assert str(sources / "CNRY.dcm") in (tmp_path / "map.csv").read_text()


def test_no_map_goes_into_the_dataset(mist: Mist, tmp_path: Path, key: Path, sources: Path) -> None:
    options = ["--deidentify", "basic", "--deidentify-key", key, "--deidentify-map", tmp_path / "dataset" / "map.csv"]
    assert "a place outside of it" in mist("ingest", sources, tmp_path / "dataset", *options).error
    assert not (tmp_path / "dataset").exists()


def test_a_profile_without_a_key_says_how_to_make_one(mist: Mist, tmp_path: Path, sources: Path) -> None:
    assert "mist new-key" in mist("ingest", sources, tmp_path / "dataset", "--deidentify", "basic").error


def test_labels_of_a_file_that_is_not_there_are_an_error_by_row(
    mist: Mist, tmp_path: Path, key: Path, sources: Path
) -> None:
    (tmp_path / "labels.csv").write_text("file,grade\nsources/CNRY.dcm,1\nCNRY-gone.dcm,2\n")
    options = ["--deidentify", "basic", "--deidentify-key", key, "--labels", tmp_path / "labels.csv"]
    error = mist("ingest", sources, tmp_path / "dataset", *options).error
    assert error.startswith("the labels name a file in row 3, which is no image of the sources")
    assert not PATTERN.search(error.encode())


def test_labels_that_cannot_be_read_are_not_quoted(mist: Mist, tmp_path: Path, key: Path, sources: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,grade\nCNRY.dcm,1\nCNRY.dcm,2\n")
    options = ["--deidentify", "basic", "--deidentify-key", key, "--labels", tmp_path / "labels.csv"]
    error = mist("ingest", sources, tmp_path / "dataset", *options).error
    assert "without --deidentify says it" in error
    assert not PATTERN.search(error.encode())


def test_a_mask_of_which_there_are_two_copies_is_called_by_a_clean_name(mist: Mist, tmp_path: Path, key: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    image(1).save_as(folder / "image.dcm")
    mask = image(2)
    mask.SeriesInstanceUID = "1.2.826.0.1.3680043.77.5"
    mask.save_as(folder / "CNRY 1.dcm")
    mask.save_as(folder / "CNRY 2.dcm")
    (folder / "labels.csv").write_text("file,outline\nimage.dcm,CNRY 2.dcm\n")
    options = ["--deidentify", "basic", "--deidentify-key", key, "--workers", 1, "--labels", folder / "labels.csv"]
    done = mist("ingest", folder, tmp_path / "dataset", *options, "--dry-run", "--json")
    assert not PATTERN.search(f"{done.output}{done.messages}".encode())


@pytest.mark.parametrize("option", ["--deidentify-map", "--report"])
def test_nothing_overwrites_the_key(mist: Mist, tmp_path: Path, key: Path, sources: Path, option: str) -> None:
    secret = key.read_bytes()
    options = ["--deidentify", "basic", "--deidentify-key", key, "--dry-run", option, key]
    assert "would overwrite the other" in mist("ingest", sources, tmp_path / "dataset", *options).error
    assert key.read_bytes() == secret


@pytest.mark.parametrize("option", ["--deidentify-map", "--report"])
def test_a_file_in_a_folder_that_is_not_there_is_refused_before_anything_is_stored(
    mist: Mist, tmp_path: Path, key: Path, sources: Path, option: str
) -> None:
    options = ["--deidentify", "basic", "--deidentify-key", key, option, tmp_path / "no" / "file"]
    error = mist("ingest", sources, tmp_path / "dataset", *options).error
    assert f"make the folder {tmp_path / 'no'} first" in error
    assert not (tmp_path / "dataset").exists()


@pytest.mark.parametrize("option", ["--deidentify-map", "--report"])
def test_no_file_takes_the_place_of_a_source(mist: Mist, tmp_path: Path, key: Path, sources: Path, option: str) -> None:
    before = (sources / "CNRY.dcm").read_bytes()
    options = ["--deidentify", "basic", "--deidentify-key", key, option, sources / "CNRY.dcm"]
    assert "is there already" in mist("ingest", sources, tmp_path / "dataset", *options).error
    assert (sources / "CNRY.dcm").read_bytes() == before
    assert not (tmp_path / "dataset").exists()


def test_a_later_run_writes_the_same_files_anew(mist: Mist, tmp_path: Path, key: Path, sources: Path) -> None:
    options = ["--deidentify", "basic", "--deidentify-key", key, "--workers", 1, "--dry-run"]
    files = ["--report", tmp_path / "report.json", "--deidentify-map", tmp_path / "map.csv"]
    mist("ingest", sources, tmp_path / "dataset", *options, *files)
    image(2).save_as(sources / "CNRY 2.dcm")
    mist("ingest", sources, tmp_path / "dataset", *options, *files)
    assert "CNRY 2.dcm" in (tmp_path / "map.csv").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["report"]["files"]["files"] == 2


def test_a_key_in_a_folder_that_is_not_there_is_an_error_that_says_so(mist: Mist, tmp_path: Path) -> None:
    assert "name a folder that is there" in mist("new-key", tmp_path / "no" / "key").error


def test_no_map_is_written_through_a_link(mist: Mist, tmp_path: Path, key: Path, sources: Path) -> None:
    (tmp_path / "map.csv").symlink_to(tmp_path / "elsewhere")
    options = ["--deidentify", "basic", "--deidentify-key", key, "--workers", 1, "--dry-run"]
    error = mist("ingest", sources, tmp_path / "dataset", *options, "--deidentify-map", tmp_path / "map.csv").error
    assert "name the file itself" in error
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "content", [b'{"report": 1, "report": {}, "signature": {"key": "", "value": ""}}', b"\xff", b"[" * 100000]
)
def test_what_no_ingest_can_have_written_is_no_report(mist: Mist, tmp_path: Path, key: Path, content: bytes) -> None:
    (tmp_path / "report.json").write_bytes(content)
    error = mist("check-report", tmp_path / "report.json", "--deidentify-key", key).error
    assert "this is no report of a de-identification" in error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_run_that_is_told_to_end_leaves_no_names_of_files_behind(
    tmp_path: Path, key: Path, sources: Path, number: signal.Signals
) -> None:
    for place in range(40):
        image(place).save_as(sources / f"{place}.dcm")
    (tmp_path / "temporary").mkdir()
    options = ["--deidentify", "basic", "--deidentify-key", str(key)]
    command = [*COMMAND, "ingest", str(sources), str(tmp_path / "dataset"), *options]
    run = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(tmp_path / "temporary")}, stderr=subprocess.DEVNULL)
    while not list((tmp_path / "temporary").glob("mist-deidentify-*")):
        assert run.poll() is None
    run.send_signal(number)
    assert run.wait(60) != 0
    assert not list((tmp_path / "temporary").iterdir())
