"""A real S3 server on loopback: SeaweedFS, started on a fresh folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

START_SECONDS = 30.0
"""How long the server may take to start; it takes about one second."""

ROLES = ("master", "volume", "filer", "s3", "admin")


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that were free just now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _weed() -> str:
    found = shutil.which("weed", path=f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise FileNotFoundError("SeaweedFS's `weed` is not installed; install the extra `dev`")
    return found


def _arguments(folder: Path, ports: dict[str, int]) -> list[str]:
    fixed = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-admin.ui=false", "-webdav=false"]
    closed = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"]
    opened = [f"-{name}={port}" for name, port in ports.items()]
    return ["-logtostderr=true", "mini", f"-dir={folder}", f"-s3.config={folder / 's3.json'}", *fixed, *closed, *opened]


def _write_identities(file: Path, key: str, secret: str) -> None:
    credentials = [{"accessKey": key, "secretKey": secret}]
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    identity = {"name": "mist", "credentials": credentials, "actions": actions}
    file.write_text(json.dumps({"identities": [identity]}))


def _is_healthy(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/healthz", timeout=1) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _wait(server: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    """Return when the server answers; fail with its last words where it does not."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        if _is_healthy(endpoint):
            return
        time.sleep(0.05)  # polls a process of somebody else's: there is no event to wait for
    raise TimeoutError(f"SeaweedFS did not start (exit code {server.poll()}):\n{log.read_text()[-2000:]}")


@contextmanager
def serving(folder: Path) -> Iterator[dict[str, str]]:
    """SeaweedFS on a fresh folder, stopped in the end; the environment variables that name it and let one in."""
    _write_identities(folder / "s3.json", "mist-test", "mist-test-secret")
    names = [f"{role}.port{kind}" for role in ROLES for kind in ("", ".grpc")]
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    endpoint, log = f"http://127.0.0.1:{ports['s3.port']}", folder / "log.txt"
    with log.open("wb") as output:
        command = [_weed(), *_arguments(folder, ports)]
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
        try:
            _wait(server, endpoint, log)
            yield {
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_ACCESS_KEY_ID": "mist-test",
                "AWS_SECRET_ACCESS_KEY": "mist-test-secret",
                "AWS_REGION": "us-east-1",
            }
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
