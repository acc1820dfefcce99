from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from mist.errors import DatasetNotFound, InvalidRequest, ScanNotFound
from mist.request import Request
from mist_storage.catalog import commit_rows, open_catalog, publish_catalog
from mist_storage.dataset import open_dataset, split_version
from mist_storage.prefix_cache import PrefixCache
from mist_storage.store import open_store
from tests.stored_scan import ScanAtRest, catalog_row, memory_store, stored, tiny


@pytest.fixture
def scans(tmp_path: Path) -> list[ScanAtRest]:
    """Two scans, committed one after the other to a folder whose name takes some encoding."""
    store = open_store(str(tmp_path / "my data, ü 100%"))
    scans = [stored(tiny(seed), f"scan-{seed}", store) for seed in range(2)]
    for scan in scans:
        commit_rows(store.url, [catalog_row(scan.stored)])
    return scans


def test_a_dataset_opens_by_its_path_and_by_its_address(scans: list[ScanAtRest], tmp_path: Path) -> None:
    for url in (str(tmp_path / "my data, ü 100%"), f"file://{tmp_path}/my data, ü 100%25/", scans[0].store.url):
        dataset = open_dataset(url)
        assert (dataset.url, dataset.catalog.scan_ids) == (scans[0].store.url, ["scan-0", "scan-1"])


def test_a_dataset_lies_in_its_folder_and_nowhere_else(scans: list[ScanAtRest], tmp_path: Path) -> None:
    folder = tmp_path / "my data, ü 100%"
    assert sorted(each.name for each in folder.iterdir()) == ["catalog", "scans"]
    assert list(tmp_path.iterdir()) == [folder]
    assert len(scans) == 2


def test_a_scan_is_read_through_its_dataset(scans: list[ScanAtRest]) -> None:
    voxels = open_dataset(scans[0].store.url).reader("scan-1").read(Request()).voxels
    np.testing.assert_array_equal(voxels, scans[1].volume.voxels)


def test_an_unknown_scan_is_not_found(scans: list[ScanAtRest]) -> None:
    with pytest.raises(ScanNotFound):
        open_dataset(scans[0].store.url).reader("nope")


def test_a_version_is_named_beside_or_in_the_address(scans: list[ScanAtRest]) -> None:
    url = scans[0].store.url
    for dataset in (open_dataset(f"{url}@0"), open_dataset(url, version=0)):
        assert (dataset.url, dataset.catalog.version, dataset.catalog.scan_ids) == (url, 0, ["scan-0"])


def test_a_version_is_named_once(scans: list[ScanAtRest]) -> None:
    with pytest.raises(InvalidRequest, match="give one of them"):
        open_dataset(f"{scans[0].store.url}@0", version=0)


def test_a_version_that_there_is_not_is_not_found(scans: list[ScanAtRest]) -> None:
    with pytest.raises(DatasetNotFound, match="has versions 0 to 1, not 7"):
        open_dataset(f"{scans[0].store.url}@7")


@pytest.mark.parametrize(
    ("url", "split"),
    [
        ("s3://bucket/cxr@12", ("s3://bucket/cxr", 12)),
        ("s3://bucket@3", ("s3://bucket", 3)),
        ("/data/cxr@0", ("/data/cxr", 0)),
        ("/data/cxr", ("/data/cxr", None)),
        ("/data/a@b", ("/data/a@b", None)),
        ("/data/@12", ("/data/@12", None)),
        ("/data/a@1/cxr", ("/data/a@1/cxr", None)),
    ],
)
def test_a_version_follows_the_last_at_sign(url: str, split: tuple[str, int | None]) -> None:
    assert split_version(url) == split


@pytest.mark.parametrize("name", ["absent", "empty", "file"])
def test_opening_what_is_no_dataset_finds_none_and_creates_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetNotFound):
        open_dataset(str(tmp_path / name))
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "empty", tmp_path / "file"]


def test_objects_without_a_row_are_no_dataset(tmp_path: Path) -> None:
    stored(tiny(), store=open_store(str(tmp_path)))
    with pytest.raises(DatasetNotFound, match="there is no dataset here"):
        open_dataset(str(tmp_path))


def test_a_dataset_in_memory_is_read_by_its_published_catalog(scans: list[ScanAtRest]) -> None:
    memory = memory_store()
    for key, _ in scans[0].store.list("scans"):
        memory.put(key, scans[0].store.get(key))
    publish_catalog(memory, open_catalog(open_store(scans[0].store.url)))
    voxels = open_dataset(memory.url).reader("scan-0").read(Request()).voxels
    np.testing.assert_array_equal(voxels, scans[0].volume.voxels)


def test_a_dataset_keeps_prefixes_where_it_is_told_to(scans: list[ScanAtRest]) -> None:
    dataset = open_dataset(scans[0].store.url, cache_bytes=1 << 20)
    assert isinstance(dataset.store, PrefixCache)
    dataset.reader("scan-0").read(Request())
    assert dataset.store.held_bytes == scans[0].stored.header.levels[0].end_byte


def test_a_pickled_dataset_reads_the_same(scans: list[ScanAtRest]) -> None:
    dataset = pickle.loads(pickle.dumps(open_dataset(scans[0].store.url, cache_bytes=1 << 20)))  # noqa: S301
    np.testing.assert_array_equal(dataset.reader("scan-0").read(Request()).voxels, scans[0].volume.voxels)
