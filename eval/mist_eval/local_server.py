"""A MIST server in a process of its own, on this machine, for as long as a measurement needs it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from mist.errors import StoreUnavailable

_SERVE = "import sys; from mist.server.run import serve; serve(sys.argv[1], '127.0.0.1', 0)"


@contextmanager
def local_server(root_url: str) -> Iterator[str]:
    """The address, such as `http://127.0.0.1:8123`, of a server of the datasets below `root_url`.

    Raises
    ------
    StoreUnavailable
        It did not start; its own message says why.
    """
    command = [sys.executable, "-c", _SERVE, root_url]
    with tempfile.TemporaryFile("w+") as log, _started(command, log) as process:  # a pipe would fill up and stop it
        try:
            yield _address(process, log)
        finally:
            process.terminate()
            process.wait()


def _started(command: list[str], log: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)  # noqa: S603 - our own


def _address(process: subprocess.Popen[str], log: IO[str]) -> str:
    """What the server says once it listens."""
    line = process.stdout.readline() if process.stdout else ""
    if "http://" not in line:
        process.wait()
        log.seek(0)
        raise StoreUnavailable(f"the server did not start: {' '.join(log.read().splitlines()[-1:]) or 'no message'}")
    return line.split()[-1]
