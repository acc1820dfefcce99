from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mist.errors import InvalidRequest, ScanConflict
from mist_storage.catalog import Label, open_catalog
from mist_storage.catalog_commit import commit_rows
from mist_storage.scan_writer import StoredScan
from mist_storage.store import ObjectStore, open_store
from tests.stored_scan import named_row, stored, tiny


@pytest.fixture(scope="module")
def scan() -> StoredScan:
    """A scan, which the rows of these tests are all of, by other names."""
    return stored(tiny()).stored


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """A folder without a catalog, whose name has a space."""
    return open_store(str(tmp_path / "my data"))


def test_a_row_comes_back_as_it_was_committed(store: ObjectStore, scan: StoredScan) -> None:
    committed = named_row(scan, "a", age=71, dose=0.5, finding="ü", smoker=True)
    commit_rows(store.url, [committed])
    assert open_catalog(store).row("a") == committed


def test_the_first_commit_is_version_0_and_each_further_one_is_one_more(store: ObjectStore, scan: StoredScan) -> None:
    assert [commit_rows(store.url, [named_row(scan, scan_id)]) for scan_id in "aba"] == [0, 1, 2]


def test_a_row_replaces_the_one_of_the_same_scan(store: ObjectStore, scan: StoredScan) -> None:
    for age in (1, 2):
        commit_rows(store.url, [named_row(scan, "a", age=age), named_row(scan, f"b{age}", age=age)])
    catalog = open_catalog(store)
    assert [(each, catalog.row(each).labels["age"]) for each in catalog.scan_ids] == [("a", 2), ("b1", 1), ("b2", 2)]


def test_a_row_without_a_label_replaces_one_with_it(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [named_row(scan, "a", age=1)])
    commit_rows(store.url, [named_row(scan, "a")])
    assert open_catalog(store).row("a").labels == {"age": None}


def test_a_scan_that_is_committed_twice_at_once_is_one_row(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [named_row(scan, "a", age=1), named_row(scan, "a", age=2)])
    commit_rows(store.url, [named_row(scan, "a", age=3), named_row(scan, "a", age=4)])
    catalog = open_catalog(store)
    assert (len(catalog), catalog.row("a").labels) == (1, {"age": 4})


def test_a_commit_of_nothing_makes_an_empty_dataset(store: ObjectStore) -> None:
    assert (commit_rows(store.url, []), len(open_catalog(store))) == (0, 0)


def test_a_commit_of_nothing_changes_nothing(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [named_row(scan, "a")])
    assert commit_rows(store.url, []) == 0


def test_a_label_column_may_appear_later(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [named_row(scan, "a", age=None)])
    commit_rows(store.url, [named_row(scan, "b", age=0.5)])
    assert [open_catalog(store).row(each).labels for each in "ab"] == [{"age": None}, {"age": 0.5}]


@pytest.mark.parametrize(("first", "second"), [(1, 2.0), (0.5, 2), (1, None)])
def test_numbers_that_fit_the_column_are_taken(
    store: ObjectStore, scan: StoredScan, first: Label, second: Label
) -> None:
    commit_rows(store.url, [named_row(scan, "a", value=first)])
    commit_rows(store.url, [named_row(scan, "b", value=second)])
    assert open_catalog(store).row("b").labels["value"] == second


@pytest.mark.parametrize(
    ("first", "second"),
    [(1, "x"), ("x", 1), (1, 2.5), (True, 1), (1, True), (0.5, True), ("x", True), (0.5, 2**60 + 1)],
)
def test_a_label_of_another_type_is_refused(store: ObjectStore, scan: StoredScan, first: Label, second: Label) -> None:
    commit_rows(store.url, [named_row(scan, "a", value=first)])
    with pytest.raises(InvalidRequest, match=r"label column 'value' holds .* in this dataset, not"):
        commit_rows(store.url, [named_row(scan, "b", value=second)])
    assert open_catalog(store).scan_ids == ["a"]


def test_whole_numbers_beside_others_are_numbers(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [named_row(scan, "a", dose=1), named_row(scan, "b", dose=2.5)])
    assert [open_catalog(store).row(each).labels["dose"] for each in "ab"] == [1.0, 2.5]


@pytest.mark.parametrize("values", [(1, "x"), (True, 1), (True, 0.5), ("x", 0.5)])
def test_labels_of_contradictory_types_are_refused(
    store: ObjectStore, scan: StoredScan, values: tuple[Label, Label]
) -> None:
    with pytest.raises(InvalidRequest, match="label column 'value' mixes"):
        commit_rows(store.url, [named_row(scan, "a", value=values[0]), named_row(scan, "b", value=values[1])])


@pytest.mark.parametrize("value", [2**63, -(2**70)])
def test_a_number_beyond_64_bits_is_refused(store: ObjectStore, scan: StoredScan, value: int) -> None:
    with pytest.raises(InvalidRequest, match="label column 'value' holds a number that 64 bits cannot"):
        commit_rows(store.url, [named_row(scan, "a", value=value)])


@pytest.mark.parametrize("name", ["scan_id", "digest", "shape", "header", "Scan_ID"])
def test_a_label_with_the_name_of_an_own_column_is_refused(store: ObjectStore, scan: StoredScan, name: str) -> None:
    with pytest.raises(InvalidRequest, match="rename it"):
        commit_rows(store.url, [named_row(scan, "a", **{name: "x"})])


@pytest.mark.parametrize("name", ["", " ", "a`b", "a\nb"])
def test_a_label_with_a_name_that_no_column_can_have_is_refused(
    store: ObjectStore, scan: StoredScan, name: str
) -> None:
    with pytest.raises(InvalidRequest, match="rename it"):
        commit_rows(store.url, [named_row(scan, "a", **{name: "x"})])


def test_labels_that_differ_in_case_alone_are_refused(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [named_row(scan, "a", age=1)])
    for labels in ({"Age": 2}, {"age": 2, "AGE": 3}):
        with pytest.raises(InvalidRequest, match="rename it"):
            commit_rows(store.url, [named_row(scan, "b", **labels)])


@pytest.mark.parametrize("name", ["Patient Age", "a.b", 'q"uote', "ü", "select", "a'b", "a,b;{}()=", "x -- y"])
def test_a_label_may_have_the_name_of_any_csv_column(store: ObjectStore, scan: StoredScan, name: str) -> None:
    for scan_id in "ab":
        commit_rows(store.url, [named_row(scan, scan_id, **{name: scan_id})])
    catalog = open_catalog(store)
    assert [catalog.row(each).labels for each in "ab"] == [{name: "a"}, {name: "b"}]
    quoted = name.replace('"', '""')
    assert catalog.where(f"\"{quoted}\" = 'b'").scan_ids == ["b"]


def test_a_scan_that_others_made_of_other_files_meanwhile_is_not_replaced(store: ObjectStore, scan: StoredScan) -> None:
    theirs, ours = (replace(named_row(scan, "a"), source_sha256=digit * 64) for digit in "12")
    commit_rows(store.url, [theirs])
    for known in ({}, {"a": "3" * 64}):
        with pytest.raises(ScanConflict, match="another writer has just stored scan 'a' from other content"):
            commit_rows(store.url, [named_row(scan, "b"), ours], known)
    assert open_catalog(store).scan_ids == ["a"]
    assert open_catalog(store).row("a") == theirs


@pytest.mark.parametrize("known", [None, {"a": "1" * 64}])
def test_a_scan_that_was_known_may_be_replaced(
    store: ObjectStore, scan: StoredScan, known: dict[str, str] | None
) -> None:
    theirs, ours = (replace(named_row(scan, "a"), source_sha256=digit * 64) for digit in "12")
    commit_rows(store.url, [theirs])
    commit_rows(store.url, [ours], known)
    assert open_catalog(store).row("a") == ours


@pytest.mark.parametrize("url", ["memory://x", "https://host/x", "http://host/x"])
def test_an_address_that_cannot_be_committed_to_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="a dataset is written to file:// or s3://"):
        commit_rows(url, [])
