"""`mist gc`, `mist rm`, `mist log` and `@version` from end to end, on a folder and on a real S3 server."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from mist_storage.catalog import open_catalog
from mist_storage.store import ObjectStore, open_store
from mist_storage.withdrawal import withdrawals
from tests.command_line import Mist
from tests.faulty_store import contents


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a dataset that is not there yet."""
    return str(request.getfixturevalue("s3_url")) if request.param == "s3" else str(tmp_path / "cxr")


@pytest.fixture
def dataset(mist: Mist, url: str, tmp_path: Path) -> ObjectStore:
    """Version 0 has the scans a and b, version 1 another b, and an ingest of c was interrupted."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "labels.csv").write_text("file,site\na.npy,north\nb.npy,canary-site\n")
    for round_ in range(2):
        np.save(source / "a.npy", np.full((20, 30), 1, np.uint8))
        np.save(source / "b.npy", np.full((20, 30), 2 + round_, np.uint8))
        done = mist("ingest", source, url, "--labels", source / "labels.csv", "--workers", 1, "--replace")
        assert done.code == 0, done
    store = open_store(url)
    store.put(f"scans/c/{'01' * 24}/zarr.json", b"12345")
    return store


def test_gc_removes_what_an_interrupted_ingest_left_and_nothing_else(mist: Mist, dataset: ObjectStore) -> None:
    before = contents(dataset)
    young = mist("gc", dataset.url)
    assert (young.code, "0 objects" in young.output, "1 more are younger" in young.messages) == (0, True, True)
    planned = json.loads(mist("gc", dataset.url, "--grace", "0", "--dry-run", "--json").output)
    assert (planned["keys"], planned["bytes"], contents(dataset)) == ([f"scans/c/{'01' * 24}/zarr.json"], 5, before)
    assert "1 objects, 5 bytes, freed" in mist("gc", dataset.url, "--grace", "0").output
    assert contents(dataset) == {key: data for key, data in before.items() if not key.startswith("scans/c/")}
    assert mist("verify", dataset.url).code == 0


def test_rm_takes_a_scan_out_of_every_version_and_log_tells(mist: Mist, dataset: ObjectStore) -> None:
    planned = json.loads(mist("rm", dataset.url, "b", "--dry-run", "--json").output)
    assert (planned["scan_ids"], planned["finished"]) == (["b"], None)
    done = mist("rm", dataset.url, "b", "--yes", "--reason", "consent withdrawn")
    assert (done.code, "1 scans (b) left every version" in done.output) == (0, True)
    assert [open_catalog(dataset, version).scan_ids for version in range(3)] == [["a"]] * 3
    stored = contents(dataset)
    assert [key for key, data in stored.items() if b"canary-site" in data or "scans/b/" in key] == []
    told = json.loads(mist("log", dataset.url, "--json").output)
    assert [version["did"] for version in told["versions"]] == ["ingest", "ingest", "withdrawal"]
    (record,) = told["withdrawals"]
    assert (record["scan_ids"], record["reason"], record["version"]) == (["b"], "consent withdrawn", 2)
    assert mist("verify", dataset.url).code == 0
    assert "withdrawn at" in mist("rm", dataset.url, "b", "--yes").output


@pytest.mark.parametrize("answer", ["", "n\n", "no\n"])
def test_rm_without_a_yes_removes_nothing(
    mist: Mist, dataset: ObjectStore, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    before = contents(dataset)
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: bool(answer))
    monkeypatch.setattr(sys, "stdin", terminal)
    refused = mist("rm", dataset.url, "b")
    assert (refused.code, "nothing was removed" in refused.messages) == (1, True)
    assert contents(dataset) == before


def test_rm_with_a_yes_at_the_terminal_removes(
    mist: Mist, dataset: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO("y\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    assert mist("rm", dataset.url, "b").code == 0
    assert withdrawals(dataset)[0].scan_ids == ("b",)


def test_rm_of_an_unknown_scan_fails_and_says_so(mist: Mist, dataset: ObjectStore) -> None:
    assert "no scan is called 'nope' in any version" in mist("rm", dataset.url, "nope", "--yes").error


def test_log_says_what_each_version_did(mist: Mist, dataset: ObjectStore) -> None:
    shown = mist("log", dataset.url)
    assert shown.code == 0
    assert re.search(r"\b0 +2\S+ \S+ +ingest +2 +2\b", shown.output)
    assert re.search(r"\b1 +2\S+ \S+ +ingest +2 +1 .*mist-streaming", shown.output)
    assert len(json.loads(mist("log", f"{dataset.url}@0", "--json").output)["versions"]) == 1


@pytest.mark.parametrize("command", ["ls", "info", "get", "verify", "log"])
def test_every_command_that_reads_takes_a_version_and_names_those_there_are(
    mist: Mist, dataset: ObjectStore, tmp_path: Path, command: str
) -> None:
    extra: dict[str, list[object]] = {"info": ["b"], "get": ["b", "-o", tmp_path / "b.npy"]}
    arguments = extra.get(command, [])
    assert mist(command, f"{dataset.url}@0", *arguments).code == 0
    if command == "get":
        assert int(np.load(tmp_path / "b.npy").max()) == 2
    assert "has versions 0 to 1, not 7" in mist(command, f"{dataset.url}@7", *arguments).error


@pytest.mark.parametrize("command", [["gc"], ["rm", "b"]])
def test_a_command_that_changes_a_dataset_takes_no_version(
    mist: Mist, dataset: ObjectStore, command: list[str]
) -> None:
    assert "names a version" in mist(command[0], f"{dataset.url}@0", *command[1:]).error


@pytest.mark.parametrize("age", ["", "1", "2 weeks", "-3h", "1.5d"])
def test_an_age_that_is_none_is_refused(mist: Mist, tmp_path: Path, age: str) -> None:
    assert "an age is a whole number of s, m, h or d" in mist("gc", tmp_path, f"--grace={age}").error


@pytest.mark.parametrize("command", [["gc"], ["rm", "a", "--yes"], ["log"]])
@pytest.mark.parametrize("place", ["absent", "empty"])
def test_where_there_is_no_dataset_that_is_said_and_nothing_is_made(
    mist: Mist, tmp_path: Path, command: list[str], place: str
) -> None:
    (tmp_path / "empty").mkdir()
    assert "there is no" in mist(command[0], tmp_path / place, *command[1:]).error
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
