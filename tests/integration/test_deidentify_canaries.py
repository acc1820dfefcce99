"""Nothing that identifies gets through: canaries planted everywhere, a real ingest, and every byte of what it left."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pydicom
import pytest
from numcodecs import Zstd
from pydicom.uid import RLELossless

from mist.ingest.deidentify.key import make_key
from tests.canaries import PATTERN, burned_in, image, palette, voxels, write_nifti, write_pictures
from tests.command_line import Done, run_process

SLICES = 2


@dataclass(frozen=True, slots=True)
class Run:
    """What an ingest of canaries left behind."""

    sources: Path
    dataset: Path
    key: Path
    report: Path
    said: dict[str, object]
    """What `--json` printed."""
    words: bytes
    """All that was printed, by a first run, a second one, and commands that read."""


def mist(*arguments: object, expect: int = 0) -> Done:
    """What `mist` did, which ends with the code that is expected."""
    done = run_process(*arguments)
    assert done.code == expect, done
    return done


def _sources(folder: Path) -> Path:
    nested = folder / "CNRY folder"
    nested.mkdir(parents=True)
    for place in range(SLICES):
        image(place).save_as(nested / f"CNRY {place}.dcm")
    burned_in().save_as(nested / "CNRY burned in.dcm")
    whole = (nested / "CNRY 0.dcm").read_bytes()
    (nested / "CNRY cut.dcm").write_bytes(whole[:900])
    (nested / "CNRY unknown").write_bytes(b"CNRY, no image at all")
    (nested / "CNRY.png.gz").write_bytes(b"\x1f\x8bCNRY")
    write_nifti(nested / "CNRY.nii.gz")
    write_pictures(nested)
    (folder / "labels.csv").write_text("file,grade\nCNRY folder/CNRY.png,2\nCNRY folder/CNRY 1.dcm,3\n")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("canaries")
    sources, dataset, key = _sources(folder / "sources"), folder / "dataset", folder / "key"
    make_key(key)
    options = ["--deidentify", "basic", "--deidentify-key", str(key), "--labels", str(sources / "labels.csv")]
    first = mist("ingest", sources, dataset, *options, "--report", folder / "report.json", "--json", expect=1)
    second = mist("ingest", sources, dataset, *options, "--workers", "1", expect=1)
    listed = mist("ls", dataset, "--json")
    words = "".join(done.output + done.messages for done in (first, second, listed))
    return Run(sources, dataset, key, folder / "report.json", json.loads(first.output), words.encode())


def _stored(folder: Path) -> dict[str, bytes]:
    """Every object of a dataset, and the content of those that are compressed."""
    objects = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    opened: dict[str, bytes] = {}
    for name, content in objects.items():
        if name.endswith(".zst"):
            opened[f"{name}, opened"] = bytes(Zstd().decode(content))
        if name.endswith(".parquet"):
            opened[f"{name}, opened"] = repr(pl.read_parquet(folder / name).to_dicts()).encode()
    return objects | opened


def test_no_stored_object_and_no_key_holds_a_canary(run: Run) -> None:
    stored = _stored(run.dataset)
    assert sum(name.endswith(".zst, opened") for name in stored) == 6  # so many scans: a stack, NIfTI, four pictures
    assert [name for name, content in stored.items() if PATTERN.search(content) or PATTERN.search(name.encode())] == []


def test_nothing_that_was_printed_holds_a_canary(run: Run) -> None:
    assert PATTERN.findall(run.words) == []


def test_the_report_holds_no_canary(run: Run) -> None:
    assert PATTERN.findall(run.report.read_bytes()) == []


def test_what_is_printed_as_json_holds_the_report_with_its_signature(run: Run) -> None:
    assert run.said["deidentification"] == json.loads(run.report.read_text())


def test_neither_digests_of_the_sources_nor_the_key_are_stored_or_printed(run: Run) -> None:
    secrets = [hashlib.sha256(path.read_bytes()).hexdigest() for path in run.sources.rglob("*") if path.is_file()]
    secrets.append(run.key.read_text().strip())
    everything = b"".join(_stored(run.dataset).values()) + run.words + run.report.read_bytes()
    assert [secret for secret in secrets if secret.encode() in everything] == []


def test_what_is_no_sound_image_is_refused_and_counted(run: Run) -> None:
    counts = run.said["counts"]
    assert isinstance(counts, dict)
    assert (counts["stored"], counts["refused"]) == (6, 4)  # burned-in text, a cut file, an unknown one, gzip


def test_a_second_run_changes_nothing(run: Run) -> None:
    assert b"unchanged" in run.words
    assert len([*(run.dataset / "catalog" / "_delta_log").glob("*.json")]) == 1


def test_the_same_key_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    options = ["--deidentify", "basic", "--deidentify-key", str(run.key), "--labels", str(run.sources / "labels.csv")]
    mist("ingest", run.sources, tmp_path / "again", *options, "--workers", "1", expect=1)
    assert _scans(tmp_path / "again") == _scans(run.dataset)


def test_another_key_gives_other_ids(run: Run, tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    options = ["--deidentify", "basic", "--deidentify-key", str(tmp_path / "key")]
    mist("ingest", run.sources / "CNRY folder" / "CNRY 0.dcm", tmp_path / "other", *options, "--workers", "1")
    mist("ingest", run.sources / "CNRY folder" / "CNRY.png", tmp_path / "other", *options, "--workers", "1")
    ids = {path.name for path in (tmp_path / "other" / "scans").iterdir()}
    assert ids.isdisjoint(path.name for path in (run.dataset / "scans").iterdir())


def _scans(dataset: Path) -> dict[str, bytes]:
    scans = dataset / "scans"
    return {str(path.relative_to(scans)): path.read_bytes() for path in scans.rglob("*") if path.is_file()}


def test_exported_slices_keep_voxels_and_geometry_and_say_what_was_done(run: Run, tmp_path: Path) -> None:
    mist("export", run.dataset, "-o", tmp_path / "out")
    read = map(pydicom.dcmread, (tmp_path / "out").rglob("*.dcm"))
    slices = sorted(read, key=lambda one: one.ImagePositionPatient[2])
    assert len(slices) == SLICES
    for place, one in enumerate(slices):
        assert np.array_equal(one.pixel_array, voxels(place))
        assert (one.Modality, list(one.PixelSpacing), one.RescaleSlope, one.WindowWidth) == ("CT", [0.7, 0.8], 2, 400)
        assert (one.PatientIdentityRemoved, one.LongitudinalTemporalInformationModified) == ("YES", "REMOVED")
        assert [code.CodeValue for code in one.DeidentificationMethodCodeSequence] == ["113100"]
    assert len({(one.StudyInstanceUID, one.PatientID, one.FrameOfReferenceUID) for one in slices}) == 1
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or not PATTERN.search(path.read_bytes() + path.name.encode())


def test_a_file_that_is_kept_as_it_is_holds_no_canary_behind_its_samples_and_colours(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    palette().save_as(tmp_path / "sources" / "CNRY.dcm")
    options = ["--deidentify", "basic", "--deidentify-key", run.key, "--workers", 1]
    mist("ingest", tmp_path / "sources", tmp_path / "dataset", *options)
    mist("export", tmp_path / "dataset", "-o", tmp_path / "out")
    (path,) = (tmp_path / "out").rglob("*.dcm")
    exported = pydicom.dcmread(path)
    assert exported.file_meta.TransferSyntaxUID == RLELossless  # so what is stored is the file, not its voxels alone
    assert exported.pixel_array.tobytes() == bytes(range(256))
    assert len(exported.RedPaletteColorLookupTableData) == 512
    assert [name for name, content in _stored(tmp_path / "dataset").items() if PATTERN.search(content)] == []


def test_labels_find_their_scans_though_names_are_gone(run: Run) -> None:
    rows = json.loads(mist("ls", run.dataset, "--json").output)
    assert sorted(row["labels"]["grade"] for row in rows if row["labels"].get("grade") is not None) == [2, 3]


def test_the_report_is_known_to_be_whole_and_a_changed_one_is_not(run: Run, tmp_path: Path) -> None:
    mist("check-report", run.report, "--deidentify-key", run.key)
    changed = tmp_path / "report.json"
    changed.write_text(run.report.read_text().replace('"refused": 4', '"refused": 0'))
    assert "changed afterwards" in mist("check-report", changed, "--deidentify-key", run.key, expect=1).messages
