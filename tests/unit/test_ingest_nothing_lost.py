"""Folders and names that a search of sources could lose without a word."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

import numpy as np
import pytest

from mist.delivery.source_files import give_back
from mist.ingest import discover as searching
from mist.ingest.discover import Discovery, discover
from mist.ingest.run import ingest
from mist.ingest.scan_id import MAX_CHARACTERS, scan_id_of_path
from mist_storage.dataset import open_dataset


def an_image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        np.save(stream, np.arange(12, dtype=np.uint8).reshape(3, 4))
    return path


def reasons(found: Discovery) -> list[str]:
    return [refusal.reason for refusal in found.refusals]


def test_a_link_to_a_folder_elsewhere_is_refused(tmp_path: Path) -> None:
    an_image(tmp_path / "elsewhere" / "a.npy")
    an_image(tmp_path / "source" / "b.npy")
    (tmp_path / "source" / "linked").symlink_to(tmp_path / "elsewhere")

    found = discover([tmp_path / "source"])

    assert [task.scan_id for task in found.tasks] == ["b"]
    assert len(found.refusals) == 1
    assert "linked: a folder that cannot be read, or a link to a folder" in reasons(found)[0]


def test_a_link_to_a_folder_whose_files_are_found_anyway_is_nothing_to_tell(tmp_path: Path) -> None:
    an_image(tmp_path / "2024" / "a.npy")
    (tmp_path / "latest").symlink_to("2024")
    (tmp_path / "2024" / "loop").symlink_to("..")

    found = discover([tmp_path])

    assert ([task.scan_id for task in found.tasks], found.refusals) == (["2024-a"], ())


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    an_image(tmp_path / "closed" / "a.npy")
    an_image(tmp_path / "b.npy")
    scan = os.scandir

    def denied(path: str) -> object:  # root may read anything: so the system says no here
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    found = discover([tmp_path])

    assert [task.scan_id for task in found.tasks] == ["b"]
    assert "closed: a folder that cannot be read" in reasons(found)[0]


@pytest.mark.parametrize("name", ["new\nline.npy", "back\\slash.npy", "C:drive.npy"])
def test_a_file_whose_name_could_not_be_given_back_is_refused(tmp_path: Path, name: str) -> None:
    an_image(tmp_path / name)

    found = discover([tmp_path])

    assert found.tasks == ()
    assert "rename it" in reasons(found)[0]


def test_a_file_whose_name_is_no_utf8_costs_itself_and_no_other(tmp_path: Path) -> None:
    an_image(tmp_path / os.fsdecode(b"caf\xe9.npy"))
    an_image(tmp_path / "b.npy")

    report = ingest([tmp_path], str(tmp_path / "dataset"), workers=1)

    assert sorted(outcome.status for outcome in report.outcomes) == ["refused", "stored"]
    assert "caf\\udce9.npy" in report.refused[0].reason


def test_names_that_are_taken_come_back(tmp_path: Path) -> None:
    for name in ("trail .npy", "con.npy", "caf\N{LATIN SMALL LETTER E WITH ACUTE}.npy", "ab:c.npy"):
        an_image(tmp_path / "in" / name)
    ingest([tmp_path / "in"], str(tmp_path / "dataset"), workers=1)

    given = give_back(open_dataset(str(tmp_path / "dataset")), (), tmp_path / "out")

    assert given.problems == ()
    assert {file.path.name for file in given.files} == {path.name for path in (tmp_path / "in").iterdir()}


def test_what_lies_in_a_dataset_is_no_source(tmp_path: Path) -> None:
    an_image(tmp_path / "a.npy")
    dataset = str(tmp_path / "dataset")

    first, second = (ingest([tmp_path], dataset, workers=1) for _ in range(2))

    assert [outcome.status for outcome in first.outcomes] == ["stored"]
    assert [outcome.status for outcome in second.outcomes] == ["unchanged"]


def test_folders_that_are_called_like_those_of_a_dataset_are_searched(tmp_path: Path) -> None:
    for folder in searching.STORED_FOLDERS:
        an_image(tmp_path / folder / "a.npy")

    assert len(discover([tmp_path]).tasks) == len(searching.STORED_FOLDERS)


def test_long_paths_have_ids_that_tell_them_apart() -> None:
    one, other = (scan_id_of_path(PurePath("d" * 200, "e" * 200, f"{name}.npy")) for name in "ab")

    assert one != other
    assert len(one) == len(other) == MAX_CHARACTERS
    assert scan_id_of_path(PurePath("d" * MAX_CHARACTERS)) == "d" * MAX_CHARACTERS


def test_long_paths_of_other_scripts_have_ids_that_tell_them_apart() -> None:
    one, other = (scan_id_of_path(PurePath("d" * 200, "図" * 60, f"{name}.npy")) for name in "一二")

    assert one != other
    assert len(one) == len(other) == MAX_CHARACTERS
