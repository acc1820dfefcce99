"""The frame of the project: pins, packages, import rules, tasks and documents."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP_FOLDERS = ("mist", "storage", "client", "deploy", "eval", "tests", "docs")
IMPORT_PACKAGES = ("mist", "storage/mist_storage", "client/mist_client", "eval/mist_eval")
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *(file for folder in TOP_FOLDERS for file in (ROOT / folder).rglob("*.md"))]
)

TAKEN_NAMES = {"cli", "evaluation", "metrics", "training", "utils"}
"""Modules of another distribution that also installs a package `mist`."""

APACHE_LICENCE_SHA256 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""Of the text as the Apache Software Foundation publishes it."""


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def normal_name(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def pins() -> list[str]:
    return [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]


def modules_of_mist() -> set[str]:
    folder = ROOT / "mist"
    modules = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    return modules | {path.parent.name for path in folder.glob("*/__init__.py")}


def contracts(kind: str) -> list[dict[str, Any]]:
    return [rule for rule in project()["tool"]["importlinter"]["contracts"] if rule["type"] == kind]


def layers() -> list[str]:
    (rule,) = contracts("layers")
    return [name.strip() for line in rule["layers"] for name in line.split("|")]


def code_blocks(document: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)


def test_a_pin_is_a_name_and_an_exact_version_without_host_hash_or_build_tag() -> None:
    assert [line for line in pins() if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line)] == []


def test_every_declared_dependency_is_pinned() -> None:
    table = project()["project"]
    declared = {*table["dependencies"], *(name for extra in table["optional-dependencies"].values() for name in extra)}
    missing = {normal_name(name) for name in declared} - {normal_name(pin) for pin in pins()}
    assert missing == {"mist-streaming"}  # extras that name other extras


def test_the_plain_install_holds_no_server_no_source_format_and_no_framework() -> None:
    plain = {normal_name(name) for name in project()["project"]["dependencies"]}
    assert plain.isdisjoint({"aiohttp", "boto3", "monai", "nibabel", "pydicom", "torch"})


def test_the_extra_all_holds_every_extra_but_dev() -> None:
    extras = project()["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    assert set(re.split(r"[\[\],]", everything)) - {"mist-streaming", ""} == set(extras) - {"all", "dev"}


def test_the_wheel_is_built_from_the_four_import_packages() -> None:
    assert project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(IMPORT_PACKAGES)


@pytest.mark.parametrize("package", IMPORT_PACKAGES)
def test_every_import_package_tells_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_package_mist_itself_holds_nothing() -> None:
    assert (ROOT / "mist" / "__init__.py").read_bytes() == b""


def test_no_module_of_mist_has_a_name_that_the_other_distribution_installs() -> None:
    assert modules_of_mist().isdisjoint(TAKEN_NAMES)


def test_every_module_of_mist_has_its_layer() -> None:
    assert {f"mist.{name}" for name in modules_of_mist()} - set(layers()) == set()


def test_every_module_below_the_store_is_held_to_be_pure() -> None:
    core = layers()[layers().index("mist_storage") + 1 :]
    pure = next(rule for rule in contracts("forbidden") if rule["name"].startswith("The core is pure"))
    assert sorted(pure["source_modules"]) == sorted(core)


@pytest.mark.parametrize("folder", TOP_FOLDERS)
def test_every_top_folder_has_a_readme_of_one_screen(folder: str) -> None:
    assert 5 <= len((ROOT / folder / "README.md").read_text().splitlines()) <= 60


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_relative_link_of_a_document_leads_somewhere(document: str) -> None:
    targets = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", (ROOT / document).read_text())
    assert [target for target in targets if not (ROOT / document).parent.joinpath(target).exists()] == []


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if code_blocks(name)])
def test_every_python_example_of_a_document_is_python(document: str) -> None:
    for block in code_blocks(document):
        compile(block, document, "exec")


def test_the_example_of_the_core_runs() -> None:
    (example,) = code_blocks("mist/README.md")
    subprocess.run([sys.executable, "-W", "error", "-c", example], check=True, cwd=ROOT)


def test_the_licence_is_the_unaltered_apache_2() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_LICENCE_SHA256


def test_the_changelog_opens_with_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"


def test_the_ci_script_can_be_run_and_ends_with_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec make --no-print-directory test"


def test_make_demo_hands_the_users_folder_on_as_one_argument() -> None:
    command = ["make", "--dry-run", "--always-make", "demo", "DATA=my scans"]
    done = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, text=True)
    assert done.stdout.splitlines()[-1].endswith("/mist demo 'my scans'")
