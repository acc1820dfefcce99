from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mist.errors import ScanCorrupt
from mist.ingest.child import Child, ChildDied
from mist_storage.decoding_threads import thread_count


@contextmanager
def child() -> Iterator[Child]:
    started = Child()
    try:
        yield started
    finally:
        started.end()


def fail() -> None:
    raise ScanCorrupt("a", 2, "for a test")


def test_what_is_called_runs_in_another_process_and_in_the_same_one_each_time() -> None:
    with child() as other:
        found = {other.call(os.getpid) for _ in range(3)}
        assert len(found) == 1
        assert os.getpid() not in found
        assert other.call(divmod, 7, 3) == (2, 1)
        assert other.call(thread_count) == 1


def test_an_error_comes_back_whole_and_the_child_goes_on() -> None:
    with child() as other:
        with pytest.raises(ScanCorrupt, match="level 2") as raised:
            other.call(fail)
        assert raised.value.scan_id == "a"
        assert other.call(len, "abc") == 3


def test_what_a_decoder_prints_is_no_answer() -> None:
    with child() as other:
        other.call(os.write, 1, b"a warning of some C library\n")
        assert other.call(len, "abc") == 3


def test_a_child_that_dies_is_told_from_one_that_took_too_long() -> None:
    with child() as other:
        with pytest.raises(ChildDied) as crashed:
            other.call(os._exit, 3)
        assert (crashed.value.code, crashed.value.took_too_long, other.is_alive) == (3, False, False)
    with child() as other:
        with pytest.raises(ChildDied) as hung:
            other.call(signal.raise_signal, signal.SIGALRM)
        assert hung.value.took_too_long


def test_a_child_ends_when_its_parent_is_killed() -> None:
    program = (
        "import os, signal; from mist.ingest.child import Child; c = Child(); "
        "print(c.call(os.getpid), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    # Standard error, which is read to its end, is held by the child until it ends: it would take too long otherwise.
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == -signal.SIGKILL
    assert int(done.stdout)
