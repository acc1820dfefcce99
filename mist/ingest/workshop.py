"""Jobs in child processes, as many as callers ask for at a time, each when there is memory for it.

The rule: a child that dies in the middle of foreign bytes costs one job, and no other. A job whose child dies is done
once more in a new one, since others may have killed it; then it is refused. A child that nobody has asked anything of
for a while ends, for who asked may have been killed. The same here and on a Dask worker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Self, TypeVar

from mist.ingest.child import Child, ChildDied
from mist.ingest.job import Job, Result, refused
from mist.ingest.limits import Limits
from mist.ingest.memory_gate import MemoryGate
from mist.ingest.worker import expected_bytes, parts_of

_Result = TypeVar("_Result")

_ATTEMPTS = 2

IDLE_S = 60.0
"""After this time a child that has nothing to do is ended, in seconds; some take twice as long. A new one takes one."""


class Workshop:
    """Does jobs; may be called from several threads.

    Parameters
    ----------
    act
        What does a job, within limits: `mist.ingest.worker.do_job`.
    limits
        What decoding a scan may take.
    memory_bytes
        What all jobs together may take. A job that needs more is done alone, in files.
    """

    def __init__(self, act: Callable[[Job, Limits], list[Result]], limits: Limits, memory_bytes: int) -> None:
        self._act = act
        self._limits = limits
        self._memory_bytes = memory_bytes
        self._gate = MemoryGate(memory_bytes)
        self._idle: list[tuple[float, Child]] = []
        """Children that have nothing to do, and since when; the one that was used last is the next to be used."""
        self._timer: threading.Timer | None = None
        self._busy: set[Child] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def do(self, job: Job) -> list[Result]:
        """The results of `job`.

        Raises
        ------
        StoreError
            The store failed.
        ChildDied
            The workshop was closed.
        """
        try:
            with self._gate.entered(self._needed(job)) as fits:
                mine = job if fits else replace(job, memory_bytes=self._memory_bytes)
                return self._call(self._act, mine, self._limits)
        except ChildDied:
            if self._is_closed:
                raise
            reason = (
                f"{job.tasks[0].source}: the process that decoded it died: a decoder crashed, ran out of memory, or "
                f"took more than {self._limits.seconds:g} s; export it anew, or convert it with its own software"
            )
            return [result for part in parts_of(job, reason) for result in self.do(part)] or refused(job, reason)

    def close(self) -> None:
        """End all processes; jobs that are being done raise `ChildDied`."""
        with self._lock:
            self._is_closed = True
            if self._timer is not None:
                self._timer.cancel()
            idle, self._idle = self._idle, []
            for child in self._busy:
                child.kill()
        for _, child in idle:
            child.end()

    def _needed(self, job: Job) -> int:
        """Bytes; headers of foreign files are read by a child."""
        return expected_bytes(job) if job.is_known else self._call(expected_bytes, job)

    def _call(self, function: Callable[..., _Result], *arguments: object) -> _Result:
        for attempt in range(1, _ATTEMPTS + 1):
            child = self._taken()
            try:
                return child.call(function, *arguments)
            except ChildDied as death:
                if attempt == _ATTEMPTS or death.took_too_long or self._is_closed:
                    raise
            finally:
                self._given_back(child)
        raise AssertionError("unreachable")

    def _taken(self) -> Child:
        with self._lock:
            if self._is_closed:
                raise ChildDied(0)
            child = self._idle.pop()[1] if self._idle else Child()
            self._busy.add(child)
            return child

    def _given_back(self, child: Child) -> None:
        with self._lock:
            self._busy.discard(child)
            if child.is_alive and not self._is_closed:
                self._idle.append((time.monotonic(), child))
                self._look_later()
                return
        child.end()

    def _look_later(self) -> None:
        """See to it that idle children are ended in time; whoever calls this holds the lock."""
        if self._timer is None:
            self._timer = threading.Timer(IDLE_S, self._end_idle)
            self._timer.daemon = True
            self._timer.start()

    def _end_idle(self) -> None:
        limit = time.monotonic() - IDLE_S
        with self._lock:
            self._timer = None
            ended = [child for since, child in self._idle if since <= limit]
            self._idle = [(since, child) for since, child in self._idle if since > limit]
            if self._idle:
                self._look_later()
        for child in ended:
            child.end()
