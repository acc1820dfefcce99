"""A file of the catalog that is cut short or altered: the same error from whatever reads it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mist.errors import CatalogCorrupt
from mist_storage.catalog import open_catalog, publish_catalog, published_version
from mist_storage.catalog_check import catalog_problems
from mist_storage.delta_log import read_log
from mist_storage.history import history
from mist_storage.store import ObjectStore, open_store
from mist_storage.withdrawal import carry_out, plan_withdrawal
from tests.stored_scan import committed

ENTRY = "catalog/_delta_log/00000000000000000001.json"


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """A dataset of two versions, published."""
    store = open_store(str(tmp_path / "dataset"))
    for seed, name in enumerate("ab"):
        committed(store, name, seed, {"age": seed})
    publish_catalog(store, open_catalog(store))
    return store


def damaged(data: bytes) -> Iterator[bytes]:
    """`data` cut short at several places, with flipped bits, emptied of some bytes, and what is something else."""
    generator = np.random.default_rng(0)
    yield from (data[: len(data) * part // 12] for part in range(12))
    yield from (data[:-1], data[:-4], data[:-8], data[1:])
    yield from (b"nonsense" * 30, b"<html>502</html>", generator.bytes(len(data)), b"PAR1\xff\xff\xff\x7fPAR1")
    for _ in range(30):
        at = int(generator.integers(len(data)))
        yield data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def fails(use: Callable[[], object], beginning: str, remedy: str) -> None:
    with pytest.raises(CatalogCorrupt) as failure:
        use()
    said = str(failure.value)
    assert said.startswith(beginning)
    assert remedy in said
    assert "\n" not in said


def test_damage_to_the_published_catalog_is_found_by_every_reader(store: ObjectStore, tmp_path: Path) -> None:
    published = open_store(str(tmp_path / "published"))
    for data in damaged(store.get("catalog.parquet")):
        published.put("catalog.parquet", data)
        for use in (lambda: open_catalog(published), lambda: published_version(published)):
            fails(use, f"{published.url}/catalog.parquet is damaged (", "publish the dataset again")


def test_damage_to_a_file_of_rows_is_found_by_every_reader(store: ObjectStore) -> None:
    key = next(key for key, _ in store.list("catalog") if key.endswith(".parquet"))
    for data in damaged(store.get(key)):
        store.put(key, data)
        for use in (lambda: open_catalog(store), lambda: plan_withdrawal(store, ["a"], "who", "why")):
            fails(use, f"{store.url}/{key} is damaged (", "restore catalog/ from a copy")


@pytest.mark.parametrize("share", [0, 1, 2, 3, 5, 7, 9, 10, 11])
def test_a_log_entry_that_is_cut_short_is_named_by_every_reader(store: ObjectStore, share: int) -> None:
    data = store.get(ENTRY)
    store.put(ENTRY, data[: len(data) * share // 12])
    for use in (lambda: open_catalog(store), lambda: history(store), lambda: plan_withdrawal(store, ["a"], "", "")):
        fails(use, f"{store.url}/{ENTRY} is no entry of a log (", "restore catalog/ from a copy")


@pytest.mark.parametrize(
    "data", [b"nonsense", b"[]", b'{"add": 3}', b'{"add": {}}', b'{"add": {"path": 3}}', b"\xff\xfe"]
)
def test_a_log_entry_of_something_else_is_named_by_every_reader(store: ObjectStore, data: bytes) -> None:
    store.put(ENTRY, data)
    for use in (lambda: open_catalog(store), lambda: history(store)):
        fails(use, f"{store.url}/{ENTRY} is no entry of a log (", "restore catalog/ from a copy")


def test_a_published_catalog_is_read_where_the_log_is_gone_for_good(store: ObjectStore, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "dataset" / "catalog")
    assert open_catalog(store).scan_ids == ["a", "b"]


def test_a_dataset_that_another_program_wrote_to_is_refused(store: ObjectStore, tmp_path: Path) -> None:
    table = pl.read_delta(str(tmp_path / "dataset" / "catalog"))
    table.with_columns(scan_id=pl.lit("z")).write_delta(str(tmp_path / "dataset" / "catalog"), mode="append")
    with pytest.raises(CatalogCorrupt, match=r"00002\.json is no entry of a log \(.* do not begin with a digest"):
        open_catalog(store)


def test_entries_that_changed_places_are_found(store: ObjectStore) -> None:
    first, second = (f"catalog/_delta_log/{version:020}.json" for version in range(2))
    one, other = store.get(first), store.get(second)
    store.put(first, other)
    store.put(second, one)
    with pytest.raises(CatalogCorrupt, match="do not fit their digest: some were altered, lost or moved"):
        open_catalog(store)


def test_files_of_rows_that_changed_places_are_found(store: ObjectStore) -> None:
    first, second = (key for key, _ in store.list("catalog") if key.endswith(".parquet"))
    one, other = store.get(first), store.get(second)
    store.put(first, other)
    store.put(second, one)
    with pytest.raises(CatalogCorrupt, match="do not fit their digest: some were altered, lost or moved"):
        open_catalog(store)


def test_a_withdrawal_makes_digests_anew(store: ObjectStore) -> None:
    before = store.get(ENTRY)
    carry_out(store, plan_withdrawal(store, ["b"], "who", "why"))
    assert store.get(ENTRY) != before
    assert [*catalog_problems(store)] == []


def test_damage_to_what_old_versions_alone_have_is_told_all_at_once(store: ObjectStore) -> None:
    committed(store, "a", 5)
    committed(store, "b", 6)
    old = [f"catalog/{name}" for entry in read_log(store)[:2] for name in entry.added]
    for key in old:
        store.put(key, store.get(key)[:-1])
    store.put("catalog.parquet", b"nonsense")
    assert open_catalog(store).scan_ids == ["a", "b"]
    problems = [*catalog_problems(store)]
    assert [problem.split(" is damaged", 1)[0] for problem in problems] == [
        f"{store.url}/{key}" for key in [*sorted(old), "catalog.parquet"]
    ]


def test_all_damaged_entries_are_told_at_once(store: ObjectStore) -> None:
    for version in range(2):
        store.put(f"catalog/_delta_log/{version:020}.json", b"{}")
    assert len([*catalog_problems(store)]) == 2


def test_a_log_with_a_gap_is_a_problem_of_the_catalog(store: ObjectStore) -> None:
    store.delete([ENTRY.replace("1.json", "0.json")])
    (problem,) = catalog_problems(store)
    assert "lacks version 0" in problem
