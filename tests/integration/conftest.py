"""Real stores for tests, an S3 server and disks that refuse or fill up, and the `mist` command in this process."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from mist.command import main
from mist_storage.buckets import ensure_bucket
from tests.aws_environment import environment, set_environment
from tests.command_line import Done, Mist
from tests.seaweedfs import serving


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment variables that name a running S3 server and let one in; `s3_environment` sets them."""
    with serving(tmp_path_factory.mktemp("seaweedfs")) as variables:
        yield variables


@pytest.fixture(scope="session")
def shared_bucket(seaweedfs: dict[str, str]) -> str:
    """The name of a bucket for all tests that need no bucket of their own, which takes half a second to make."""
    with environment(seaweedfs):
        ensure_bucket("mist-shared")
    return "mist-shared"


@pytest.fixture
def s3_environment(seaweedfs: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """`seaweedfs`, with the process's environment set to it, and to nothing else of AWS, during a test."""
    set_environment(monkeypatch, seaweedfs)
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
