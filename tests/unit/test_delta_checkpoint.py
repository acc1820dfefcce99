"""Checkpoints say what the entries do, or are an error; the hint at them leads nobody astray."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

from mist.errors import CatalogCorrupt
from mist_storage.catalog import open_catalog
from mist_storage.catalog_check import catalog_problems
from mist_storage.delta_checkpoint import LAST_CHECKPOINT, hint_problem, read_checkpoint, write_checkpoint
from mist_storage.delta_log import checkpoint_key, entry_key, read_log
from mist_storage.delta_snapshot import Snapshot, read_snapshot
from mist_storage.store import ObjectStore, open_store
from tests.stored_scan import CountingStore, committed

KEY = checkpoint_key(2)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """A dataset of four versions, with a checkpoint of the third."""
    store = open_store(str(tmp_path / "dataset"))
    for seed, name in enumerate("abb"):
        committed(store, name, seed, {"age": seed})
    write_checkpoint(store, 2)
    committed(store, "c", 3, {"site": "x"})
    return store


def test_a_checkpoint_says_what_the_entries_do(store: ObjectStore) -> None:
    checkpoint = read_checkpoint(store, 2)
    assert checkpoint is not None
    found, told = Snapshot.of([checkpoint]), Snapshot.of(read_log(store)[:3])
    assert (found.version, found.schema) == (2, told.schema)
    assert {name: file["stats"] for name, file in found.files.items()} == {
        name: file["stats"] for name, file in told.files.items()
    }


def test_entries_before_a_checkpoint_are_not_fetched(store: ObjectStore) -> None:
    counting = CountingStore(store)
    assert read_snapshot(counting).version == 3
    assert counting.requests.count("get") == 3  # the note of the newest version, the checkpoint, the last entry


def test_the_table_is_the_same_with_and_without_a_checkpoint(store: ObjectStore) -> None:
    with_it = [open_catalog(store, version).frame for version in range(4)]
    store.delete([LAST_CHECKPOINT, KEY])
    assert all(open_catalog(store, version).frame.equals(frame) for version, frame in enumerate(with_it))


def test_the_tables_identity_outlives_a_checkpoint(store: ObjectStore) -> None:
    entries = read_log(store)
    first, last = entries[0].metadata, entries[3].metadata
    assert first is not None
    assert last is not None
    assert {**last, "schemaString": ""} == {**first, "schemaString": ""}


def test_delta_lake_reads_a_sealed_checkpoint_by_its_hint(store: ObjectStore, tmp_path: Path) -> None:
    store.delete([entry_key(0), entry_key(1), entry_key(2)])
    table = pl.read_delta(str(tmp_path / "dataset" / "catalog"))
    assert sorted(table["scan_id"]) == ["a", "b", "c"]


def test_a_checkpoint_that_a_withdrawal_has_just_removed_is_none(store: ObjectStore) -> None:
    store.delete([KEY])
    assert read_checkpoint(store, 2) is None


def test_every_flipped_byte_and_every_beginning_of_a_checkpoint_is_found(store: ObjectStore) -> None:
    data = store.get(KEY)
    memory = open_store("memory://checkpoint")
    for at in range(len(data)):
        for altered in (data[:at], data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]):
            memory.put(KEY, altered)
            with pytest.raises(CatalogCorrupt, match=r"2\.checkpoint\.parquet is damaged \(.*\); remove it: the log's"):
                read_checkpoint(memory, 2)


def test_a_checkpoint_without_its_seal_is_damaged(store: ObjectStore) -> None:
    buffer = io.BytesIO()
    pl.read_parquet(store.get(KEY)).write_parquet(buffer)
    store.put(KEY, buffer.getvalue())
    with pytest.raises(CatalogCorrupt, match="have no digest"):
        open_catalog(store)


def test_a_damaged_checkpoint_is_named_and_can_be_removed(store: ObjectStore) -> None:
    store.put(KEY, store.get(KEY)[:-9])
    with pytest.raises(CatalogCorrupt, match="remove it: the log's entries say all that it does"):
        open_catalog(store)
    store.delete([KEY])
    assert open_catalog(store).scan_ids == ["a", "b", "c"]


def test_nothing_that_befalls_the_hint_changes_what_is_read_and_all_of_it_is_told(store: ObjectStore) -> None:
    whole, expected = store.get(LAST_CHECKPOINT), open_catalog(store).frame
    assert hint_problem(store, [2]) is None
    damaged = [whole[:stop] for stop in range(len(whole))]
    for at in range(8 * len(whole)):
        altered = bytearray(whole)
        altered[at // 8] ^= 1 << at % 8
        damaged.append(bytes(altered))
    for number, data in enumerate(damaged):
        store.put(LAST_CHECKPOINT, data)
        assert hint_problem(store, [2]) == (
            f"{store.url}/{LAST_CHECKPOINT} is damaged (it is the hint at no checkpoint here); "
            "remove it: the log's entries say all that it does"
        )
        if number % 20 == 0:
            assert open_catalog(store).frame.equals(expected)


def test_the_checkpoint_of_another_version_is_damaged(store: ObjectStore) -> None:
    store.put(checkpoint_key(1), store.get(KEY))
    with pytest.raises(CatalogCorrupt, match="altered, lost or moved"):
        open_catalog(store, 1)


def test_a_checkpoint_of_other_content_is_a_problem_of_the_catalog(store: ObjectStore, tmp_path: Path) -> None:
    assert [*catalog_problems(store)] == []
    other = open_store(str(tmp_path / "other"))
    for seed, name in enumerate("xyz"):
        committed(other, name, seed)
    write_checkpoint(other, 2)
    for key in (KEY, LAST_CHECKPOINT):
        store.put(key, other.get(key))
    assert [*catalog_problems(store)] == [f"{store.url}/{KEY} does not say what the entries of the log do; remove it"]
