from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from mist_storage.workspace import MEMORY, Files, Workspace

FILES = Files(slab_bytes=1)
BOTH = [MEMORY, FILES]


@pytest.mark.parametrize("workspace", BOTH)
@pytest.mark.parametrize("shape", [(3, 4, 5), (0, 4), ()])
def test_an_array_can_be_written_and_has_what_was_asked_for(workspace: Workspace, shape: tuple[int, ...]) -> None:
    array = workspace.room(shape, np.int32)
    array[...] = 7

    assert (array.shape, array.dtype.name) == (shape, "int32")
    assert array.flags.c_contiguous
    assert (array == 7).all()


@pytest.mark.parametrize("workspace", BOTH)
@pytest.mark.parametrize("data", [b"", b"some bytes" * 1000])
def test_what_is_written_to_a_spool_is_its_content(workspace: Workspace, data: bytes) -> None:
    spool = workspace.spool()
    spool.write(data[:100])
    spool.write(data[100:])

    assert workspace.content(spool) == data


def test_files_have_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    array, spool = FILES.room((1000,), np.int32), FILES.spool()
    spool.write(b"x" * 100_000)

    assert not list(tmp_path.iterdir())
    assert len(FILES.content(spool)) == 100 * len(array)
