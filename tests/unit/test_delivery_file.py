from __future__ import annotations

import os
import stat
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from mist.delivery.file import ENDINGS, write_scan_file
from mist.delivery.image_request import FORMATS
from mist.errors import InvalidRequest
from mist_storage.scan_reader import ScanReader
from tests.stored_scan import blobs, stored

EVERYTHING: Mapping[str, str] = {}


@pytest.fixture(scope="module")
def reader() -> ScanReader:
    return stored(blobs("zyx", (12, 40, 50))).reader()


def test_what_is_written_is_told(reader: ScanReader, tmp_path: Path) -> None:
    written = write_scan_file(reader, {"level": "1"}, tmp_path / "a.npy")
    levels = reader.header.levels
    assert (written.level, written.shape) == (1, np.load(tmp_path / "a.npy").shape)
    assert (written.level_bytes, written.scan_bytes) == (levels[1].end_byte, levels[0].end_byte)


def test_every_format_has_an_ending() -> None:
    assert set(ENDINGS.values()) == set(FORMATS)


@pytest.mark.parametrize("name", ["a.xyz", "npy", "a.nii"])
def test_an_ending_that_says_no_format_is_refused(reader: ScanReader, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match="ends in none of"):
        write_scan_file(reader, EVERYTHING, tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_a_named_format_goes_before_the_ending(reader: ScanReader, tmp_path: Path) -> None:
    write_scan_file(reader, {"format": "npy"}, tmp_path / "a.png")
    assert np.load(tmp_path / "a.png").shape == (12, 40, 50)


def test_a_file_takes_the_place_of_another_with_the_usual_permissions(reader: ScanReader, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_text("old")
    write_scan_file(reader, EVERYTHING, tmp_path / "a.npy")
    before = os.umask(0o022)
    os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.npy").stat().st_mode) == 0o666 & ~before
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_a_link_stays_a_link(reader: ScanReader, tmp_path: Path) -> None:
    (tmp_path / "real.npy").touch()
    (tmp_path / "link.npy").symlink_to("real.npy")
    write_scan_file(reader, EVERYTHING, tmp_path / "link.npy")
    assert (tmp_path / "link.npy").is_symlink()
    assert np.load(tmp_path / "real.npy").shape == (12, 40, 50)


def test_a_pipe_is_written_to_and_stays_a_pipe(reader: ScanReader, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reading = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reading.start()
    write_scan_file(reader, {"format": "npy"}, pipe)
    reading.join(30)
    assert received[0].startswith(b"\x93NUMPY")
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["gone/a.npy", "folder.npy"])
def test_a_place_that_cannot_be_written_to_is_named(reader: ScanReader, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(OSError) as failure:  # noqa: PT011 - which one it is depends on the place
        write_scan_file(reader, EVERYTHING, tmp_path / name)
    assert failure.value.filename == str(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.npy"]


def test_a_write_that_fails_half_way_leaves_what_was_there(
    reader: ScanReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    (tmp_path / "a.npy").write_text("mine")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left on device"):
        write_scan_file(reader, EVERYTHING, tmp_path / "a.npy")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
