"""`mist --help`, and what every command has in common."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import COMMAND, DEADLINE_S, Mist, start_process

COMMANDS = ("ingest", "ls", "info", "get", "export", "verify", "gc", "rm", "log", "serve", "bench", "demo")


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
