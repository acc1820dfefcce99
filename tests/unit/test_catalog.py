from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from mist.errors import CatalogCorrupt, DatasetNotFound, InvalidRequest, ScanCorrupt, ScanNotFound, StoreError
from mist_storage.catalog import Catalog, CatalogRow, Label, commit_rows, open_catalog, publish_catalog, published_bytes
from mist_storage.scan_writer import StoredScan
from mist_storage.store import ObjectStore, open_store
from tests.stored_scan import catalog_row, memory_store, stored, tiny

Labels = Mapping[str, Label]


@pytest.fixture(scope="module")
def scan() -> StoredScan:
    """A scan, which the rows of these tests are all of, by other names."""
    return stored(tiny()).stored


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """A folder without a catalog, whose name has a space."""
    return open_store(str(tmp_path / "my data"))


def row(scan: StoredScan, scan_id: str, /, **labels: Label) -> CatalogRow:
    return dataclasses.replace(catalog_row(scan, labels), scan_id=scan_id)


@pytest.fixture
def cohort(store: ObjectStore, scan: StoredScan) -> Catalog:
    """Three scans with labels of every type."""
    rows = [
        row(scan, "a", age=71, dose=0.5, finding="nodule", smoker=True, **{"Patient Name": "x"}),
        row(scan, "b", age=44, dose=2.0, finding="it's clear", smoker=False),
        row(scan, "c", age=None, dose=None, finding=None, smoker=None),
    ]
    commit_rows(store.url, rows)
    return open_catalog(store)


def test_a_row_comes_back_as_it_was_committed(store: ObjectStore, scan: StoredScan) -> None:
    committed = row(scan, "a", age=71, dose=0.5, finding="ü", smoker=True)
    commit_rows(store.url, [committed])
    assert open_catalog(store).row("a") == committed


def test_scans_are_sorted_by_id(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [row(scan, "c"), row(scan, "a"), row(scan, "b")])
    assert open_catalog(store).scan_ids == ["a", "b", "c"]


def test_an_unknown_scan_is_not_found(cohort: Catalog) -> None:
    with pytest.raises(ScanNotFound, match="no scan is called 'nope' among the 3"):
        cohort.row("nope")
    assert "nope" not in cohort


def test_the_first_commit_is_version_0_and_each_further_one_is_one_more(store: ObjectStore, scan: StoredScan) -> None:
    assert [commit_rows(store.url, [row(scan, scan_id)]) for scan_id in "aba"] == [0, 1, 2]


def test_a_row_replaces_the_one_of_the_same_scan(store: ObjectStore, scan: StoredScan) -> None:
    for age in (1, 2):
        commit_rows(store.url, [row(scan, "a", age=age), row(scan, f"b{age}", age=age)])
    catalog = open_catalog(store)
    assert [(each, catalog.row(each).labels["age"]) for each in catalog.scan_ids] == [("a", 2), ("b1", 1), ("b2", 2)]


def test_a_row_without_a_label_replaces_one_with_it(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [row(scan, "a", age=1)])
    commit_rows(store.url, [row(scan, "a")])
    assert open_catalog(store).row("a").labels == {"age": None}


def test_a_scan_that_is_committed_twice_at_once_is_one_row(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [row(scan, "a", age=1), row(scan, "a", age=2)])
    commit_rows(store.url, [row(scan, "a", age=3), row(scan, "a", age=4)])
    catalog = open_catalog(store)
    assert (len(catalog), catalog.row("a").labels) == (1, {"age": 4})


def test_a_commit_of_nothing_makes_an_empty_dataset(store: ObjectStore) -> None:
    assert (commit_rows(store.url, []), len(open_catalog(store))) == (0, 0)


def test_a_commit_of_nothing_changes_nothing(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [row(scan, "a")])
    assert commit_rows(store.url, []) == 0


def test_a_version_can_be_read_again(store: ObjectStore, scan: StoredScan) -> None:
    for scan_id in "abc":
        commit_rows(store.url, [row(scan, scan_id)])
    assert [open_catalog(store, version).scan_ids for version in (0, 1, 2)] == [["a"], ["a", "b"], ["a", "b", "c"]]


@pytest.mark.parametrize("version", [-1, 1, 99])
def test_a_version_that_there_is_not_is_not_found(store: ObjectStore, scan: StoredScan, version: int) -> None:
    commit_rows(store.url, [row(scan, "a")])
    with pytest.raises(DatasetNotFound, match="has versions 0 to 0"):
        open_catalog(store, version)


def test_a_label_column_may_appear_later(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [row(scan, "a", age=None)])
    commit_rows(store.url, [row(scan, "b", age=0.5)])
    assert [open_catalog(store).row(each).labels for each in "ab"] == [{"age": None}, {"age": 0.5}]


@pytest.mark.parametrize(("first", "second"), [(1, 2.0), (0.5, 2), (1, None)])
def test_numbers_that_fit_the_column_are_taken(
    store: ObjectStore, scan: StoredScan, first: Label, second: Label
) -> None:
    commit_rows(store.url, [row(scan, "a", value=first)])
    commit_rows(store.url, [row(scan, "b", value=second)])
    assert open_catalog(store).row("b").labels["value"] == second


@pytest.mark.parametrize(
    ("first", "second"),
    [(1, "x"), ("x", 1), (1, 2.5), (True, 1), (1, True), (0.5, True), ("x", True), (0.5, 2**60 + 1)],
)
def test_a_label_of_another_type_is_refused(store: ObjectStore, scan: StoredScan, first: Label, second: Label) -> None:
    commit_rows(store.url, [row(scan, "a", value=first)])
    with pytest.raises(InvalidRequest, match=r"label column 'value' holds .* in this dataset, not"):
        commit_rows(store.url, [row(scan, "b", value=second)])
    assert open_catalog(store).scan_ids == ["a"]


def test_whole_numbers_beside_others_are_numbers(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [row(scan, "a", dose=1), row(scan, "b", dose=2.5)])
    assert [open_catalog(store).row(each).labels["dose"] for each in "ab"] == [1.0, 2.5]


@pytest.mark.parametrize("values", [(1, "x"), (True, 1), (True, 0.5), ("x", 0.5)])
def test_labels_of_contradictory_types_are_refused(
    store: ObjectStore, scan: StoredScan, values: tuple[Label, Label]
) -> None:
    with pytest.raises(InvalidRequest, match="label column 'value' mixes"):
        commit_rows(store.url, [row(scan, "a", value=values[0]), row(scan, "b", value=values[1])])


@pytest.mark.parametrize("value", [2**63, -(2**70)])
def test_a_number_beyond_64_bits_is_refused(store: ObjectStore, scan: StoredScan, value: int) -> None:
    with pytest.raises(InvalidRequest, match="label column 'value' holds a number that 64 bits cannot"):
        commit_rows(store.url, [row(scan, "a", value=value)])


@pytest.mark.parametrize("name", ["scan_id", "digest", "shape", "header", "Scan_ID"])
def test_a_label_with_the_name_of_an_own_column_is_refused(store: ObjectStore, scan: StoredScan, name: str) -> None:
    with pytest.raises(InvalidRequest, match="rename it"):
        commit_rows(store.url, [row(scan, "a", **{name: "x"})])


@pytest.mark.parametrize("name", ["", " ", "a`b", "a\nb"])
def test_a_label_with_a_name_that_no_column_can_have_is_refused(
    store: ObjectStore, scan: StoredScan, name: str
) -> None:
    with pytest.raises(InvalidRequest, match="rename it"):
        commit_rows(store.url, [row(scan, "a", **{name: "x"})])


def test_labels_that_differ_in_case_alone_are_refused(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [row(scan, "a", age=1)])
    for labels in ({"Age": 2}, {"age": 2, "AGE": 3}):
        with pytest.raises(InvalidRequest, match="rename it"):
            commit_rows(store.url, [row(scan, "b", **labels)])


@pytest.mark.parametrize("name", ["Patient Age", "a.b", 'q"uote', "ü", "select", "a'b", "a,b;{}()=", "x -- y"])
def test_a_label_may_have_the_name_of_any_csv_column(store: ObjectStore, scan: StoredScan, name: str) -> None:
    for scan_id in "ab":
        commit_rows(store.url, [row(scan, scan_id, **{name: scan_id})])
    catalog = open_catalog(store)
    assert [catalog.row(each).labels for each in "ab"] == [{name: "a"}, {name: "b"}]
    quoted = name.replace('"', '""')
    assert catalog.where(f"\"{quoted}\" = 'b'").scan_ids == ["b"]


@pytest.mark.parametrize(
    ("condition", "scan_ids"),
    [
        ("age > 60", ["a"]),
        ("age IS NULL", ["c"]),
        ("smoker", ["a"]),
        ("NOT smoker AND dose >= 2", ["b"]),
        ("finding = 'it''s clear'", ["b"]),
        ("finding LIKE 'nod%'", ["a"]),
        ("\"Patient Name\" = 'x'", ["a"]),
        ("modality = 'CT' AND scan_id IN ('a', 'c', 'nope')", ["a", "c"]),
        ("shape[2] = 20", ["a", "b", "c"]),
        ("TRUE", ["a", "b", "c"]),
        ("age < 0", []),
    ],
)
def test_a_condition_chooses_scans(cohort: Catalog, condition: str, scan_ids: list[str]) -> None:
    chosen = cohort.where(condition)
    assert (chosen.scan_ids, chosen.version) == (scan_ids, cohort.version)


@pytest.mark.parametrize(
    "condition", ["", "age", "age >", "nope = 1", "age = 'x'", "AGE > 1", "finding ~ '('", "1 2", "(" * 150]
)
def test_what_is_no_condition_over_the_columns_is_refused_in_one_line(cohort: Catalog, condition: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        cohort.where(condition)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "condition",
    [
        "age IN (SELECT a FROM read_csv('{file}'))",
        "age = 1 /* ' */ OR age IN (SELECT * FROM read_csv('{file}')) /* ' */",
        "age = E'\\' OR age IN (SELECT a FROM read_csv(''{file}'')) --'",
        "\"read_csv\"('{file}') = 1",
    ],
)
@pytest.mark.parametrize("exists", [False, True])
def test_a_condition_reads_no_file(cohort: Catalog, tmp_path: Path, condition: str, *, exists: bool) -> None:
    file = tmp_path / "secret.csv"
    if exists:
        file.write_text("a\n71\n")
    with pytest.raises(InvalidRequest) as failure:
        cohort.where(condition.format(file=file))
    assert "No such file" not in str(failure.value)


@pytest.mark.parametrize("condition", ["smoker" + " AND smoker" * 99, "finding" + " || 'x'" * 190 + " IS NOT NULL"])
def test_the_longest_condition_is_answered(cohort: Catalog, condition: str) -> None:
    assert "a" in cohort.where(condition)


def test_a_condition_may_list_thousands_of_scans(cohort: Catalog) -> None:
    listed = ", ".join(f"'{number}'" for number in range(5000))
    assert cohort.where(f"scan_id IN ({listed}, 'b')").scan_ids == ["b"]


def test_a_published_catalog_is_the_same(cohort: Catalog) -> None:
    store = open_store(memory_store().url)
    publish_catalog(store, cohort)
    published = open_catalog(store)
    assert published.frame.equals(cohort.frame)
    assert published.version == cohort.version


def test_a_published_catalog_has_one_version(cohort: Catalog) -> None:
    store = open_store(memory_store().url)
    publish_catalog(store, cohort)
    assert open_catalog(store, cohort.version).scan_ids == cohort.scan_ids
    with pytest.raises(DatasetNotFound, match="published in version 0 alone, not 7"):
        open_catalog(store, 7)


def test_a_folder_without_a_table_may_hold_a_published_catalog(
    store: ObjectStore, scan: StoredScan, tmp_path: Path
) -> None:
    commit_rows(store.url, [row(scan, "a")])
    other = open_store(str(tmp_path / "copy"))
    publish_catalog(other, open_catalog(store))
    assert open_catalog(other).scan_ids == ["a"]


@pytest.mark.parametrize("data", [b"", b"PAR1", b"nonsense" * 100])
def test_a_published_file_that_is_no_catalog_is_an_error(data: bytes) -> None:
    store = open_store(memory_store().url)
    store.put("catalog.parquet", data)
    with pytest.raises(CatalogCorrupt, match=r"/catalog\.parquet is damaged \(.+\); publish the dataset again"):
        open_catalog(store)


def test_a_published_file_without_the_columns_is_an_error(cohort: Catalog) -> None:
    store = open_store(memory_store().url)
    store.put("catalog.parquet", published_bytes(Catalog(cohort.frame.drop("header"), 0)))
    with pytest.raises(CatalogCorrupt, match=r"/catalog\.parquet is damaged \(.+\); publish the dataset again"):
        open_catalog(store)


@pytest.mark.parametrize("url", ["memory://x", "https://host/x", "http://host/x"])
def test_an_address_that_cannot_be_committed_to_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="a dataset is written to file:// or s3://"):
        commit_rows(url, [])


def test_reading_a_folder_without_a_catalog_finds_none_and_creates_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetNotFound, match="there is no dataset here"):
        open_catalog(open_store(str(tmp_path / "empty")))
    with pytest.raises(DatasetNotFound, match="there is no dataset here"):
        open_catalog(open_store(str(tmp_path / "absent")))
    assert list(tmp_path.rglob("*")) == [tmp_path / "empty"]


def damaged(tmp_path: Path, scan: StoredScan, pattern: str, data: bytes | None) -> ObjectStore:
    """A dataset of three commits in which the middle one of the files of `pattern` is deleted or replaced."""
    store = open_store(str(tmp_path / "damaged"))
    for scan_id in "abc":
        commit_rows(store.url, [row(scan, scan_id)])
    file = sorted((tmp_path / "damaged" / "catalog").glob(pattern))[1]
    if data is None:
        file.unlink()
    else:
        file.write_bytes(data)
    return store


@pytest.mark.parametrize("pattern", ["_delta_log/*.json", "*.parquet"])
@pytest.mark.parametrize("data", [None, b"nonsense"])
def test_a_damaged_table_is_an_error_and_no_smaller_dataset(
    tmp_path: Path, scan: StoredScan, pattern: str, data: bytes | None
) -> None:
    with pytest.raises(StoreError) as failure:
        open_catalog(damaged(tmp_path, scan, pattern, data))
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("change", [("0.0,", "0.5,"), ("13/7", "5/3"), ("{", "")])
def test_a_header_that_does_not_fit_its_digest_is_corrupt(cohort: Catalog, change: tuple[str, str]) -> None:
    header = pl.col("header").str.replace(change[0], change[1], literal=True)
    with pytest.raises(ScanCorrupt, match="scan 'a': its catalog row"):
        Catalog(cohort.frame.with_columns(header), 0).row("a")
