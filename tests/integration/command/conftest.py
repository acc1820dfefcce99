"""A small dataset for the tests of the `mist` command, its sources, and a server of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import run_process
from tests.labelled_sources import write_sources
from tests.server_dataset import RunningServer, running_server


@pytest.fixture(scope="package")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sources(tmp_path_factory.mktemp("source") / "files")


@pytest.fixture(scope="package")
def dataset(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset called `small` that is only read."""
    folder = tmp_path_factory.mktemp("root") / "small"
    assert run_process("ingest", source, folder, "--labels", source / "labels.csv", "--workers", 1).code == 0
    return folder


@pytest.fixture
def copied(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the dataset that a test may spoil."""
    return Path(shutil.copytree(dataset, tmp_path / "copied"))


@pytest.fixture(scope="package")
def server(dataset: Path) -> Iterator[RunningServer]:
    with running_server(str(dataset.parent)) as server:
        yield server
