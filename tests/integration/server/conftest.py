"""Small datasets and their servers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mist.server.settings import ServerSettings
from tests.server_dataset import RunningServer, SmallDataset, make_dataset, running_server


@pytest.fixture(scope="package")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallDataset:
    return make_dataset(tmp_path_factory.mktemp("datasets"))


@pytest.fixture(scope="package")
def server(small: SmallDataset) -> Iterator[RunningServer]:
    with running_server(str(small.root)) as running:
        yield running


@pytest.fixture
def copied(small: SmallDataset, tmp_path: Path) -> SmallDataset:
    """The dataset in a folder of the test's own, to be damaged."""
    shutil.copytree(small.root, tmp_path / "root")
    return replace(small, root=tmp_path / "root")


@pytest.fixture
def copied_server(copied: SmallDataset) -> Iterator[RunningServer]:
    with running_server(str(copied.root), ServerSettings(refresh_s=1e-6)) as running:
        yield running


@pytest.fixture(scope="package")
def noise(tmp_path_factory: pytest.TempPathFactory) -> SmallDataset:
    """A dataset with one scan that takes several pieces to send."""
    voxels = np.random.default_rng(1).integers(0, 65536, (9, 900, 700), np.uint16)
    return make_dataset(tmp_path_factory.mktemp("noise"), {"noise": voxels})
