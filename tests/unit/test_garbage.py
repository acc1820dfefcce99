from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mist.errors import DatasetNotFound, StoreError
from mist_storage.catalog import open_catalog
from mist_storage.catalog_commit import commit_to
from mist_storage.garbage import Garbage, find_garbage, remove_garbage
from mist_storage.store import ObjectStore, StoredObject, open_store
from tests.faulty_store import ClockedStore, FaultyStore, contents
from tests.stored_scan import catalog_row, committed, memory_store, stored, tiny

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """A dataset in which a scan took the place of another, and an orphan."""
    store = memory_store() if request.param == "memory" else open_store(str(tmp_path / "dataset"))
    for seed in range(2):
        committed(store, "a", seed)
    stored(tiny(2), "orphan", store)
    return store


def keys(garbage: Garbage) -> list[str]:
    return [each.key for each in garbage.objects]


def test_objects_that_no_version_names_are_removed_and_no_others(store: ObjectStore) -> None:
    before = contents(store)
    garbage = find_garbage(store, LATER)
    freed = remove_garbage(store, garbage)
    assert keys(garbage) == sorted(key for key in before if key.startswith("scans/orphan/"))
    assert freed == garbage.bytes == sum(len(before[key]) for key in keys(garbage))
    assert contents(store) == {key: data for key, data in before.items() if key not in keys(garbage)}


def test_finding_garbage_removes_nothing(store: ObjectStore) -> None:
    before = contents(store)
    find_garbage(store, LATER)
    assert contents(store) == before


def test_young_garbage_stays_and_is_counted(store: ObjectStore) -> None:
    garbage = find_garbage(store, LATER - timedelta(days=2))
    assert (garbage.objects, garbage.younger) == ((), 4)


def test_objects_of_a_version_that_was_replaced_stay(store: ObjectStore) -> None:
    remove_garbage(store, find_garbage(store, LATER))
    assert len({key.split("/")[2] for key, _ in store.list("scans/a")}) == 2


def test_a_file_of_rows_that_was_never_committed_is_garbage(store: ObjectStore) -> None:
    store.put("catalog/part-00007-0123456789abcdef.parquet", b"rows")
    assert "catalog/part-00007-0123456789abcdef.parquet" in keys(find_garbage(store, LATER))


def test_the_log_and_what_lies_elsewhere_is_no_garbage(store: ObjectStore) -> None:
    for key in ("withdrawals/x.json", "catalog.parquet", "catalog/_delta_log/x.checkpoint.parquet", "notes.txt"):
        store.put(key, b"kept")
    assert all(key.startswith("scans/orphan/") for key in keys(find_garbage(store, LATER)))


def test_what_lies_in_the_folder_of_a_scans_digest_is_garbage_whatever_it_is(store: ObjectStore) -> None:
    key = f"scans/gone/{'0a' * 24}/of a later MIST"
    store.put(key, b"x")
    assert key in keys(find_garbage(store, LATER))


def test_what_others_put_among_the_scans_is_left_alone(store: ObjectStore) -> None:
    for key in ("scans/.DS_Store", "scans/a/stray.txt", "scans/a/notes/b/c.txt", "catalog/mine.parquet"):
        store.put(key, b"kept")
    assert all(key.startswith("scans/orphan/") for key in keys(find_garbage(store, LATER)))


@pytest.mark.parametrize("folder", ["scans", "scans/a", "catalog"])
def test_a_dataset_in_the_folder_of_another_is_left_alone(tmp_path: Path, folder: str) -> None:
    store = open_store(str(tmp_path))
    committed(store, "a")
    inner = open_store(str(tmp_path / folder))
    committed(inner, "b")
    before = contents(inner)
    remove_garbage(store, find_garbage(store, LATER))
    assert contents(inner) == before


def test_an_object_that_is_written_anew_before_it_is_removed_stays() -> None:
    store = ClockedStore(memory_store())
    commit_to(store, [])
    orphan = stored(tiny(), "orphan", store)
    store.wait(30)
    garbage = find_garbage(store, store.now - timedelta(hours=24))
    store.put(orphan.key(), orphan.object())
    remove_garbage(store, garbage)
    assert [key for key, _ in store.list("scans")] == [orphan.key()]


def test_a_row_that_is_committed_while_garbage_is_looked_for_keeps_its_objects() -> None:
    store = memory_store()
    committed(store, "a")
    late = stored(tiny(1), "late", store)

    class Committing(FaultyStore):
        """Somebody commits while the objects are listed."""

        def inventory(self, prefix: str) -> Iterator[StoredObject]:
            listed = [*super().inventory(prefix)]
            if self.operations.count("inventory") == 1:
                commit_to(store, [catalog_row(late.stored)])
            return iter(listed)

    assert find_garbage(Committing(store), LATER).objects == ()


def test_without_a_catalog_nothing_is_garbage() -> None:
    store = memory_store()
    stored(tiny(), "a", store)
    with pytest.raises(DatasetNotFound):
        find_garbage(store, LATER)


def test_a_missing_file_of_rows_stops_the_collection(store: ObjectStore) -> None:
    store.delete([next(key for key, _ in store.list("catalog") if key.endswith(".parquet"))])
    with pytest.raises(StoreError, match="a file of the catalog is missing"):
        find_garbage(store, LATER)


def test_empty_folders_and_what_interrupted_writes_left_are_removed(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    committed(store, "a")
    stored(tiny(2), "orphan", store)
    staged = tmp_path / "scans" / "half" / "digest" / "zarr.json#17"
    staged.parent.mkdir(parents=True)
    staged.write_bytes(b"12345")
    garbage = find_garbage(store, LATER)
    assert remove_garbage(store, garbage) == garbage.bytes + 5
    assert [path.name for path in (tmp_path / "scans").iterdir()] == ["a"]
    assert open_catalog(store).scan_ids == ["a"]
