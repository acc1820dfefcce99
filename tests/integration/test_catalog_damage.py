"""A damaged file of the catalog, by the `mist` command: one line that names it, and nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mist_storage.store import open_store
from tests.command_line import Mist
from tests.faulty_store import contents
from tests.stored_scan import committed

COMMANDS = (
    ["ls"],
    ["info", "a"],
    ["get", "a", "-o", "a.npy"],
    ["export", "-o", "out"],
    ["verify"],
    ["gc"],
    ["rm", "a", "--yes"],
    ["publish", "--yes"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_names_a_damaged_file_of_rows(
    command: list[str], tmp_path: Path, mist: Mist, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(str(tmp_path / "dataset"))
    committed(store, "a")
    key = next(key for key, _ in store.list("catalog") if key.endswith(".parquet"))
    store.put(key, store.get(key)[:-20])
    before = contents(store)
    name, *rest = command

    assert mist(name, store.url, *rest).error.startswith(f"{store.url}/{key} is damaged (its ")
    assert contents(store) == before
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


@pytest.mark.parametrize("data", [b"", b"PAR1PAR1", b"PAR1" * 500, b"<html>"])
def test_a_damaged_published_catalog_is_named(data: bytes, tmp_path: Path, mist: Mist) -> None:
    (tmp_path / "catalog.parquet").write_bytes(data)
    said = mist("ls", tmp_path).error
    assert said.startswith(f"{tmp_path.as_uri()}/catalog.parquet is damaged (")
    assert said.endswith("publish the dataset again, or ask who publishes it")


def test_verify_lists_damage_that_only_old_versions_meet(tmp_path: Path, mist: Mist) -> None:
    store = open_store(str(tmp_path))
    committed(store, "a", 0)
    old = next(key for key, _ in store.list("catalog") if key.endswith(".parquet"))
    committed(store, "a", 1)
    assert mist("verify", store.url).output == "all 1 scans are whole\n"
    store.put(old, store.get(old)[:-20])

    told = mist("verify", store.url, "--json")

    found = json.loads(told.output)
    assert (told.code, found["scans"]) == (1, 1)
    (problem,) = found["problems"]
    assert (problem["scan"], problem["level"]) == (None, None)
    assert problem["problem"].startswith(f"{store.url}/{old} is damaged (its ")
