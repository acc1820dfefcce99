"""Work that is let in only while there is memory for it.

The rule: what comes first is let in first, so that large work is not put off for ever by small work. What needs more
than there is gets all of it, alone, and must make do. Knows numbers, not scans.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mist.errors import InvalidRequest

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

_SIZE = re.compile(r"(\d+(?:\.\d+)?) *([kmgt]?)(?:i?b)?", re.IGNORECASE)

_CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux tells a container what it may have (cgroup v2, v1)."""


class MemoryGate:
    """Lets work in while what it needs fits."""

    def __init__(self, total_bytes: int) -> None:
        self._total = self._free = total_bytes
        self._come = 0
        self._next = 0
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many have come and were not let in yet."""
        with self._changed:
            return self._come - self._next

    @contextmanager
    def entered(self, needed_bytes: int) -> Iterator[bool]:
        """Wait until there is memory, and hold it inside; whether it is all that is needed."""
        held = min(needed_bytes, self._total)
        with self._changed:
            ticket, self._come = self._come, self._come + 1
            self._changed.wait_for(lambda: ticket == self._next and held <= self._free)
            self._next += 1
            self._take(held)
        try:
            yield held == needed_bytes
        finally:
            with self._changed:
                self._take(-held)

    def _take(self, size: int) -> None:
        self._free -= size
        self._changed.notify_all()


def parse_size(text: str) -> int:
    """The number of bytes that `text` says, such as 800M or 4 GiB; units are powers of 1024.

    Raises
    ------
    InvalidRequest
        It is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise InvalidRequest(f"a size is a number with K, M, G or T, such as 800M or 4G, not {text!r}")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def usual_memory() -> int:
    """Half of what this machine, or its container, has: what an ingest may take if nobody says otherwise. In bytes."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in _CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # there is none, or it says `max`
            limits.append(int(path.read_text()))
    return min(limits) // 2
