"""What a server says of damage in its store."""

from __future__ import annotations

import http.client
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mist.errors import CatalogCorrupt, ScanCorrupt
from mist.request import Request
from mist.server.reply import PIECE_BYTES
from mist_storage.dataset import open_dataset
from tests.server_answers import SMALL, blocks_path, npy, problem
from tests.server_dataset import RunningServer, SmallDataset, running_server


def test_a_missing_object_is_the_servers_failure(copied: SmallDataset, copied_server: RunningServer) -> None:
    copied.blocks_file("ct").unlink()
    coarsest = len(copied.rows["ct"].header.levels) - 1
    for path in (f"{SMALL}/scans/ct/image?format=npy", blocks_path(copied, "ct")):
        answer = copied_server.ask(path)
        assert "missing" in problem(answer, 502)
        assert (answer.json["scan"], answer.json["level"] in (0, coarsest)) == ("ct", True)
    assert copied_server.ask(blocks_path(copied, "ct"), "HEAD").status == 502


@pytest.mark.parametrize("query", ["level=1&format=npy", "level=1&slice=3", "level=0&region=2:5,3:40,:&format=npy"])
def test_a_truncated_object_is_the_servers_failure(
    copied: SmallDataset, copied_server: RunningServer, query: str
) -> None:
    with copied.blocks_file("ct").open("r+b") as file:
        file.truncate(copied.rows["ct"].header.levels[1].end_byte - 1)
    answer = copied_server.ask(f"{SMALL}/scans/ct/image?{query}")
    assert "'ct', level" in problem(answer, 502)
    assert answer.json["level"] in (0, 1)


def test_a_range_of_a_truncated_object_names_the_level_that_is_cut(
    copied: SmallDataset, copied_server: RunningServer
) -> None:
    end_byte = copied.rows["ct"].header.levels[1].end_byte
    with copied.blocks_file("ct").open("r+b") as file:
        file.truncate(end_byte - 1)
    answer = copied_server.ask(blocks_path(copied, "ct"), headers={"Range": f"bytes=0-{end_byte - 1}"})
    problem(answer, 502)
    assert (answer.json["scan"], answer.json["level"]) == ("ct", 1)


def test_an_altered_level_is_the_servers_failure_until_it_is_mended(
    copied: SmallDataset, copied_server: RunningServer
) -> None:
    file, header = copied.blocks_file("ct"), copied.rows["ct"].header
    good = file.read_bytes()
    altered = bytearray(good)
    altered[header.levels[1].end_byte - 9] ^= 1
    file.write_bytes(altered)
    answer = copied_server.ask(f"{SMALL}/scans/ct/image?level=1&format=npy")
    assert "digest" in problem(answer, 502)
    assert (answer.json["scan"], answer.json["level"]) == ("ct", 1)
    assert copied_server.ask(f"{SMALL}/scans/ct/image?level=2&format=npy").status == 200
    file.write_bytes(good)
    assert np.array_equal(npy(copied_server, "ct"), copied.volumes["ct"].voxels)


@pytest.mark.parametrize("name", ["zarr.json", "source.json"])
def test_an_altered_or_missing_small_object_is_the_servers_failure(
    copied: SmallDataset, copied_server: RunningServer, name: str
) -> None:
    file = copied.folder / "scans/ct" / copied.rows["ct"].digest / name
    path = blocks_path(copied, "ct").replace("c/0/0/0/0", name)
    file.write_bytes(file.read_bytes().replace(b":", b" :", 1))
    assert "digest" in problem(copied_server.ask(path), 502)
    file.unlink()
    assert "missing" in problem(copied_server.ask(path), 502)


def test_a_damaged_catalog_is_the_servers_failure(copied: SmallDataset, copied_server: RunningServer) -> None:
    for file in (copied.folder / "catalog").glob("*.parquet"):
        file.unlink()
    answer = copied_server.ask(SMALL)
    assert "catalog is damaged" in problem(answer, 502)
    assert str(copied.root) not in answer.body.decode()


def test_a_client_names_the_damage_as_one_that_reads_the_store_itself(
    copied: SmallDataset, copied_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIST_STORE_RETRIES", "0")
    with copied.blocks_file("ct").open("r+b") as file:
        file.truncate(copied.rows["ct"].header.levels[1].end_byte - 1)
    found = []
    for url in (f"{copied_server.url}{SMALL}/store", str(copied.folder)):
        with pytest.raises(ScanCorrupt) as damage:
            open_dataset(url).reader("ct").read(Request(level=1))
        found.append((damage.value.scan_id, damage.value.level))
    assert found == [("ct", 1), ("ct", 1)]


def test_a_client_is_told_of_a_damaged_catalog(
    copied: SmallDataset, copied_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIST_STORE_RETRIES", "0")
    for file in (copied.folder / "catalog").glob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(CatalogCorrupt, match=r"/store/catalog\.parquet: the dataset's catalog is damaged"):
        open_dataset(f"{copied_server.url}{SMALL}/store")


def test_an_object_that_ends_while_it_is_sent_cuts_the_connection(noise: SmallDataset, tmp_path: Path) -> None:
    shutil.copytree(noise.root, tmp_path / "root")
    cut = replace(noise, root=tmp_path / "root")
    with cut.blocks_file("noise").open("r+b") as file:
        file.truncate(PIECE_BYTES + 1)
    with running_server(str(cut.root)) as running, pytest.raises((http.client.IncompleteRead, ConnectionError)):
        running.ask(blocks_path(cut, "noise"))
