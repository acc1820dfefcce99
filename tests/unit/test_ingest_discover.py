from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from mist.errors import InvalidRequest
from mist.ingest.discover import discover
from mist.ingest.scan_id import scan_id_of_path, scan_id_of_uid
from mist.ingest.source import SourceKind
from mist_storage.keys import checked_scan_id


def save_array(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        np.save(stream, np.zeros((2, 3), np.uint8))
    return path


@pytest.mark.parametrize(
    ("path", "scan_id"),
    [
        ("a.png", "a"),
        ("images/case 1/brain.nii.gz", "images-case-1-brain"),
        ("scan.v2.JPEG", "scan.v2"),
        ("series.001", "series.001"),
        ("_x/-y.dcm", "_x--y"),
        ("-y.dcm", "_y"),
        ("..png", "_"),
        ("täst.npy", "tast-6db94e19a277"),
        ("患者一.png", "_-e2efe9ef71c9"),
        ("患者二.png", "_-db0ad3fe782c"),
        ("CT 患者１２/brain.nii.gz", "CT--12-brain-28d8be817809"),
    ],
)
def test_a_scan_is_called_by_its_path(path: str, scan_id: str) -> None:
    assert scan_id_of_path(PurePosixPath(path)) == scan_id
    assert checked_scan_id(scan_id) == scan_id


def test_names_that_differ_in_letters_of_another_script_are_different_scans(tmp_path: Path) -> None:
    for name in ("患者一", "患者二", "Łukasz", "łukasz", "Øre", "Åre", "Are", "пациент", "пациента"):
        save_array(tmp_path / f"{name}.npy")

    found = discover([tmp_path])

    assert (len(found.tasks), found.refusals) == (9, ())
    alone = [discover([path]).tasks[0].scan_id for path in tmp_path.iterdir()]
    assert sorted(alone) == [task.scan_id for task in found.tasks]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_has_one_id_on_systems_that_spell_accents_apart_or_together(form: Literal["NFC", "NFD"]) -> None:
    name = unicodedata.normalize(form, "Škoda café.png")
    assert scan_id_of_path(PurePosixPath(name)) == "Skoda-cafe-7d9d7a6eeba0"


@pytest.mark.parametrize("uid", ["", "../1.2", "1.2/3", "x", ".", "1." * 40 + "1"])
def test_a_uid_that_is_none_is_not_used(uid: str) -> None:
    assert scan_id_of_uid(uid, PurePosixPath("a.dcm")) == "a"


def test_a_folder_is_searched_through_in_a_fixed_order(tmp_path: Path) -> None:
    for name in ("z/a.npy", "b.npy", "a/c.npy"):
        save_array(tmp_path / name)

    found = discover([tmp_path])

    assert [task.scan_id for task in found.tasks] == ["a-c", "b", "z-a"]
    assert found == discover([str(tmp_path)])


def test_a_file_may_be_a_source_and_is_found_once(tmp_path: Path) -> None:
    path = save_array(tmp_path / "a.npy")

    assert [task.paths for task in discover([path, tmp_path]).tasks] == [(path,)]


def test_a_format_is_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    save_array(tmp_path / "a.txt")
    (tmp_path / "b.npy").write_text("a table")

    found = discover([tmp_path])

    assert [(task.scan_id, task.kind) for task in found.tasks] == [("a.txt", SourceKind.NUMPY)]
    assert "an unknown format" in found.refusals[0].reason


def test_files_that_are_plainly_no_images_are_skipped_and_counted(tmp_path: Path) -> None:
    save_array(tmp_path / "a.npy")
    for name in ("README.md", "labels.csv", "notes.txt", "meta.json", ".DS_Store"):
        (tmp_path / name).write_text("text")
    save_array(tmp_path / ".hidden" / "b.npy")

    found = discover([tmp_path])

    assert (len(found.tasks), len(found.skipped), found.refusals) == (1, 5, ())


def empty(path: Path) -> None:
    path.touch()


def broken_link(path: Path) -> None:
    path.symlink_to("nowhere")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def half_of_a_pair(path: Path) -> None:
    path.write_bytes(b"\0" * 344 + b"ni1\0")


def cut_dicom(path: Path) -> None:
    whole = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(whole, str)
    path.write_bytes(Path(whole).read_bytes()[:400])


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (empty, "the file is empty"),
        (broken_link, "a broken link, a pipe or a device"),
        (pipe, "a broken link, a pipe or a device"),
        (half_of_a_pair, "NIfTI in two files"),
        (cut_dicom, "there are no pixels in it"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_and_stops_no_other(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "bad")
    save_array(tmp_path / "good.npy")

    found = discover([tmp_path])

    assert [task.scan_id for task in found.tasks] == ["good"]
    assert reason in found.refusals[0].reason
    assert found.refusals[0].reason.startswith("bad: ")


def test_two_sources_of_one_name_are_both_refused(tmp_path: Path) -> None:
    save_array(tmp_path / "one" / "a.npy")
    save_array(tmp_path / "two" / "a.npy")

    found = discover([tmp_path / "one", tmp_path / "two"])

    assert not found.tasks
    assert "2 sources would be the same scan 'a'" in found.refusals[0].reason
    assert len(found.refusals[0].paths) == 2


def test_a_source_that_is_not_there_is_the_callers_fault(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="nowhere: there is no such file"):
        discover([tmp_path / "nowhere"])
