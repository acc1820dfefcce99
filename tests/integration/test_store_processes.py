"""Stores and the processes that use them: what survives a fork, a spawn, a pickle."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from mist_storage.prefix_cache import PrefixCache
from mist_storage.store import ObjectStore, open_store

FORKING = """
import os, sys
from mist.errors import StoreError
from mist_storage.catalog import commit_rows, open_catalog
from mist_storage.prefix_cache import PrefixCache
from mist_storage.store import open_store

store = open_store(sys.argv[1])
cached = PrefixCache(store, 1000)
{parent}
if os.fork() == 0:
    try:
        {child}
    except StoreError as error:
        print(error, flush=True)
        os._exit(7)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def outcome_of_fork(folder: Path, parent: str, child: str) -> tuple[str, str]:
    """What a forked child says, and its exit code, where `parent` was run before the fork and `child` after."""
    program = textwrap.dedent(FORKING).format(parent=parent, child=child)
    command = [sys.executable, "-c", program, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    *said, code = done.stdout.splitlines()
    return " ".join(said), code


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        ("store.put('k', b'bytes')", "store.get('k')"),
        ("store.put('k', b'bytes')", "open_store('memory://other').put('k', b'')"),
        ("store.put('k', b'bytes')", "open_catalog(store)"),
        ("commit_rows(store.url, [])", "store.get('k')"),
        ("commit_rows(store.url, [])", "commit_rows(store.url, [])"),
    ],
)
def test_a_forked_child_is_refused_at_once(tmp_path: Path, parent: str, child: str) -> None:
    said, code = outcome_of_fork(tmp_path, parent, child)
    assert (code, "forkserver" in said) == ("7", True)


def test_a_forked_child_is_refused_every_time(tmp_path: Path) -> None:
    child = "try: store.get('k')\n        except StoreError: pass\n        store.get('k')"
    assert outcome_of_fork(tmp_path, "store.put('k', b'bytes')", child)[1] == "7"


def test_what_was_read_before_a_fork_is_not_read_from_memory_after_it(tmp_path: Path) -> None:
    parent = "store.put('k', b'bytes'); cached.get_range('k', 0, 5)"
    assert outcome_of_fork(tmp_path, parent, "cached.get_range('k', 0, 5)")[1] == "7"


def test_a_child_forked_before_any_use_may_use_a_store(tmp_path: Path) -> None:
    assert outcome_of_fork(tmp_path, "pass", "store.put('k', b'bytes')") == ("", "0")


def read(store: ObjectStore | PrefixCache) -> bytes:
    return store.get_range("k", 0, 5)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_started_afresh_may_use_a_store(tmp_path: Path, method: str) -> None:
    store = open_store(str(tmp_path))
    store.put("k", b"bytes")
    with ProcessPoolExecutor(1, mp_context=get_context(method)) as processes:
        found = list(processes.map(read, [store, PrefixCache(store, 1000)]))
    assert found == [b"bytes", b"bytes"]
