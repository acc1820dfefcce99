"""A log that is not whole is an error that says so, never a smaller dataset."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mist.errors import CatalogCorrupt, DatasetNotFound, StoreError
from mist_storage.catalog import open_catalog
from mist_storage.catalog_commit import commit_to
from mist_storage.dataset import open_dataset
from mist_storage.delta_log import log_versions, read_log
from mist_storage.garbage import find_garbage
from mist_storage.history import history
from mist_storage.store import ObjectStore, open_store
from mist_storage.withdrawal import plan_withdrawal
from tests.faulty_store import contents
from tests.stored_scan import catalog_row, committed, memory_store, stored, tiny


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """A dataset of three versions."""
    store = open_store(str(tmp_path / "dataset"))
    for seed, name in enumerate("abc"):
        committed(store, name, seed, {"age": seed})
    return store


def log_file(tmp_path: Path, version: int) -> Path:
    return tmp_path / "dataset" / "catalog" / "_delta_log" / f"{version:020}.json"


def fails(store: ObjectStore) -> str:
    """What reading, writing and looking after a dataset says, once it is known to be the same."""
    before, said = contents(store), set[str]()
    row = catalog_row(stored(tiny(3), "d").stored)
    uses: list[Callable[[], object]] = [
        lambda: open_catalog(store),
        lambda: open_catalog(store, 0),
        lambda: commit_to(store, [row]),
        lambda: find_garbage(store, next(store.inventory("scans")).modified),
        lambda: plan_withdrawal(store, ["a"], "who", "why"),
        lambda: history(store),
    ]
    for use in uses:
        with pytest.raises(StoreError) as failure:
            use()
        said.add(str(failure.value).removeprefix(f"{store.url}/catalog/_delta_log: the log of the catalog "))
    assert contents(store) == before
    (only,) = said
    return only


RESTORE = "restore catalog/ from a copy; until then the dataset is neither read nor changed"


def test_an_emptied_log_is_an_error(store: ObjectStore, tmp_path: Path) -> None:
    shutil.rmtree(log_file(tmp_path, 0).parent)
    assert fails(store) == f"is gone, though there are rows; {RESTORE}"


def test_an_emptied_log_without_a_note_is_an_error(store: ObjectStore, tmp_path: Path) -> None:
    shutil.rmtree(log_file(tmp_path, 0).parent)
    store.delete(["catalog/_newest.json"])
    assert fails(store) == f"is gone, though there are rows; {RESTORE}"


@pytest.mark.parametrize("version", [0, 1])
def test_a_gap_is_an_error(store: ObjectStore, tmp_path: Path, version: int) -> None:
    log_file(tmp_path, version).unlink()
    assert fails(store) == f"lacks version {version}; {RESTORE}"


def test_a_log_that_is_cut_short_is_an_error(store: ObjectStore, tmp_path: Path) -> None:
    log_file(tmp_path, 2).unlink()
    assert fails(store) == f"ends at version 1, though there was 2; {RESTORE}"


@pytest.mark.parametrize("data", [b"", b"nonsense", b"[]\n", b'{"add": '])
def test_an_entry_that_is_none_is_an_error(store: ObjectStore, data: bytes) -> None:
    store.put("catalog/_delta_log/00000000000000000001.json", data)
    with pytest.raises(StoreError, match=r"00000000000000000001\.json is no entry of a log"):
        read_log(store)
    with pytest.raises(StoreError):
        open_catalog(store)


def test_a_damaged_note_is_an_error(store: ObjectStore) -> None:
    store.put("catalog/_newest.json", b"nonsense")
    with pytest.raises(StoreError, match=r"catalog/_newest\.json is damaged; restore"):
        open_catalog(store)


def test_a_note_of_which_a_bit_was_flipped_is_an_error_or_changes_nothing(store: ObjectStore) -> None:
    whole, found = store.get("catalog/_newest.json"), 0
    for at in range(8 * len(whole)):
        altered = bytearray(whole)
        altered[at // 8] ^= 1 << at % 8
        store.put("catalog/_newest.json", bytes(altered))
        try:
            assert log_versions(store) == range(3)
        except CatalogCorrupt:
            found += 1
    assert found > 7 * len(whole)


def test_a_note_that_is_behind_the_log_is_no_error(store: ObjectStore) -> None:
    store.put("catalog/_newest.json", json.dumps({"newest_version": 0}).encode())
    assert open_catalog(store).scan_ids == ["a", "b", "c"]


def test_a_dataset_without_a_note_is_read_and_gets_one(store: ObjectStore) -> None:
    store.delete(["catalog/_newest.json"])
    assert open_catalog(store).version == 2
    committed(store, "d", 1)
    assert json.loads(store.get("catalog/_newest.json")) == {"newest_version": 3}


def test_what_an_interrupted_first_commit_left_is_no_error() -> None:
    store = memory_store()
    store.put("catalog/part-00000-0123456789abcdef.parquet", b"rows that nobody was told of")
    assert log_versions(store) == range(0)
    committed(store, "a")
    assert log_versions(store) == range(1)


def test_objects_without_a_catalog_are_no_dataset_and_the_message_says_what_to_do(tmp_path: Path) -> None:
    stored(tiny(), store=open_store(str(tmp_path)))
    with pytest.raises(DatasetNotFound, match="if an ingest was interrupted, run it again; if the catalog was lost"):
        open_dataset(str(tmp_path))


def test_the_history_says_what_each_version_did(store: ObjectStore) -> None:
    committed(store, "a", 2, {"age": 5})
    committed(store, "a", 2, {"age": 6})
    versions = history(store)
    assert [version.number for version in versions] == [0, 1, 2, 3, 4]
    assert [version.added for version in versions] == [("a",), ("b",), ("c",), (), ()]
    assert [version.replaced for version in versions] == [(), (), (), ("a",), ()]
    assert [version.relabelled for version in versions] == [0, 0, 0, 0, 1]
    assert [version.scans for version in versions] == [1, 2, 3, 3, 3]
    assert {version.did for version in versions} == {"ingest"}
    assert all(version.writer.startswith("mist-streaming ") for version in versions)
    assert [version.time for version in versions] == sorted(version.time for version in versions)
