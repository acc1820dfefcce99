"""On how many threads the blocks of a level are decoded.

The rule: all cores of this machine for a large level in a process of its own; one in a worker process, where the others
have their own work, and for a small level, where starting threads would take longer. Compiled code lets go of Python's
lock, so threads work at the same time.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

from mist.wavelet import Run

_Task = TypeVar("_Task")

FEWEST_VALUES = 1 << 20
"""A level with fewer coefficients is decoded on one thread: it takes less than ten milliseconds."""


def decoding_run(values: int) -> Run:
    """How to decode a level of so many coefficients: `map`, or the same on all cores."""
    threads = thread_count()
    return map if threads == 1 or values < FEWEST_VALUES else _on_threads


def stay_on_one_thread() -> None:
    """Say that this process is one of several that share the work, where `multiprocessing` does not know it."""
    _others_work.set()


_others_work = threading.Event()


def thread_count() -> int:
    """Cores that this process may use; 1 in a worker process."""
    if multiprocessing.parent_process() is not None or _others_work.is_set():
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _on_threads(act: Callable[[_Task], None], tasks: Sequence[_Task]) -> Iterable[None]:
    return _pool(os.getpid()).map(act, tasks)


@lru_cache(maxsize=1)
def _pool(_process: int) -> ThreadPoolExecutor:
    """The threads of this process; after a fork there are new ones."""
    return ThreadPoolExecutor(thread_count(), thread_name_prefix="mist-decode")
