"""A Dask scheduler and its workers, as processes on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from distributed import Client

DEADLINE_S = 60


@dataclass
class DaskProcesses:
    """A cluster."""

    address: str
    """Of the scheduler."""
    folder: Path
    """For what workers write to disk."""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def scheduler(self) -> subprocess.Popen[bytes]:
        """The scheduler's process."""
        return self.processes[0]

    def start(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """A process of the `dask` command, in a group of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **(environment or {})},
            cwd=self.folder,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def start_worker(self, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """A worker with one thread, and the nanny that watches over it."""
        options = ("--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard", "--local-directory", str(self.folder))
        return self.start("distributed.cli.dask_worker", self.address, *options, environment=environment)

    def wait_for_workers(self, count: int) -> None:
        """Return when so many workers have come."""
        with Client(self.address, timeout=DEADLINE_S, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=DEADLINE_S)

    def unfinished_work(self) -> dict[str, object]:
        """What the scheduler still has to do for anybody, once each worker's threads have come to something new."""
        with Client(self.address, timeout=DEADLINE_S, set_as_default=False) as client:
            workers = [*client.nthreads()]
            client.gather([client.submit(int, pure=False, workers=[worker]) for worker in workers])
            return {worker: keys for worker, keys in client.processing().items() if keys}


@contextmanager
def dask_cluster(folder: Path) -> Iterator[DaskProcesses]:
    """A scheduler without workers; whatever was started ends with it."""
    cluster = DaskProcesses(f"tcp://127.0.0.1:{free_port()}", folder)
    port = cluster.address.rpartition(":")[2]
    cluster.start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
    try:
        yield cluster
    finally:
        for process in cluster.processes:
            kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
