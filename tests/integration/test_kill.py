"""`kill -9` at every write, one after the other: of an ingest, a withdrawal, a garbage collection."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from mist.ingest.run import ingest
from mist_storage.dataset import open_dataset
from mist_storage.garbage import find_garbage
from mist_storage.store import open_store
from mist_storage.verify import verify_scans
from tests.stored_scan import rows_by_version

DYING = """
import os, signal, sys
from pathlib import Path
import mist_storage.durable_file as disk

fatal, place = int(sys.argv[1]), sys.argv[2]
steps = 0

def dying(act):
    # Dies before the act that has the fatal number, counted over all that change the disk.
    def counted(*arguments, **named):
        global steps
        if steps == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1
        return act(*arguments, **named)
    return counted

import mist_storage.store as stores
stores.sync_files = dying(stores.sync_files)
disk.os.link = dying(os.link)
disk.os.fsync = dying(os.fsync)
for name in ("replace", "unlink", "mkdir", "rmdir"):
    setattr(Path, name, dying(getattr(Path, name)))
{act}
print(steps)
"""

ACTS = {
    "ingest": "from mist.ingest.run import ingest; ingest([sys.argv[3]], place, workers=1, replace=True)",
    "rm": (
        "from mist.command import app\napp(['rm', place, 'a', '--yes', '--reason', 'asked'], standalone_mode=False)"
    ),
    "gc": "from mist.command import app\napp(['gc', place, '--grace', '0'], standalone_mode=False)",
}

EVERY = {"ingest": 1, "rm": 4, "gc": 1}
"""At which of the writes the process is killed: each of an ingest's; every so manieth of the others, which the tests of
faults take one by one."""


def run(act: str, fatal: int, dataset: Path, source: Path) -> subprocess.CompletedProcess[str]:
    program = textwrap.dedent(DYING).format(act=ACTS[act])
    command = [sys.executable, "-c", program, str(fatal), str(dataset), str(source)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset of two scans and an orphan, and a source that takes the place of one of them."""
    folder = tmp_path_factory.mktemp("kill")
    (folder / "source").mkdir()
    for number, name in enumerate("ab"):
        np.save(folder / "source" / f"{name}.npy", np.full((20, 30), number, np.uint8))
    assert ingest([folder / "source"], str(folder / "dataset"), workers=1).ok
    shutil.rmtree(folder / "source")
    (folder / "source").mkdir()
    np.save(folder / "source" / "a.npy", np.full((20, 30), 9, np.uint8))
    open_store(str(folder / "dataset")).put("scans/orphan/digest/zarr.json", b"{}")
    return folder


def objects(dataset: Path) -> dict[str, bytes]:
    """The objects of scans."""
    store = open_store(str(dataset))
    return {key: store.get(key) for key, _ in store.list("scans")}


@pytest.mark.parametrize("act", sorted(ACTS))
@pytest.mark.timeout(600)
def test_a_process_killed_at_a_write_leaves_old_or_new_and_a_second_run_ends_the_same(
    place: Path, tmp_path: Path, act: str
) -> None:
    whole = Path(shutil.copytree(place / "dataset", tmp_path / "whole"))
    before = rows_by_version(open_store(str(whole)))
    done = run(act, -1, whole, place / "source")
    assert done.returncode == 0, done.stderr
    writes, after = int(done.stdout.split()[-1]), rows_by_version(open_store(str(whole)))
    assert writes >= 5
    for fatal in range(0, writes, EVERY[act]):
        dataset = Path(shutil.copytree(place / "dataset", tmp_path / str(fatal)))
        assert run(act, fatal, dataset, place / "source").returncode == -signal.SIGKILL, fatal
        opened = open_dataset(str(dataset))
        newest = dict(opened.catalog.frame.select("scan_id", "digest").iter_rows())
        assert newest in (before[-1], after[-1]), fatal
        if act != "rm":
            assert all(not problems for _, problems in verify_scans(opened.store, opened.catalog)), fatal
        again = run(act, -1, dataset, place / "source")
        assert again.returncode == 0, (fatal, again.stderr)
        assert rows_by_version(open_store(str(dataset)))[-1] == after[-1], fatal
        assert objects(dataset) == objects(whole), fatal
        shutil.rmtree(dataset)


def test_garbage_of_a_killed_ingest_is_found(place: Path, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(place / "dataset", tmp_path / "dataset"))
    assert run("ingest", 12, dataset, place / "source").returncode == -signal.SIGKILL
    store = open_store(str(dataset))
    found = find_garbage(store, max(each.modified for each in store.inventory("scans")).replace(year=2999))
    assert any(each.key.startswith("scans/a/") for each in found.objects)
