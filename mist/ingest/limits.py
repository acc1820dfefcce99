"""What decoding one scan may take, in a process that may be ended for it.

The rule: too much memory is an error that the decoder's caller sees, if the decoder passes it on; too much time ends
the process, since no other way ends a loop in compiled code. Both grow with the size of the files: a large series is no
attack. For child processes only.
"""

from __future__ import annotations

import math
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATM = Path("/proc/self/statm")
"""Where Linux tells how many pages a process has; its sixth number are those of private, writable memory."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What decoding one scan may take."""

    seconds: float = 120.0
    """Time for files of no size."""
    seconds_per_mib: float = 2.0
    """Further time for each MiB of source: a hundred times what a slow decoder takes on a busy machine."""
    memory_bytes: int = 1 << 31
    """Memory beyond what the process had before, for files of no size."""
    memory_per_byte: int = 64
    """Further memory for each byte of source: an image compressed tenfold, held three times over, twice."""

    def seconds_for(self, source_bytes: int) -> int:
        """Whole seconds, at least 1."""
        return max(1, math.ceil(self.seconds + self.seconds_per_mib * source_bytes / (1 << 20)))

    def memory_for(self, source_bytes: int) -> int:
        """Bytes."""
        return self.memory_bytes + self.memory_per_byte * source_bytes


@contextmanager
def limited(limits: Limits | None, source_bytes: int) -> Iterator[None]:
    """Hold what is done inside to `limits`, for sources of `source_bytes`; to nothing where `limits` is None.

    To be used in the main thread of a process. Memory is limited on Linux only: elsewhere the system does not count it.

    Raises
    ------
    MemoryError
        Raised inside, as by any allocation that fails.
    """
    if limits is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process
    signal.alarm(limits.seconds_for(source_bytes))
    try:
        if _STATM.is_file():
            most = _data_bytes() + limits.memory_for(source_bytes)
            resource.setrlimit(resource.RLIMIT_DATA, (_lesser(most, hard), hard))
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int:
    return int(_STATM.read_text().split()[5]) * resource.getpagesize()


def _lesser(most: int, hard: int) -> int:
    return most if hard == resource.RLIM_INFINITY else min(most, hard)
