from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import mist_client
from mist.errors import DatasetNotFound, InvalidRequest, ScanNotFound

Fetches = list[tuple[str, int, int]]
IMAGES = ["ct-0", "ct-1", "ct-2", "ct-3", "photo-0", "xr-0"]


def test_a_dataset_opens_alike_from_a_folder_from_memory_and_from_plain_web_hosting(url: str) -> None:
    dataset = mist_client.open(url)
    assert ([scan.id for scan in dataset], dataset.version) == (IMAGES, 1)


def test_a_plain_path_is_an_address(folder: Path) -> None:
    assert mist_client.open(str(folder)).url == folder.as_uri()


def test_opening_on_the_web_fetches_the_published_catalog_and_nothing_else(web: tuple[str, Fetches]) -> None:
    mist_client.open(web[0])
    assert {path for path, _, _ in web[1]} == {"/catalog.parquet"}


def test_going_through_a_dataset_fetches_nothing(counted: tuple[mist_client.Dataset, Fetches]) -> None:
    dataset, fetches = counted
    chosen = dataset.where("age > 50")
    _ = [(scan.shape, scan.levels, scan.labels, scan.mask, repr(scan)) for scan in chosen]
    assert fetches == []


def test_masks_are_parts_of_their_scans_and_not_counted(dataset: mist_client.Dataset) -> None:
    assert len(dataset) == len(IMAGES)


def test_a_mask_is_found_by_its_scan(dataset: mist_client.Dataset) -> None:
    mask = dataset["ct-0"].mask
    assert mask is not None
    assert mask.id == "ct-0-mask"


def test_a_mask_is_found_by_its_own_id(dataset: mist_client.Dataset) -> None:
    assert dataset["ct-0-mask"].dtype == "uint8"


def test_a_scan_without_a_mask_has_none(dataset: mist_client.Dataset) -> None:
    assert dataset["xr-0"].mask is None


def test_where_chooses_by_a_condition_over_labels_and_columns(dataset: mist_client.Dataset) -> None:
    chosen = dataset.where("modality = 'CT' AND age > 60")
    assert chosen.scan_ids == ("ct-0", "ct-2")


def test_conditions_add_up(dataset: mist_client.Dataset) -> None:
    chosen = dataset.where("split = 'train'").where("age < 70")
    assert chosen.scan_ids == ("ct-1", "ct-2")


def test_a_wrong_condition_is_refused_at_once(dataset: mist_client.Dataset) -> None:
    with pytest.raises(InvalidRequest, match="no_such_column"):
        dataset.where("no_such_column = 1")


def test_a_scan_that_was_not_chosen_is_not_found(dataset: mist_client.Dataset) -> None:
    chosen = dataset.where("split = 'test'")
    assert "ct-0" not in chosen
    with pytest.raises(ScanNotFound, match=r"'ct-0'.*split = 'test'"):
        _ = chosen["ct-0"]


def test_the_mask_of_a_scan_that_was_not_chosen_is_not_found(dataset: mist_client.Dataset) -> None:
    chosen = dataset.where("split = 'test'")
    assert ("ct-3-mask" in chosen, "ct-0-mask" in chosen) == (True, False)


def test_label_columns_are_told_from_the_catalogs_own(dataset: mist_client.Dataset) -> None:
    assert dataset.label_columns == ("age", "finding", "split")
    assert {"modality", "mask", "age"} <= set(dataset.columns)


def test_a_column_gives_the_values_of_the_chosen_scans(dataset: mist_client.Dataset) -> None:
    assert dataset.where("age > 60").column("finding") == ["nodule", "nodule"]


def test_a_column_that_is_not_there_is_refused_with_those_that_are(dataset: mist_client.Dataset) -> None:
    with pytest.raises(InvalidRequest, match="age, finding, split"):
        dataset.column("fnding")


def test_every_part_of_a_dataset_has_the_same_classes(dataset: mist_client.Dataset) -> None:
    assert dataset.where("split = 'test'").classes("finding") == ("clear", "effusion", "nodule")


def test_an_older_version_is_opened_by_number(folder: Path) -> None:
    assert len(mist_client.open(folder.as_uri(), version=0)) == 4


def test_an_address_may_name_the_version(folder: Path) -> None:
    assert mist_client.open(f"{folder.as_uri()}@0").version == 0


def test_a_folder_without_a_dataset_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match="no dataset here"):
        mist_client.open(str(tmp_path))


def test_a_dataset_pickles_in_less_than_a_kilobyte(dataset: mist_client.Dataset) -> None:
    assert len(pickle.dumps(dataset.where("age > 60"))) < 1024


def test_a_pickled_dataset_has_the_scans_of_its_version_though_the_dataset_went_on(copied: Path) -> None:
    dataset = mist_client.open(f"{copied.as_uri()}@0").where("age < 60")
    assert pickle.loads(pickle.dumps(dataset)).scan_ids == ("ct-1", "ct-3")  # noqa: S301 - made a line above
    assert pickle.loads(pickle.dumps(dataset)).version == 0  # noqa: S301 - as above


def test_an_unpickled_dataset_opens_when_first_needed(copied: Path) -> None:
    stored = pickle.dumps(mist_client.open(copied.as_uri()))
    copied.rename(copied.with_name("gone"))
    dataset = pickle.loads(stored)  # noqa: S301 - made two lines above
    with pytest.raises(DatasetNotFound, match="no such folder"):
        len(dataset)


def test_a_scan_pickles_without_voxels_and_reads_the_same(dataset: mist_client.Dataset) -> None:
    scan = dataset["ct-0"]
    voxels = scan.read().voxels
    stored = pickle.dumps(scan)
    assert len(stored) < 16 * 1024
    assert (pickle.loads(stored).read().voxels == voxels).all()  # noqa: S301 - made above


def test_datasets_and_scans_say_what_they_are(dataset: mist_client.Dataset) -> None:
    assert repr(dataset.where("age > 60")) == f"<Dataset {dataset.url}@1 where age > 60: 2 scans>"
    assert repr(dataset["ct-0"]) == "<Scan 'ct-0' zyx 40x96x80 int16 CT CHEST>"
