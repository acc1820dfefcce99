"""A short CT series to segment, and a dataset to ingest it into."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.segmentations import write_short_series


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the series and its segmentations lie."""
    return tmp_path / "source"


@pytest.fixture
def series(folder: Path) -> str:
    """The short CT phantom, called by its Series Instance UID."""
    return write_short_series(folder / "ct")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The address of a dataset that is not there yet."""
    return (tmp_path / "dataset").as_uri()
