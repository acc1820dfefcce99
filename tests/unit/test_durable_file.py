from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mist_storage.durable_file import remove_file, staged_files, sync_files, write_file


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to the disk, in order: `sync NAME`, and the names that files get."""
    done: list[str] = []
    fsync, replace, link = os.fsync, Path.replace, os.link

    def noted_fsync(descriptor: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name.partition('#')[0]}")
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        done.append(f"name {target.name}")
        return replace(self, target)

    def noted_link(source: Path, target: Path) -> None:
        done.append(f"name {target.name}")
        link(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    monkeypatch.setattr(os, "link", noted_link)
    return done


@pytest.mark.parametrize("replace", [True, False])
def test_bytes_are_on_the_disk_before_they_have_a_name_and_the_name_before_the_call_ends(
    tmp_path: Path, calls: list[str], *, replace: bool
) -> None:
    if replace:
        (tmp_path / "file").write_bytes(b"old")
    write_file(tmp_path / "file", b"bytes", replace=replace)
    assert calls == ["sync file", "name file", f"sync {tmp_path.name}"]


def test_a_new_file_is_not_waited_for_until_all_are(tmp_path: Path, calls: list[str]) -> None:
    write_file(tmp_path / "file", b"bytes")
    assert calls == ["name file"]
    sync_files(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_files(tmp_path / "absent")


def test_folders_that_are_made_are_on_the_disk_too(tmp_path: Path, calls: list[str]) -> None:
    write_file(tmp_path / "a" / "b" / "file", b"bytes", replace=False)
    assert calls[:2] == [f"sync {tmp_path.name}", "sync a"]


def test_a_file_is_replaced_or_refused(tmp_path: Path) -> None:
    write_file(tmp_path / "file", b"old", replace=False)
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "file", b"new", replace=False)
    assert (tmp_path / "file").read_bytes() == b"old"
    write_file(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"new"


def test_removing_a_file_removes_the_folders_that_it_leaves_empty(tmp_path: Path) -> None:
    for name in ("a/b/c/file", "a/other"):
        write_file(tmp_path / name, b"")
    remove_file(tmp_path / "a/b/c/file", tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "other"]
    remove_file(tmp_path / "a/other", tmp_path)
    remove_file(tmp_path / "a/other", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_writing_and_removing_in_one_folder_at_once_works(tmp_path: Path) -> None:
    def write_and_remove(number: int) -> None:
        for _ in range(30):
            write_file(tmp_path / "a" / "b" / str(number), b"bytes")
            remove_file(tmp_path / "a" / "b" / str(number), tmp_path)

    failures: list[BaseException] = []
    monkey = threading.excepthook
    threading.excepthook = lambda failure: failures.append(failure.exc_value or SystemExit())
    threads = [threading.Thread(target=write_and_remove, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    threading.excepthook = monkey
    assert failures == []


def test_files_whose_writing_was_cut_short_are_found(tmp_path: Path) -> None:
    for name in ("file", "file#12", "a#b", "x#"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in staged_files(tmp_path)] == ["file#12"]
