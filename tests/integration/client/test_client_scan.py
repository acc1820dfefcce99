from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import mist_client
from mist.errors import InvalidRequest, ScanCorrupt, StoreError
from mist_client.region import Region

Fetches = list[tuple[str, int, int]]
FieldOf = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]

TOLERANCE_HU = 3.0
"""Rounding in a few lifting steps; half a voxel of the finest level is worth 6 HU."""


def test_a_scan_tells_what_the_catalog_says(dataset: mist_client.Dataset) -> None:
    scan = dataset["ct-1"]
    told = (scan.id, scan.modality, scan.body_part, scan.axes, scan.shape, scan.dtype)
    assert told == ("ct-1", "CT", "CHEST", "zyx", (40, 96, 80), "int16")


def test_labels_are_a_mapping_that_cannot_be_changed(dataset: mist_client.Dataset) -> None:
    labels = dataset["ct-1"].labels
    assert labels == {"age": 44, "finding": "clear", "split": "train"}
    assert isinstance(labels, Mapping)
    with pytest.raises(TypeError):
        labels["age"] = 45  # type: ignore[index]


def test_levels_tell_shape_spacing_and_cost(dataset: mist_client.Dataset) -> None:
    first, second = dataset["ct-0"].levels[:2]
    assert (first.shape, second.shape) == ((40, 96, 80), (40, 48, 40))
    assert first.spacing_mm == pytest.approx((2.0, 1.0, 1.0))
    assert second.spacing_mm == pytest.approx((2.0, 2.0, 2.0))
    assert 0 < second.end_byte < first.end_byte


def test_the_uri_names_dataset_version_and_scan(dataset: mist_client.Dataset) -> None:
    assert dataset["ct-0"].uri == f"mist+{dataset.url}@1#ct-0"


def test_every_kind_of_address_gives_the_same_voxels(url: str, dataset: mist_client.Dataset) -> None:
    volume, expected = mist_client.open(url)["xr-0"].read(level=1), dataset["xr-0"].read(level=1)
    assert np.array_equal(volume.voxels, expected.voxels)
    assert np.array_equal(volume.affine, expected.affine)


def test_full_resolution_is_what_was_stored(dataset: mist_client.Dataset, value_at: FieldOf) -> None:
    volume = dataset["ct-0"].read()
    expected = np.rint((value_at(positions(volume)) + 1000) / 0.5)
    assert np.array_equal(volume.voxels, expected)


@pytest.mark.parametrize(
    "wanted",
    [
        {"level": 1},
        {"level": 2},
        {"size": 50},
        {"size": (33, 45)},
        {"spacing_mm": 1.7},
        {"max_bytes": 50_000},
    ],
    ids=str,
)
@pytest.mark.parametrize("region", [None, ((4, 36), (3, 81), slice(5, None))], ids=["whole", "region"])
def test_the_affine_is_true_at_every_resolution(
    dataset: mist_client.Dataset, value_at: FieldOf, wanted: dict[str, int], region: Region | None
) -> None:
    volume = dataset["ct-2"].read(**wanted, region=region)
    inner = tuple(slice(length // 4, -(length // 4) or None) for length in volume.voxels.shape)
    assert np.abs(volume.values() - value_at(positions(volume)))[inner].max() <= TOLERANCE_HU


def test_size_makes_the_shorter_side_exact(dataset: mist_client.Dataset) -> None:
    assert dataset["xr-0"].read(size=35).voxels.shape == (45, 35)


@pytest.mark.parametrize("level", [0, 1])
def test_a_region_is_the_crop_of_the_whole(dataset: mist_client.Dataset, level: int) -> None:
    scan = dataset["xr-0"]
    step = 2**level
    part = scan.read(level=level, region="20:60,8:48").voxels
    whole = scan.read(level=level).voxels
    assert np.array_equal(part, whole[20 // step : 60 // step, 8 // step : 48 // step])


def test_a_level_costs_one_fetch_of_its_prefix(counted: tuple[mist_client.Dataset, Fetches]) -> None:
    dataset, fetches = counted
    scan = dataset["ct-0"]
    scan.read(level=2)
    assert spans(fetches) == [(0, scan.levels[2].end_byte)]


def test_a_level_read_from_the_web_sends_its_prefix_and_nothing_more(web: tuple[str, Fetches]) -> None:
    scan = mist_client.open(web[0])["ct-0"]
    web[1].clear()
    scan.read(level=2)
    assert spans(web[1]) == [(0, scan.levels[2].end_byte)]


def test_refining_fetches_each_byte_once_and_in_order(counted: tuple[mist_client.Dataset, Fetches]) -> None:
    dataset, fetches = counted
    scan = dataset["ct-0"]
    for _ in scan.refine():
        pass
    ends = [level.end_byte for level in reversed(scan.levels)]
    assert spans(fetches) == list(pairwise([0, *ends]))


def test_refining_fetches_a_level_only_when_it_is_asked_for(counted: tuple[mist_client.Dataset, Fetches]) -> None:
    dataset, fetches = counted
    scan = dataset["ct-0"]
    next(scan.refine())
    assert spans(fetches) == [(0, scan.levels[-1].end_byte)]


def test_refining_ends_with_what_read_gives(dataset: mist_client.Dataset) -> None:
    *_, last = dataset["ct-0"].refine(size=50, region="2:22,:,:")
    expected = dataset["ct-0"].read(size=50, region="2:22,:,:")
    assert np.array_equal(last.voxels, expected.voxels)
    assert np.array_equal(last.affine, expected.affine)


def test_refining_goes_through_every_level(dataset: mist_client.Dataset) -> None:
    scan = dataset["ct-0"]
    assert [v.voxels.shape for v in scan.refine()] == [level.shape for level in reversed(scan.levels)]


def test_reading_finer_fetches_only_what_is_new(counted: tuple[mist_client.Dataset, Fetches]) -> None:
    dataset, fetches = counted
    levels = dataset["ct-0"].levels
    dataset["ct-0"].read(level=2)
    dataset["ct-0"].read(level=0)
    assert spans(fetches) == [(0, levels[2].end_byte), (levels[2].end_byte, levels[0].end_byte)]


def test_reading_again_fetches_nothing(counted: tuple[mist_client.Dataset, Fetches]) -> None:
    dataset, fetches = counted
    dataset["ct-0"].read(level=1)
    fetches.clear()
    dataset.where("age > 70")["ct-0"].read(level=2)
    assert fetches == []


def test_a_mask_at_a_level_is_every_so_manieth_voxel_of_the_mask(dataset: mist_client.Dataset) -> None:
    mask = dataset["ct-0"].mask
    assert mask is not None
    assert np.array_equal(mask.read(level=1).voxels, mask.read().voxels[:, ::2, ::2])


def test_two_resolutions_at_once_are_refused(dataset: mist_client.Dataset) -> None:
    with pytest.raises(InvalidRequest, match="level and size"):
        dataset["ct-0"].read(level=1, size=32)


def test_a_level_that_is_not_there_is_refused(dataset: mist_client.Dataset) -> None:
    with pytest.raises(InvalidRequest, match="levels 0 to"):
        dataset["ct-0"].read(level=9)


def test_an_altered_object_is_corrupt_by_scan_and_level(copied: Path) -> None:
    dataset = mist_client.open(str(copied))
    data = bytearray(blocks_of(copied).read_bytes())
    data[dataset["ct-0"].levels[1].end_byte + 20] ^= 1
    blocks_of(copied).write_bytes(data)
    with pytest.raises(ScanCorrupt, match="'ct-0', level 0"):
        dataset["ct-0"].read()


def test_levels_before_the_altered_one_still_read(copied: Path) -> None:
    dataset = mist_client.open(str(copied))
    data = bytearray(blocks_of(copied).read_bytes())
    data[dataset["ct-0"].levels[1].end_byte + 20] ^= 1
    blocks_of(copied).write_bytes(data)
    assert dataset["ct-0"].read(level=1).voxels.shape == (40, 48, 40)


def test_a_short_object_is_corrupt(copied: Path) -> None:
    dataset = mist_client.open(str(copied))
    blocks_of(copied).write_bytes(blocks_of(copied).read_bytes()[:100])
    with pytest.raises(ScanCorrupt, match="'ct-0', level 1"):
        dataset["ct-0"].read(level=1)


def test_a_missing_object_is_corrupt(copied: Path) -> None:
    dataset = mist_client.open(str(copied))
    blocks_of(copied).unlink()
    with pytest.raises(ScanCorrupt, match=r"'ct-0'.*missing"):
        dataset["ct-0"].read(level=1)


def test_a_web_host_that_is_gone_is_the_stores_failure_and_not_a_corrupt_scan() -> None:
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:9"):
        mist_client.open("http://127.0.0.1:9/cohort")


def positions(volume: mist_client.Volume) -> npt.NDArray[np.float64]:
    """LPS millimetres of every voxel, by the volume's affine."""
    return volume.geometry.positions(np.moveaxis(np.indices(volume.voxels.shape), 0, -1))


def spans(fetches: Fetches) -> list[tuple[int, int]]:
    return [(start, stop) for _, start, stop in fetches]


def blocks_of(folder: Path) -> Path:
    return next(folder.glob("scans/ct-0/*/c/0/0/0/0"))
