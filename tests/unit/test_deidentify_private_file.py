from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mist.errors import InvalidRequest
from mist.ingest.deidentify.private_file import PrivateFile, map_file


def _file(path: Path) -> PrivateFile:
    return PrivateFile(path, "note", b"note: ")


def test_a_file_is_for_its_owner_alone_even_where_an_earlier_one_was_not(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("note: old")
    (tmp_path / "note").chmod(0o644)
    _file(tmp_path / "note").write("note: new")
    assert stat.S_IMODE((tmp_path / "note").stat().st_mode) == 0o600
    assert (tmp_path / "note").read_text() == "note: new"
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_what_cannot_be_written_leaves_the_earlier_file_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("note: old")
    with pytest.raises(UnicodeEncodeError):
        _file(tmp_path / "note").write("note: \ud800")  # which UTF-8 cannot hold
    assert (tmp_path / "note").read_text() == "note: old"
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_asking_whether_a_file_can_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    _file(tmp_path / "note").require_writable()
    assert not list(tmp_path.iterdir())


def test_an_empty_file_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "note").touch()
    _file(tmp_path / "note").write("note: new")
    assert (tmp_path / "note").read_text() == "note: new"


@pytest.mark.parametrize("content", [b"other", b"note"])
def test_a_file_of_another_kind_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "note").write_bytes(content)
    with pytest.raises(InvalidRequest, match="is there already, and is no note"):
        _file(tmp_path / "note").require_writable()


def test_a_folder_a_pipe_and_a_link_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    for name, said in (("pipe", "is no note"), ("folder", "is no note"), ("link", "name the file itself")):
        with pytest.raises(InvalidRequest, match=said):
            _file(tmp_path / name).require_writable()


def test_a_path_below_a_file_is_refused_with_the_folder_that_lacks(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidRequest, match="make the folder"):
        map_file(tmp_path / "file" / "map.csv").require_writable()
