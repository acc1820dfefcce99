"""`mist ingest` from end to end: what it stores, what it prints, and how it fails."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from mist_storage.dataset import open_dataset
from tests.command_line import DEADLINE_S, Mist, run_process, start_process
from tests.labelled_sources import voxels_of
from tests.stored_files import files, objects

LINES = re.MULTILINE


class TestIngest:
    """Files become scans."""

    def test_a_folder_with_labels_becomes_a_dataset(self, dataset: Path) -> None:
        catalog = open_dataset(str(dataset)).catalog
        assert catalog.scan_ids == ["mr", "mr-mask", "xr0", "xr1"]
        assert catalog.row("mr").mask == "mr-mask"
        assert catalog.row("xr0").labels["age"] == 50

    def test_a_second_run_changes_no_file(self, mist: Mist, source: Path, copied: Path) -> None:
        before = files(copied)
        done = mist("ingest", source, copied, "--labels", source / "labels.csv", "--workers", 1)
        assert done.code == 0
        assert re.search(r"unchanged +4", done.output)
        assert files(copied) == before

    def test_a_dry_run_stores_nothing(self, mist: Mist, source: Path, tmp_path: Path) -> None:
        done = mist("ingest", source, tmp_path / "new", "--dry-run", "--workers", 1)
        assert done.code == 0
        assert re.search(r"planned +4", done.output)
        assert not (tmp_path / "new").exists()

    def test_json_tells_every_scan(self, mist: Mist, source: Path, copied: Path) -> None:
        told = json.loads(mist("ingest", source, copied, "--workers", 1, "--json").output)
        assert told["counts"]["unchanged"] == 4
        assert {scan["scan_id"] for scan in told["scans"]} == {"mr", "mr-mask", "xr0", "xr1"}

    def test_refused_files_are_listed_and_the_others_stored(self, mist: Mist, source: Path, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(source, tmp_path / "mixed"))
        (folder / "cut.png").write_bytes((source / "xr0.png").read_bytes()[:200])
        (folder / "empty.dcm").touch()
        (folder / "notes.xyz").write_text("no image")

        done = mist("ingest", folder, tmp_path / "new", "--workers", 1)

        assert done.code == 1
        assert re.search(r"stored +4", done.output)
        for line in (r"cut\.png .*image data", r"empty\.dcm .*the file is empty", r"notes\.xyz .*an unknown format"):
            assert re.search(line, done.output)
        assert open_dataset(str(tmp_path / "new")).catalog.scan_ids == ["mr", "mr-mask", "xr0", "xr1"]

    def test_workers_store_what_one_process_stores(self, source: Path, dataset: Path, tmp_path: Path) -> None:
        done = run_process("ingest", source, tmp_path / "new", "--labels", source / "labels.csv", "--workers", 2)
        assert done.code == 0, done
        assert objects(tmp_path / "new") == objects(dataset)


class TestFailedIngest:
    """One line, exit code 1, and nothing of it to be seen."""

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("notes.txt", b"no image", "no images"),
            ("notes.xyz", b"no image", "an unknown format"),
            ("cut.png", b"\x89PNG\r\n\x1a\n", "what follows is damaged"),
            ("empty.dcm", b"", "the file is empty"),
        ],
    )
    def test_an_unreadable_file_makes_no_dataset(
        self, mist: Mist, tmp_path: Path, name: str, content: bytes, reason: str
    ) -> None:
        (tmp_path / name).write_bytes(content)
        done = mist("ingest", tmp_path / name, tmp_path / "new")
        assert done.code == 1
        assert re.search(reason, done.output + done.messages)
        assert "Traceback" not in done.messages
        assert not (tmp_path / "new").exists()

    def test_a_source_that_is_not_there_is_named(self, mist: Mist, tmp_path: Path) -> None:
        assert "no such file" in mist("ingest", tmp_path / "gone", tmp_path / "new").error
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize("labels", ["gone.csv", "xr0.png"])
    def test_labels_that_are_no_table_are_named(self, mist: Mist, source: Path, tmp_path: Path, labels: str) -> None:
        error = mist("ingest", source, tmp_path / "new", "--labels", source / labels, "--workers", 1).error
        assert f"{labels} cannot be read as CSV" in error
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize("below", ["", "/deep/er"])
    def test_a_file_in_the_way_is_named(self, mist: Mist, source: Path, tmp_path: Path, below: str) -> None:
        (tmp_path / "taken").write_text("mine")
        error = mist("ingest", source, f"{tmp_path}/taken{below}", "--workers", 1).error
        assert error.endswith(f"{tmp_path}/taken is a file, not a folder")
        assert (tmp_path / "taken").read_text() == "mine"

    @pytest.mark.parametrize("url", ["https://localhost/x", "memory://x", "ftp://x/y", "DATASET@0"])
    def test_an_address_that_cannot_be_written_to_is_named(self, mist: Mist, source: Path, url: str) -> None:
        assert url in mist("ingest", source, url, "--workers", 1).error

    def test_a_read_only_folder_is_named(self, mist: Mist, source: Path, read_only_folder: Path) -> None:
        error = mist("ingest", source, read_only_folder / "new", "--workers", 1).error
        assert str(read_only_folder) in error
        assert re.search("read-only|permission is denied", error)

    @pytest.mark.parametrize("workers", [1, 2])
    def test_a_full_disk_leaves_nothing_half_visible(
        self, source: Path, full_folder: Path, tmp_path_factory: pytest.TempPathFactory, workers: int
    ) -> None:
        (full_folder / "ballast").write_bytes(bytes(40_000))
        done = run_process("ingest", source, full_folder / "new", "--workers", workers)
        assert "the store is full; make room and run it again" in done.error
        assert re.search("no dataset|no such folder", run_process("ls", full_folder / "new").error)

        elsewhere = Path(shutil.copytree(full_folder / "new", tmp_path_factory.mktemp("roomy") / "new"))
        assert run_process("ingest", source, elsewhere, "--workers", 1).code == 0
        assert run_process("verify", elsewhere).output == "all 4 scans are whole\n"

    def test_a_full_disk_keeps_the_dataset_that_was_there(self, mist: Mist, source: Path, full_folder: Path) -> None:
        assert mist("ingest", source / "xr0.png", full_folder / "old").code == 0
        before = mist("ls", full_folder / "old", "--json").output
        room = os.statvfs(full_folder).f_bavail * os.statvfs(full_folder).f_bsize
        (full_folder / "ballast").write_bytes(bytes(room - 4096))

        assert "the store is full" in mist("ingest", source / "xr1.png", full_folder / "old").error

        assert mist("ls", full_folder / "old", "--json").output == before
        (full_folder / "ballast").unlink()
        assert mist("ingest", source / "xr1.png", full_folder / "old").code == 0
        assert mist("verify", full_folder / "old").output == "all 2 scans are whole\n"

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_an_interrupt_keeps_what_is_done_and_a_second_run_completes(
        self, tmp_path: Path, number: signal.Signals
    ) -> None:
        (tmp_path / "many").mkdir()
        for place in range(30):
            np.save(tmp_path / "many" / f"{place}.npy", voxels_of(place, 8, 64, 64))
        running = start_process(["ingest", tmp_path / "many", tmp_path / "new", "--workers", 2])
        assert running.stderr is not None
        assert "ingest: " in running.stderr.readline()

        os.killpg(running.pid, number)  # as a terminal does
        _, messages = running.communicate(timeout=DEADLINE_S)

        kept = len(open_dataset(str(tmp_path / "new")).catalog)
        assert running.returncode == 128 + number
        assert "Traceback" not in messages
        assert re.search(rf"^{kept} scans? (is|are) stored and committed; run the same command again", messages, LINES)
        assert messages.splitlines()[-1].startswith("error: interrupted") == (number == signal.SIGINT)
        assert 0 < kept < 30
        again = json.loads(run_process("ingest", tmp_path / "many", tmp_path / "new", "--workers", 2, "--json").output)
        assert (again["counts"]["unchanged"], again["counts"]["stored"]) == (kept, 30 - kept)
        assert run_process("verify", tmp_path / "new").output == "all 30 scans are whole\n"
