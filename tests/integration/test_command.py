"""The `mist` command from end to end: what it does, what it prints, and how it fails."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from mist_storage.dataset import open_dataset
from tests.command_line import COMMAND, DEADLINE_S, Done, Mist, run_process, start_process
from tests.server_dataset import RunningServer, running_server

Both = Callable[[dict[str, object]], tuple[bytes, bytes]]

COMMANDS = ("ingest", "ls", "info", "get", "export", "verify", "gc", "rm", "log", "serve", "bench", "demo")
SPACING = (2.0, 1.0, 0.5)


def voxels_of(seed: int, *shape: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    smooth = np.add.outer(np.add.outer(np.arange(shape[0]) * 30, np.arange(shape[1]) * 9), np.arange(shape[2]) * 4)
    return (smooth + np.random.default_rng(seed).integers(0, 20, shape)).astype(np.int16)


def write_sources(folder: Path) -> Path:
    """Two labelled pictures, a volume with a mask, and a table."""
    folder.mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 200, (60, 72), np.uint8)
        Image.fromarray(pixels).save(folder / f"xr{number}.png")
    affine = np.diag([*reversed(SPACING), 1.0])
    volume = voxels_of(3, 12, 48, 64)
    nib.Nifti1Image(volume.T, affine).to_filename(folder / "mr.nii.gz")
    nib.Nifti1Image((volume.T > 500).astype(np.uint8), affine).to_filename(folder / "mr-mask.nii.gz")
    table = "file,outline,age,score\nxr0.png,,50,0.5\nxr1.png,,61,NaN\nmr.nii.gz,mr-mask.nii.gz,70,\n"
    (folder / "labels.csv").write_text(table)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sources(tmp_path_factory.mktemp("source") / "files")


@pytest.fixture(scope="module")
def dataset(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset called `small` that is only read."""
    folder = tmp_path_factory.mktemp("root") / "small"
    assert run_process("ingest", source, folder, "--labels", source / "labels.csv", "--workers", 1).code == 0
    return folder


@pytest.fixture
def copied(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the dataset that a test may spoil."""
    return Path(shutil.copytree(dataset, tmp_path / "copied"))


@pytest.fixture(scope="module")
def server(dataset: Path) -> Iterator[RunningServer]:
    with running_server(str(dataset.parent)) as server:
        yield server


def files(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def blocks_file(dataset: Path, scan_id: str) -> Path:
    return next(path for path in (dataset / "scans" / scan_id).rglob("0") if path.is_file())


class TestHelp:
    """What can be asked, and how."""

    def test_help_names_every_command(self, mist: Mist) -> None:
        shown = mist("--help")
        assert shown.code == 0
        assert all(re.search(rf"\b{command}\b", shown.output) for command in COMMANDS)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_explains_itself(self, mist: Mist, command: str) -> None:
        shown = mist(command, "--help")
        assert shown.code == 0
        assert f"Usage: mist {command}" in shown.output

    @pytest.mark.parametrize(
        "arguments", [["frob"], ["ls"], ["ls", "x", "--bogus"], ["ingest", "a", "b", "--workers", 0]]
    )
    def test_a_wrong_command_line_is_told_from_a_failure(self, mist: Mist, arguments: list[object]) -> None:
        shown = mist(*arguments)
        assert shown.code == 2
        assert "Error" in shown.messages

    def test_help_needs_no_part_of_mist(self) -> None:
        heavy = ("numpy", "polars", "numba", "aiohttp", "torch", "pydicom")
        code = f"import mist.command, sys; print([name for name in {heavy} if name in sys.modules])"
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert shown.stdout == "[]\n"


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
        for line in (r"cut\.png .*truncated", r"empty\.dcm .*the file is empty", r"notes\.xyz .*an unknown format"):
            assert re.search(line, done.output)
        assert open_dataset(str(tmp_path / "new")).catalog.scan_ids == ["mr", "mr-mask", "xr0", "xr1"]

    def test_workers_store_what_one_process_stores(self, source: Path, dataset: Path, tmp_path: Path) -> None:
        done = run_process("ingest", source, tmp_path / "new", "--labels", source / "labels.csv", "--workers", 2)
        assert done.code == 0, done
        assert objects(tmp_path / "new") == objects(dataset)


def objects(dataset: Path) -> dict[str, bytes]:
    return files(dataset / "scans")


class TestFailedIngest:
    """One line, exit code 1, and nothing of it to be seen."""

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("notes.txt", b"no image", "no images"),
            ("notes.xyz", b"no image", "an unknown format"),
            ("cut.png", b"\x89PNG\r\n\x1a\n", "truncated|cannot identify"),
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

    def test_an_interrupt_is_one_line_and_a_second_run_completes(self, tmp_path: Path) -> None:
        (tmp_path / "many").mkdir()
        for number in range(30):
            np.save(tmp_path / "many" / f"{number}.npy", voxels_of(number, 8, 64, 64))
        running = start_process(["ingest", tmp_path / "many", tmp_path / "new", "--workers", 2])
        assert running.stderr is not None
        assert "ingest: " in running.stderr.readline()

        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        _, messages = running.communicate(timeout=DEADLINE_S)

        assert running.returncode == 130
        assert "Traceback" not in messages
        assert messages.splitlines()[-1].startswith("error: interrupted")
        assert "no dataset" in run_process("ls", tmp_path / "new").error
        assert run_process("ingest", tmp_path / "many", tmp_path / "new", "--workers", 2).code == 0
        assert run_process("verify", tmp_path / "new").output == "all 30 scans are whole\n"


class TestFailingBucket:
    """The same, where the store is a real S3 server."""

    @pytest.fixture(params=["ingest", "ls", "info", "get", "verify"])
    def failure(self, mist: Mist, request: pytest.FixtureRequest, source: Path, tmp_path: Path) -> Callable[[str], str]:
        """What one of the commands says when it fails on the dataset at an address; it has written no file then."""

        def error_at(url: str) -> str:
            arguments: dict[str, list[object]] = {
                "ingest": ["ingest", source, url, "--workers", 1],
                "info": ["info", url, "mr"],
                "get": ["get", url, "mr", "-o", tmp_path / "mr.npy"],
            }
            error = mist(*arguments.get(request.param, [request.param, url])).error
            assert not files(tmp_path)
            return error

        return error_at

    @pytest.mark.usefixtures("s3_environment")
    def test_a_bucket_is_made_where_that_is_asked_for(self, mist: Mist, source: Path) -> None:
        url = f"s3://mist-{uuid.uuid4().hex[:12]}/cxr"
        assert "--create-bucket" in mist("ingest", source, url, "--workers", 1).error
        done = mist("ingest", source, url, "--workers", 1, "--create-bucket")
        assert (done.code, "made the bucket" in done.messages) == (0, True)
        assert "made the bucket" not in mist("ingest", source, url, "--workers", 1, "--create-bucket").messages

    def test_a_folder_has_no_bucket_to_make(self, mist: Mist, source: Path, tmp_path: Path) -> None:
        assert "lies in no bucket" in mist("ingest", source, tmp_path / "ds", "--create-bucket").error

    def test_a_bucket_is_written_and_read_as_a_folder_is(
        self, mist: Mist, source: Path, s3_url: str, tmp_path: Path
    ) -> None:
        assert mist("ingest", source, s3_url, "--workers", 1).code == 0
        assert mist("verify", s3_url).output == "all 4 scans are whole\n"
        assert mist("get", s3_url, "mr", "-o", tmp_path / "mr.npy").code == 0
        np.testing.assert_array_equal(np.load(tmp_path / "mr.npy"), voxels_of(3, 12, 48, 64))

    @pytest.mark.usefixtures("s3_environment")
    def test_a_missing_bucket_is_named(self, failure: Callable[[str], str]) -> None:
        error = failure("s3://mist-no-such-bucket/x")
        assert error.startswith("s3://mist-no-such-bucket")
        assert "the bucket does not exist" in error

    def test_wrong_credentials_are_named(
        self, failure: Callable[[str], str], s3_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        assert "the credentials are wrong" in failure(s3_url)

    def test_an_endpoint_that_is_not_there_is_named(
        self, mist: Mist, source: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        assert "cannot be reached at http://127.0.0.1:9" in mist("ingest", source, s3_url, "--workers", 1).error

    def test_a_refused_ingest_leaves_the_bucket_as_it_was(
        self, mist: Mist, source: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as wrong:
            wrong.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
            assert mist("ingest", source, s3_url, "--workers", 1).code == 1
        assert "no dataset" in mist("ls", s3_url).error
        assert mist("ingest", source, s3_url, "--workers", 1).code == 0


class TestLs:
    """What a dataset holds."""

    def test_scans_are_listed_with_their_labels(self, mist: Mist, dataset: Path) -> None:
        shown = mist("ls", dataset).output.splitlines()
        assert shown[0] == f"{dataset}, version 0"
        assert shown[1].split() == [
            "scan_id",
            "axes",
            "shape",
            "spacing_mm",
            "dtype",
            "levels",
            "stored",
            "age",
            "score",
        ]
        assert [line.split()[0] for line in shown[3:]] == ["mr", "mr-mask", "xr0", "xr1"]

    def test_a_condition_chooses(self, mist: Mist, dataset: Path) -> None:
        assert "age > 55" not in mist("ls", dataset, "--where", "age > 55").output
        assert ids(mist("ls", dataset, "--where", "age > 55 AND dtype = 'uint8'", "--json")) == ["xr1"]

    def test_a_limit_tells_how_many_are_left(self, mist: Mist, dataset: Path) -> None:
        shown = mist("ls", dataset, "--limit", 1)
        assert len(shown.output.splitlines()) == 4
        assert shown.messages == "3 more scans; --limit shows them\n"

    def test_nothing_found_is_no_failure(self, mist: Mist, dataset: Path) -> None:
        shown = mist("ls", dataset, "--where", "age > 500")
        assert (shown.code, shown.output) == (0, "")
        assert shown.messages.endswith(": none\n")
        assert json.loads(mist("ls", dataset, "--where", "age > 500", "--json").output) == []

    def test_a_number_that_json_lacks_is_null(self, mist: Mist, dataset: Path) -> None:
        scans = json.loads(mist("ls", dataset, "--json").output)
        assert [scan["labels"]["score"] for scan in scans if scan["scan_id"].startswith("xr")] == [0.5, None]

    @pytest.mark.parametrize("condition", ["age >", "colour = 'red'", "age; DROP TABLE x", ""])
    def test_a_condition_that_is_none_is_one_line(self, mist: Mist, dataset: Path, condition: str) -> None:
        assert "condition" in mist("ls", dataset, "--where", condition).error


def ids(done: Done) -> list[str]:
    return [scan["scan_id"] for scan in json.loads(done.output)]


class TestNotThere:
    """A dataset, a version or a scan that does not exist."""

    @pytest.mark.parametrize("command", [["ls"], ["verify"], ["info", "mr"], ["get", "mr", "-o", "mr.npy"], ["serve"]])
    def test_a_folder_that_is_not_there_is_named_and_not_made(
        self, mist: Mist, tmp_path: Path, command: list[object]
    ) -> None:
        assert "there is no such folder" in mist(command[0], tmp_path / "gone", *command[1:]).error
        assert not (tmp_path / "gone").exists()

    @pytest.mark.parametrize("command", [["ls"], ["verify"], ["info", "mr"], ["get", "mr", "-o", "mr.npy"]])
    def test_a_folder_without_a_dataset_is_named(self, mist: Mist, tmp_path: Path, command: list[object]) -> None:
        assert "there is no dataset here" in mist(command[0], tmp_path, *command[1:]).error

    def test_a_version_that_is_not_there_is_named(self, mist: Mist, dataset: Path) -> None:
        assert "has versions 0 to 0, not 7" in mist("ls", f"{dataset}@7").error

    @pytest.mark.parametrize("command", [["info", "gone"], ["get", "gone", "-o", "gone.npy"]])
    def test_an_unknown_scan_is_named(self, mist: Mist, dataset: Path, command: list[object]) -> None:
        assert "no scan is called 'gone'" in mist(command[0], dataset, *command[1:]).error


class TestInfo:
    """What is known of one scan."""

    def test_a_scan_and_its_levels_are_told(self, mist: Mist, dataset: Path) -> None:
        shown = mist("info", dataset, "mr").output
        assert re.search(r"^spacing_mm +2 x 1 x 0.5$", shown, re.MULTILINE)
        assert re.search(r"^mask +mr-mask$", shown, re.MULTILINE)
        assert re.search(r"^1 +12 x 24 x 32 +2 x 2 x 1 +\d+ +\d+\.\d%$|^1 +12 x 48 x 32 +", shown, re.MULTILINE)

    def test_json_tells_what_each_level_costs(self, mist: Mist, dataset: Path) -> None:
        told = json.loads(mist("info", dataset, "mr", "--json").output)
        costs = [level["end_byte"] for level in told["levels"]]
        assert told["spacing_mm"] == list(SPACING)
        assert costs == sorted(costs, reverse=True)
        assert told["levels"][0]["shape"] == [12, 48, 64]


class TestGet:
    """Files: the same bytes as the server's image route gives."""

    @pytest.fixture
    def both(self, mist: Mist, server: RunningServer, dataset: Path, tmp_path: Path) -> Both:
        """Asks the command and the server for the same image; gives the bytes of each."""

        def ask(asked: dict[str, object]) -> tuple[bytes, bytes]:
            file = tmp_path / f"mr.{asked['format']}"
            options = [part for name, value in asked.items() for part in (f"--{name.replace('_', '-')}", value)]
            done = mist("get", dataset, "mr", "-o", file, *options)
            answer = server.ask(f"/v1/datasets/small/scans/mr/image?{urlencode(asked)}")
            assert (done.code, done.output, answer.status) == (0, "", 200), (done, answer)
            assert done.messages.startswith(f"{file}: level ")
            return file.read_bytes(), answer.body

        return ask

    @pytest.mark.parametrize(
        "asked", [{}, {"level": 1}, {"size": 20}, {"size": "20x31"}, {"spacing": 3}, {"max_bytes": 9000}]
    )
    @pytest.mark.parametrize("ending", ["npy", "nii.gz"])
    def test_a_volume_is_what_the_server_gives(self, both: Both, ending: str, asked: dict[str, object]) -> None:
        ours, theirs = both({"format": ending, **asked})
        assert ours == theirs

    @pytest.mark.parametrize("ending", ["png", "jpeg", "webp", "npy", "nii.gz"])
    @pytest.mark.parametrize(
        "asked", [{"slice": 3, "level": 1}, {"slice": 5, "window": "300,500"}, {"region": "2:9,:,8:40", "slice": 1}]
    )
    def test_a_slice_is_what_the_server_gives(self, both: Both, ending: str, asked: dict[str, object]) -> None:
        ours, theirs = both({"format": ending, **asked})
        assert ours == theirs

    @pytest.mark.parametrize(
        ("name", "magic"),
        [("a.png", b"\x89PNG"), ("a.JPG", b"\xff\xd8\xff"), ("a.webp", b"RIFF"), ("a.nii.gz", b"\x1f\x8b")],
    )
    def test_the_ending_decides_the_format(
        self, mist: Mist, dataset: Path, tmp_path: Path, name: str, magic: bytes
    ) -> None:
        assert mist("get", dataset, "mr", "-o", tmp_path / name).code == 0
        assert (tmp_path / name).read_bytes().startswith(magic)

    def test_a_named_format_needs_no_ending(self, mist: Mist, dataset: Path, tmp_path: Path) -> None:
        assert mist("get", dataset, "mr", "-o", tmp_path / "volume.raw", "--format", "npy").code == 0
        np.testing.assert_array_equal(np.load(tmp_path / "volume.raw"), voxels_of(3, 12, 48, 64))

    def test_nifti_is_what_was_ingested(self, mist: Mist, dataset: Path, source: Path, tmp_path: Path) -> None:
        mist("get", dataset, "mr", "-o", tmp_path / "mr.nii.gz")
        ours, theirs = (nib.Nifti1Image.from_filename(folder / "mr.nii.gz") for folder in (tmp_path, source))
        np.testing.assert_array_equal(np.asarray(ours.dataobj), np.asarray(theirs.dataobj))
        np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-6)

    def test_standard_output_gets_the_file_and_nothing_else(self, dataset: Path) -> None:
        done = subprocess.run(
            [*COMMAND, "get", str(dataset), "mr", "-o", "-", "--level", "1"], capture_output=True, check=True
        )
        assert np.load(io.BytesIO(done.stdout)).ndim == 3
        assert done.stderr.startswith(b"-: level 1, ")

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            (["--level", "9"], "levels 0 to"),
            (["--level", "-1"], "whole number"),
            (["--level", "1", "--size", "20"], "one of level, size"),
            (["--size", "big"], "size is N"),
            (["--spacing", "-3"], "spacing"),
            (["--max-bytes", "1"], "more than max_bytes 1"),
            (["--region", "1:2"], "a region of this scan is z0:z1,y0:y1,x0:x1"),
            (["--region", "9:2,:,:"], "region"),
            (["--slice", "99"], "slice must be 0 to 11"),
            (["--frame", "1"], "leave frame out"),
            (["--window", "wide", "--format", "png"], "window is CENTER,WIDTH"),
            (["--format", "dcm"], "format must be one of"),
        ],
    )
    def test_what_cannot_be_had_is_one_line_and_leaves_the_file_alone(
        self, mist: Mist, dataset: Path, tmp_path: Path, options: list[str], reason: str
    ) -> None:
        (tmp_path / "mr.npy").write_text("mine")
        assert reason in mist("get", dataset, "mr", "-o", tmp_path / "mr.npy", *options).error
        assert files(tmp_path) == {"mr.npy": b"mine"}

    def test_an_ending_that_says_nothing_is_named_with_those_that_do(
        self, mist: Mist, dataset: Path, tmp_path: Path
    ) -> None:
        assert "'mr.xyz' ends in none of .png, " in mist("get", dataset, "mr", "-o", tmp_path / "mr.xyz").error

    def test_a_damaged_scan_is_named_and_leaves_the_file_alone(self, mist: Mist, copied: Path, tmp_path: Path) -> None:
        blocks = blocks_file(copied, "mr")
        blocks.write_bytes(blocks.read_bytes()[:100])
        (tmp_path / "mr.npy").write_text("mine")
        assert re.match(r"scan 'mr', level \d: ", mist("get", copied, "mr", "-o", tmp_path / "mr.npy").error)
        assert (tmp_path / "mr.npy").read_text() == "mine"


class TestExport:
    """The source files, given back."""

    def test_every_file_is_given_back_in_a_folder_of_its_scan(
        self, mist: Mist, dataset: Path, source: Path, tmp_path: Path
    ) -> None:
        done = mist("export", dataset, "-o", tmp_path)
        assert done.code == 0
        assert re.search(r"^same content, compressed anew by gzip +2$", done.output, re.MULTILINE)
        assert re.search(r"^same chunks and pixels, compressed anew +2$", done.output, re.MULTILINE)
        for name in ("mr", "mr-mask"):
            theirs = gzip.decompress((source / f"{name}.nii.gz").read_bytes())
            assert gzip.decompress((tmp_path / name / f"{name}.nii.gz").read_bytes()) == theirs
        with Image.open(tmp_path / "xr0" / "xr0.png") as ours, Image.open(source / "xr0.png") as expected:
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(expected))

    def test_json_tells_every_file(self, mist: Mist, dataset: Path, tmp_path: Path) -> None:
        told = json.loads(mist("export", dataset, "xr1", "-o", tmp_path, "--json").output)
        (file,) = told["files"]
        assert told["problems"] == []
        assert (file["scan_id"], file["byte_for_byte"], file["wrapping"]) == ("xr1", False, "png")
        assert Path(file["path"]).stat().st_size == file["bytes"]

    def test_a_file_that_is_there_is_replaced_only_where_that_is_asked_for(
        self, mist: Mist, dataset: Path, tmp_path: Path
    ) -> None:
        assert mist("export", dataset, "xr0", "-o", tmp_path).code == 0
        again = mist("export", dataset, "xr0", "-o", tmp_path)
        assert again.code == 1
        assert "is there already; --overwrite replaces it" in again.output
        assert mist("export", dataset, "xr0", "-o", tmp_path, "--overwrite").code == 0

    def test_damage_is_named_and_the_other_scans_are_given_back(self, mist: Mist, copied: Path, tmp_path: Path) -> None:
        next((copied / "scans" / "xr0").rglob("source.zst")).unlink()
        done = mist("export", copied, "-o", tmp_path / "out")
        assert done.code == 1
        assert re.search(r"^xr0 +source.zst is missing$", done.output, re.MULTILINE)
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mr", "mr-mask", "xr1"]
        assert re.search(r"^xr0 +source.zst is missing$", mist("verify", copied).output, re.MULTILINE)

    def test_a_server_gives_no_source_files_out_and_is_sound_without(
        self, mist: Mist, server: RunningServer, dataset: Path, tmp_path: Path
    ) -> None:
        url = f"{server.url}/v1/datasets/small/store"
        done = mist("export", url, "xr0", "-o", tmp_path)
        assert done.code == 1
        assert "source.zst is missing; a MIST server does not give it out: name the store itself" in done.output
        assert mist("verify", url).output == "all 4 scans are whole\n"
        assert open_dataset(str(dataset)).catalog.scan_ids == open_dataset(url).catalog.scan_ids

    def test_a_folder_that_cannot_be_written_to_is_named(self, mist: Mist, dataset: Path, tmp_path: Path) -> None:
        (tmp_path / "taken").touch()
        assert str(tmp_path / "taken") in mist("export", dataset, "xr0", "-o", tmp_path / "taken").error

    def test_what_is_kept_is_told_of_a_scan(self, mist: Mist, dataset: Path) -> None:
        objects = [path.stat().st_size for path in (dataset / "scans" / "mr").rglob("source.*")]
        assert re.search(rf"^kept of source +{sum(objects)} bytes$", mist("info", dataset, "mr").output, re.MULTILINE)


class TestVerify:
    """Whether what is stored is whole."""

    def test_a_whole_dataset_is_said_to_be_whole(self, mist: Mist, dataset: Path) -> None:
        done = mist("verify", dataset)
        assert (done.code, done.output) == (0, "all 4 scans are whole\n")

    def test_damage_is_listed_by_scan_and_level(self, mist: Mist, copied: Path) -> None:
        blocks = blocks_file(copied, "xr0")
        blocks.write_bytes(b"\xff" + blocks.read_bytes()[1:])
        blocks_file(copied, "xr1").unlink()
        coarsest = len(open_dataset(str(copied)).catalog.row("xr0").header.levels) - 1

        done = mist("verify", copied)

        assert done.code == 1
        assert re.search(rf"^xr0 +{coarsest} ", done.output, re.MULTILINE)
        assert re.search(r"^xr1 .* is missing$", done.output, re.MULTILINE)
        assert "mr" not in done.output.replace(str(copied), "")

    def test_json_lists_what_is_wrong(self, mist: Mist, copied: Path) -> None:
        blocks_file(copied, "xr1").unlink()
        told = mist("verify", copied, "--json")
        problems = json.loads(told.output)
        assert (told.code, problems["scans"]) == (1, 4)
        assert {problem["scan"] for problem in problems["problems"]} == {"xr1"}


class TestServe:
    """A server as a process."""

    def test_it_says_where_it_listens_and_a_signal_stops_it(self, dataset: Path) -> None:
        running = start_process(["serve", dataset.parent, "--port", 0])
        assert running.stdout is not None
        found = re.fullmatch(r"serving on (http://127\.0\.0\.1:\d+)\n", running.stdout.readline())
        assert found is not None
        connection = http.client.HTTPConnection(urlsplit(found[1]).netloc, timeout=20)
        connection.request("GET", "/v1/datasets")
        names = [entry["name"] for entry in json.loads(connection.getresponse().read())["datasets"]]
        connection.close()
        running.send_signal(signal.SIGTERM)
        _, messages = running.communicate(timeout=DEADLINE_S)
        assert (names, running.returncode) == (["small"], 0)
        assert "Traceback" not in messages

    def test_a_taken_port_is_one_line(self, dataset: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = run_process("serve", dataset.parent, "--port", port)
        assert re.match(f"cannot listen on 127.0.0.1 port {port}: .*; choose another port$", done.error)


class TestPipes:
    """Output that nobody reads."""

    @pytest.mark.parametrize(
        "command", [["ls"], ["ls", "--json"], ["info", "mr"], ["get", "mr", "-o", "-"], ["verify"]]
    )
    def test_a_reader_that_has_left_is_no_traceback(self, dataset: Path, command: list[object]) -> None:
        """As `mist ls | head` may find it."""
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as output:
            running = start_process([command[0], dataset, *command[1:]], output)
        os.close(reading)
        _, messages = running.communicate(timeout=DEADLINE_S)
        assert running.returncode != 0
        assert not [line for line in messages.splitlines() if not line.startswith("verify: ")]

    def test_a_name_that_the_output_cannot_encode_is_no_failure(self, dataset: Path, tmp_path: Path) -> None:
        named = Path(shutil.copytree(dataset, tmp_path / "é"))
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = subprocess.run([*COMMAND, "ls", str(named)], capture_output=True, check=True, env=environment)
        assert b"\\xe9, version 0\nscan_id " in done.stdout


class TestDemoRefusals:
    """What the demo does not touch, and does not begin."""

    def test_a_folder_of_somebody_else_is_left_alone(self, mist: Mist, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("mine")
        assert "the demo did not make" in mist("demo", "--folder", tmp_path).error
        assert files(tmp_path) == {"thesis.txt": b"mine"}

    def test_images_inside_the_folder_to_be_emptied_are_left_alone(self, mist: Mist, tmp_path: Path) -> None:
        (tmp_path / ".mist-demo").touch()
        images = write_sources(tmp_path / "images")
        before = files(images)
        assert "which the demo empties" in mist("demo", images, "--folder", tmp_path).error
        assert files(images) == before

    def test_a_folder_of_images_that_is_none_is_named(self, mist: Mist, tmp_path: Path) -> None:
        assert "gone is no folder of images" in mist("demo", tmp_path / "gone", "--folder", tmp_path / "demo").error

    def test_sizes_that_are_no_numbers_are_named(self, mist: Mist, tmp_path: Path) -> None:
        error = mist("demo", "--sizes", "1024,big", "--folder", tmp_path / "demo").error
        assert error == "a size is a whole number of 0 or more, not 'big'"
        assert not (tmp_path / "demo").exists()
