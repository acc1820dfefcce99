from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mist.errors import DatasetNotFound, InvalidRequest, ScanNotFound, StoreUnavailable
from mist.server.settings import ServerSettings
from mist.server.shelf import Shelf, parse_name
from mist_storage.catalog import commit_rows
from tests.server_dataset import SmallDataset, make_dataset


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallDataset:
    return make_dataset(tmp_path_factory.mktemp("datasets"))


@pytest.fixture
def copied(small: SmallDataset, tmp_path: Path) -> SmallDataset:
    shutil.copytree(small.root, tmp_path / "root")
    return replace(small, root=tmp_path / "root")


def shelf_of(root: Path, clock: Clock | None = None, **settings: int) -> Shelf:
    return Shelf(str(root), ServerSettings(**settings), clock or Clock())


def add_scan(dataset: SmallDataset, scan_id: str) -> int:
    """A further row; what it names need not be stored for its catalog to be read."""
    return commit_rows(str(dataset.folder), [replace(dataset.rows["cine"], scan_id=scan_id)])


def test_every_folder_with_a_catalog_is_a_dataset(small: SmallDataset, tmp_path: Path) -> None:
    shutil.copytree(small.folder, tmp_path / "b")
    shutil.copytree(small.folder, tmp_path / "a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no dataset")
    assert shelf_of(tmp_path).root.names() == ["a", "b"]


def test_a_root_that_is_a_dataset_goes_by_its_own_name(small: SmallDataset) -> None:
    shelf = shelf_of(small.folder)
    assert shelf.root.names() == ["small"]
    assert len(shelf.dataset("small").catalog) == len(small.rows)


def test_what_lies_below_a_dataset_is_no_dataset(small: SmallDataset) -> None:
    with pytest.raises(DatasetNotFound, match="'scans'"):
        shelf_of(small.folder).dataset("scans")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../small", "small/", "./small", "sm all", "%2e%2e", "small\0", "-x", "x" * 300]
)
def test_a_name_that_is_not_plain_is_not_found(small: SmallDataset, name: str) -> None:
    with pytest.raises(DatasetNotFound):
        shelf_of(small.root).dataset(name)


def test_asking_for_what_is_not_there_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound):
        shelf_of(tmp_path).dataset("nothing")
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_is_not_there_is_the_stores_failure(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        shelf_of(tmp_path / "gone").root.names()
    assert not (tmp_path / "gone").exists()


def test_a_new_scan_is_seen_when_the_catalog_has_grown_old(copied: SmallDataset) -> None:
    clock = Clock()
    shelf = shelf_of(copied.root, clock)
    before = len(shelf.dataset("small").catalog)
    add_scan(copied, "new")
    assert len(shelf.dataset("small").catalog) == before
    clock.now = 3.0
    assert len(shelf.dataset("small").catalog) == before + 1


def test_a_dataset_that_has_not_changed_is_the_same_object(small: SmallDataset) -> None:
    clock = Clock()
    shelf = shelf_of(small.root, clock)
    before = shelf.dataset("small")
    clock.now = 3.0
    assert shelf.dataset("small") is before


def test_a_pinned_version_stays_as_it_was(copied: SmallDataset) -> None:
    add_scan(copied, "new")
    shelf = shelf_of(copied.root)
    assert [("new" in shelf.dataset(name).catalog) for name in ("small@0", "small@1", "small")] == [False, True, True]


def test_a_version_that_is_not_there_is_not_found(small: SmallDataset) -> None:
    with pytest.raises(DatasetNotFound, match="'small' has versions 0 to 0, not 7"):
        shelf_of(small.root).dataset("small@7")


@pytest.mark.parametrize("name", ["a@", "a@x", "a@-1", "a@1@2", "a@1.0", "a@99999999999999999999"])
def test_a_version_that_is_no_number_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="a version is a whole number"):
        parse_name(name)


def test_the_least_recently_used_dataset_is_closed(copied: SmallDataset) -> None:
    shutil.copytree(copied.folder, copied.root / "other")
    shelf = shelf_of(copied.root, max_open_datasets=1)
    before = shelf.dataset("small")
    shelf.dataset("other")
    assert shelf.dataset("small") is not before


def test_a_dataset_that_was_removed_is_not_found_any_more(copied: SmallDataset) -> None:
    clock = Clock()
    shelf = shelf_of(copied.root, clock)
    shelf.dataset("small")
    shutil.rmtree(copied.folder)
    clock.now = 3.0
    with pytest.raises(DatasetNotFound):
        shelf.dataset("small")


def test_a_scan_that_the_version_lacks_is_not_found(small: SmallDataset) -> None:
    with pytest.raises(ScanNotFound, match="'nobody'"):
        shelf_of(small.root).dataset("small").row("nobody")


@pytest.mark.parametrize("setting", ["cache_bytes", "worker_threads", "max_response_bytes"])
def test_a_setting_of_nothing_is_refused(setting: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{setting} must be above 0"):
        ServerSettings(**{setting: 0})
