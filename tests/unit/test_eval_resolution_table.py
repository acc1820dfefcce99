from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

import mist_client
from mist.geometry import geometry_of_indices
from mist.request import Request
from mist.volume import Volume
from mist_eval.resolution_table import TRAINED_SIDE, Task, classification_task, resolution_rows
from mist_storage.catalog import commit_rows
from mist_storage.catalog_row import Label
from mist_storage.scan_writer import write_scan
from mist_storage.store import open_store
from tests.stored_scan import catalog_row

LABELS = [{"label": "left" if n % 2 else "right", "split": "train" if n < 12 else "test"} for n in range(16)]
SIDE = 2 * TRAINED_SIDE


def dataset(folder: Path, labels: Sequence[Mapping[str, Label]], axes: str = "yx", side: int = 40) -> str:
    """A dataset of scans that are bright on the side that their label says, if it does."""
    store, rows = open_store(str(folder)), []
    for number, of_scan in enumerate(labels):
        voxels = np.random.default_rng(number).integers(0, 40, (side, side), np.uint8)
        voxels[:, slice(0, side // 2) if of_scan.get("label") == "left" else slice(side // 2, side)] += 100
        shaped = voxels if axes == "yx" else np.stack([voxels] * 3)
        volume = Volume(shaped, axes, geometry_of_indices())
        rows.append(catalog_row(write_scan(store, f"s{number:02}", volume, sources=[]), of_scan))
    commit_rows(str(folder), rows)
    return str(folder)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return dataset(tmp_path_factory.mktemp("labelled"), LABELS, side=SIDE)


def test_labels_and_splits_set_a_task(url: str) -> None:
    assert classification_task(mist_client.open(url)) == Task("label", ("left", "right"))


@pytest.mark.parametrize(
    ("labels", "axes"),
    [
        ([{}, {}], "yx"),
        ([{"label": "left"}, {"label": "right"}], "yx"),
        ([{"label": "left", "split": "train"}, {"label": "left", "split": "test"}], "yx"),
        ([{"label": "left", "split": "train"}, {"label": "right", "split": "train"}], "yx"),
        ([{"label": "left", "split": "train"}, {"label": "right", "split": "test"}], "zyx"),
    ],
    ids=["no labels", "no splits", "one class", "one split", "volumes"],
)
def test_without_classes_splits_or_pictures_there_is_no_task(
    tmp_path: Path, labels: list[Mapping[str, Label]], axes: str
) -> None:
    assert classification_task(mist_client.open(dataset(tmp_path, labels, axes))) is None


def test_a_row_counts_one_request_and_the_prefix_of_each_scan(url: str) -> None:
    opened = mist_client.open(url)
    rows = resolution_rows(url, [Request(level=0), Request(level=2)])
    for row, level in zip(rows, (0, 2), strict=True):
        assert row.requests == len(opened)
        assert row.bytes_moved == sum(scan.levels[level].end_byte for scan in opened)
        assert row.shapes == ((SIDE >> level, SIDE >> level),)
        assert row.accuracy is None


def test_a_network_is_trained_where_images_are_small_enough(url: str) -> None:
    task = classification_task(mist_client.open(url))
    full, coarse = resolution_rows(url, [Request(level=0), Request(size=24)], task)
    assert full.accuracy is None
    assert coarse.accuracy is not None
    assert coarse.accuracy > 0.7


def test_images_of_several_shapes_are_read_and_not_trained_on(tmp_path: Path) -> None:
    folder = dataset(tmp_path, LABELS)
    wide = Volume(np.zeros((40, 60), np.uint8), "yx", geometry_of_indices())
    stored = write_scan(open_store(folder), "wide", wide, sources=[])
    commit_rows(folder, [catalog_row(stored, LABELS[0])])
    (row,) = resolution_rows(folder, [Request(level=0)], Task("label", ("left", "right")))
    assert row.shapes == ((40, 40), (40, 60))
    assert row.accuracy is None
