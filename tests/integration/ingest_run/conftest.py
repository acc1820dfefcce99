from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ingest_runs import mask_of, voxels_of


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two images, one of which has a mask, a table, and a file that is broken."""
    folder = tmp_path / "source"
    folder.mkdir()
    np.save(folder / "a.npy", voxels_of(1))
    np.save(folder / "a-mask.npy", mask_of(2))
    np.save(folder / "b.npy", voxels_of(3, 5, 40, 50))
    (folder / "labels.csv").write_text("file,outline,age\na.npy,a-mask.npy,50\nb.npy,,\n")
    return folder


@pytest.fixture
def url(tmp_path: Path) -> str:
    return (tmp_path / "dataset").as_uri()
