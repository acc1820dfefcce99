from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from mist.errors import CatalogCorrupt, DatasetNotFound, InvalidRequest, ScanCorrupt, ScanNotFound, StoreError
from mist_storage.catalog import Catalog, commit_rows, open_catalog, publish_catalog, published_bytes
from mist_storage.scan_writer import StoredScan
from mist_storage.store import ObjectStore, open_store
from tests.stored_scan import memory_store, named_row, stored, tiny


@pytest.fixture(scope="module")
def scan() -> StoredScan:
    """A scan, which the rows of these tests are all of, by other names."""
    return stored(tiny()).stored


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """A folder without a catalog, whose name has a space."""
    return open_store(str(tmp_path / "my data"))


@pytest.fixture
def cohort(store: ObjectStore, scan: StoredScan) -> Catalog:
    """Three scans with labels of every type."""
    rows = [
        named_row(scan, "a", age=71, dose=0.5, finding="nodule", smoker=True, **{"Patient Name": "x"}),
        named_row(scan, "b", age=44, dose=2.0, finding="it's clear", smoker=False),
        named_row(scan, "c", age=None, dose=None, finding=None, smoker=None),
    ]
    commit_rows(store.url, rows)
    return open_catalog(store)


def test_scans_are_sorted_by_id(store: ObjectStore, scan: StoredScan) -> None:
    commit_rows(store.url, [named_row(scan, "c"), named_row(scan, "a"), named_row(scan, "b")])
    assert open_catalog(store).scan_ids == ["a", "b", "c"]


def test_an_unknown_scan_is_not_found(cohort: Catalog) -> None:
    with pytest.raises(ScanNotFound, match="no scan is called 'nope' among the 3"):
        cohort.row("nope")
    assert "nope" not in cohort


def test_a_version_can_be_read_again(store: ObjectStore, scan: StoredScan) -> None:
    for scan_id in "abc":
        commit_rows(store.url, [named_row(scan, scan_id)])
    assert [open_catalog(store, version).scan_ids for version in (0, 1, 2)] == [["a"], ["a", "b"], ["a", "b", "c"]]


@pytest.mark.parametrize("version", [-1, 1, 99])
def test_a_version_that_there_is_not_is_not_found(store: ObjectStore, scan: StoredScan, version: int) -> None:
    commit_rows(store.url, [named_row(scan, "a")])
    with pytest.raises(DatasetNotFound, match="has versions 0 to 0"):
        open_catalog(store, version)


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
    commit_rows(store.url, [named_row(scan, "a")])
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
        commit_rows(store.url, [named_row(scan, scan_id)])
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
