"""Many writers of one catalog at once, on a folder and on a real S3 server."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from mist_storage.catalog import CatalogRow, commit_rows, open_catalog
from mist_storage.dataset import open_dataset
from mist_storage.store import ObjectStore, open_store
from tests.stored_scan import catalog_row, stored, tiny


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a dataset that is not there yet, with characters that take some encoding."""
    parent = request.getfixturevalue("s3_url") if request.param == "s3" else str(tmp_path)
    return open_store(f"{parent}/my data, ü").url


def rows(names: Sequence[str]) -> list[CatalogRow]:
    scan = catalog_row(stored(tiny()).stored)
    labels = [{"writer": number} for number in range(len(names))]
    return [dataclasses.replace(scan, scan_id=name, labels=each) for name, each in zip(names, labels, strict=True)]


def commit(job: tuple[str, CatalogRow]) -> int:
    return commit_rows(job[0], [job[1]])


def test_eight_threads_that_begin_a_dataset_together_all_commit(url: str) -> None:
    names = [f"scan-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        versions = list(threads.map(commit, [(url, row) for row in rows(names)]))
    assert sorted(versions) == list(range(8))
    assert open_catalog(open_store(url)).scan_ids == names


def test_sixteen_writers_of_one_scan_leave_one_row(url: str) -> None:
    jobs = [(url, row) for row in rows(["scan"] * 16)]
    with ThreadPoolExecutor(16) as threads:
        versions = list(threads.map(commit, jobs))
    catalog = open_catalog(open_store(url))
    assert catalog.scan_ids == ["scan"]
    assert catalog.row("scan").labels["writer"] == versions.index(max(versions))


def test_writers_of_one_scan_of_an_old_dataset_leave_one_row(url: str) -> None:
    commit_rows(url, rows(["a", "z"]))
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(commit, [(url, row) for row in rows(["scan"] * 16)]))
    assert open_catalog(open_store(url)).scan_ids == ["a", "scan", "z"]


def test_writers_of_labels_of_their_own_keep_those_of_all(url: str) -> None:
    names = [f"scan-{number}" for number in range(8)]
    committed = [dataclasses.replace(row, labels={row.scan_id: 1}) for row in rows(names)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(commit, [(url, row) for row in committed]))
    catalog = open_catalog(open_store(url))
    assert [catalog.row(name).labels[name] for name in names] == [1] * 8


def test_processes_that_begin_a_dataset_together_all_commit(url: str) -> None:
    names = [f"scan-{number}" for number in range(6)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        list(processes.map(commit, [(url, row) for row in rows(names)]))
    assert open_catalog(open_store(url)).scan_ids == names


def test_a_commit_that_is_refused_leaves_the_dataset_as_it_was(url: str) -> None:
    first, second = rows(["a", "b"])
    commit_rows(url, [first])
    with pytest.raises(ValueError, match="label column 'writer' holds whole numbers in this dataset, not text"):
        commit_rows(url, [dataclasses.replace(second, labels={"writer": "x"})])
    catalog = open_catalog(open_store(url))
    assert (catalog.scan_ids, catalog.version) == (["a"], 0)


def test_objects_and_catalog_lie_in_one_folder(url: str) -> None:
    scan = stored(tiny(), store=open_store(url))
    commit_rows(url, [catalog_row(scan.stored)])
    assert open_store(url).folders() == ["catalog", "scans"]
    assert open_dataset(f"{url}@0").catalog.scan_ids == ["scan"]


def test_a_table_whose_making_was_not_acknowledged_is_not_taken_apart(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = ObjectStore.create

    def unacknowledged(store: ObjectStore, key: str, data: bytes) -> bool:
        create(store, key, data)
        return create(store, key, data)  # as a retry does, which finds its own first attempt

    monkeypatch.setattr(ObjectStore, "create", unacknowledged)
    assert commit_rows(url, rows(["a"])) == 0
    assert open_catalog(open_store(url)).scan_ids == ["a"]
