"""`kill -9` at every write, one after the other: of an ingest, a withdrawal, a garbage collection."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
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
import json, os, signal, sys
from pathlib import Path
import mist_storage.durable_file as disk
import mist_storage.store as stores
from mist.command import app
from mist.ingest.run import ingest

steps, fatal = 0, -1

def dying(act):
    # Dies before the act that has the fatal number, counted over all that change the disk or wait for it.
    def counted(*arguments, **named):
        global steps
        if steps == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1
        return act(*arguments, **named)
    return counted

def do(act, place, source):
    if act == "ingest":
        ingest([source], place, workers=1, replace=True)
    elif act == "rm":
        app(["rm", place, "a", "--yes", "--reason", "asked"], standalone_mode=False)
    else:
        app(["gc", place, "--grace", "0"], standalone_mode=False)

stores.sync_files = dying(stores.sync_files)
disk.os.link = dying(os.link)
disk.os.fsync = dying(os.fsync)
for name in ("replace", "unlink", "mkdir", "rmdir"):
    setattr(Path, name, dying(getattr(Path, name)))

answers = os.dup(1)
os.dup2(2, 1)
for line in sys.stdin:
    act, fatal, place, source = json.loads(line)
    said, says = os.pipe()
    child = os.fork()  # nothing has been used before, so the child may use all
    if child == 0:
        try:
            do(act, place, source)
            os.write(says, str(steps).encode())
        finally:
            os._exit(0)
    os.close(says)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found = os.read(said, 100)
    os.close(said)
    os.write(answers, f"{int(found or -1) if status == 0 else status}\\n".encode())
"""
"""Does what it is told in a process of its own each, without importing everything anew; says how many writes that took,
-1 where it failed, or minus the number of the signal that ended it."""

ACTS = ("ingest", "rm", "gc")

KILLED = -signal.SIGKILL

Run = Callable[[str, int, Path, Path], int]
"""An act, the write at which it dies, a dataset, a source: what `DYING` says."""


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(DYING)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        told, said = process.stdin, process.stdout
        assert told is not None
        assert said is not None

        def do(act: str, fatal: int, dataset: Path, source: Path) -> int:
            told.write(json.dumps([act, fatal, str(dataset), str(source)]) + "\n")
            told.flush()
            return int(said.readline())

        yield do
        told.close()


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
    open_store(str(folder / "dataset")).put(f"scans/orphan/{'01' * 24}/zarr.json", b"{}")
    return folder


def objects(dataset: Path) -> dict[str, bytes]:
    """The objects of scans."""
    store = open_store(str(dataset))
    return {key: store.get(key) for key, _ in store.list("scans")}


@pytest.mark.parametrize("act", ACTS)
def test_a_process_killed_at_a_write_leaves_old_or_new_and_a_second_run_ends_the_same(
    run: Run, place: Path, tmp_path: Path, act: str
) -> None:
    whole, source = Path(shutil.copytree(place / "dataset", tmp_path / "whole")), place / "source"
    before = rows_by_version(open_store(str(whole)))
    writes = run(act, -1, whole, source)
    after = rows_by_version(open_store(str(whole)))
    assert writes >= 4
    for fatal in range(writes):
        dataset = Path(shutil.copytree(place / "dataset", tmp_path / str(fatal)))
        assert run(act, fatal, dataset, source) == KILLED, fatal
        opened = open_dataset(str(dataset))
        newest = dict(opened.catalog.frame.select("scan_id", "digest").iter_rows())
        assert newest in (before[-1], after[-1]), fatal
        if newest == after[-1] or act != "rm":  # a withdrawal that was cut short need not show the scan any more
            assert all(not problems for _, problems in verify_scans(opened.store, opened.catalog)), fatal
        assert run(act, -1, dataset, source) >= 0, fatal
        assert rows_by_version(open_store(str(dataset)))[-1] == after[-1], fatal
        assert objects(dataset) == objects(whole), fatal


def test_garbage_of_a_killed_ingest_is_found(run: Run, place: Path, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(place / "dataset", tmp_path / "dataset"))
    assert run("ingest", 12, dataset, place / "source") == KILLED
    store = open_store(str(dataset))
    found = find_garbage(store, max(each.modified for each in store.inventory("scans")).replace(year=2999))
    assert any(each.key.startswith("scans/a/") for each in found.objects)
