from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from mist.errors import InvalidRequest
from mist.ingest.discover import Discovery, discover
from mist.ingest.join import join_labels
from mist.ingest.labels import read_labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, their two masks, and a file that is no image."""
    for name in ("images/a.npy", "images/b.npy", "masks/a.npy", "masks/b.npy"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.zeros((2, 3), np.uint8))
    (tmp_path / "images" / "broken.png").write_bytes(b"")
    return tmp_path


def joined(folder: Path, csv: str, source: str = ".") -> Discovery:
    path = folder / "labels.csv"
    path.write_text(csv)
    return join_labels(discover([folder / source]), read_labels(path))


def test_columns_keep_their_types_and_empty_cells_are_none(folder: Path) -> None:
    found = joined(folder, "file,label,age,score,split\nimages/a.npy,x,5,0.5,\nimages/b.npy,,,,train\n", "images")

    assert [dict(task.labels) for task in found.tasks] == [
        {"label": "x", "age": 5, "score": 0.5, "split": None},
        {"label": None, "age": None, "score": None, "split": "train"},
    ]


def test_files_that_are_not_listed_are_taken_without_labels(folder: Path) -> None:
    found = joined(folder, "file,label\nimages/a.npy,x\n", "images")

    assert [(task.scan_id, dict(task.labels)) for task in found.tasks] == [("a", {"label": "x"}), ("b", {})]


@pytest.mark.parametrize(("source", "prefix"), [(".", "images-"), ("images", "")])
def test_a_column_of_images_names_masks_inside_and_outside_the_sources(folder: Path, source: str, prefix: str) -> None:
    found = joined(folder, "file,outline,n\nimages/a.npy,masks/a.npy,1\nimages/b.npy,masks/b.npy,2\n", source)

    told = {task.scan_id: (task.is_mask, task.mask, task.mask_of, dict(task.labels)) for task in found.tasks}
    assert told == {
        f"{prefix}a": (False, "masks-a", None, {"n": 1}),
        f"{prefix}b": (False, "masks-b", None, {"n": 2}),
        "masks-a": (True, None, f"{prefix}a", {}),
        "masks-b": (True, None, f"{prefix}b", {}),
    }


def test_a_column_of_masks_may_be_called_so(folder: Path) -> None:
    found = joined(folder, "file,mask\nimages/a.npy,masks/a.npy\n", "images")

    assert [(task.scan_id, task.mask) for task in found.tasks] == [("a", "masks-a"), ("b", None), ("masks-a", None)]


def test_a_scan_may_have_no_mask(folder: Path) -> None:
    found = joined(folder, "file,outline\nimages/a.npy,masks/a.npy\nimages/b.npy,\n", "images")

    assert [task.mask for task in found.tasks] == ["masks-a", None, None]


def test_an_image_whose_mask_is_refused_is_refused_too(folder: Path) -> None:
    (folder / "masks" / "a.npy").write_bytes(b"")

    found = joined(folder, "file,outline\nimages/a.npy,masks/a.npy\nimages/b.npy,masks/b.npy\n", "images")

    assert [task.scan_id for task in found.tasks] == ["b", "masks-b"]
    assert "a.npy: its mask a.npy was refused" in [refusal.reason for refusal in found.refusals]


def test_a_mask_whose_image_is_refused_is_refused_too(folder: Path) -> None:
    found = joined(folder, "file,outline\nimages/broken.png,masks/a.npy\n")

    assert "masks-a" not in [task.scan_id for task in found.tasks]
    assert "a.npy: broken.png, whose mask it is, was refused" in [refusal.reason for refusal in found.refusals]


@pytest.mark.parametrize(
    ("csv", "reason"),
    [
        ("name,label\nimages/a.npy,x\n", "no column 'file' among name, label"),
        ("file,label\nimages/a.npy,x\nimages/a.npy,x\n", "must name each file once; it has 'images/a.npy'"),
        ("file,label\n,x\n", "must name each file once"),
        ("file,label\nimages/c.npy,x\n", "images/c.npy, which is no image of the sources"),
        ("file,label\nlabels.csv,x\n", "labels.csv, which is no image of the sources"),
        ("file,modality\nimages/a.npy,CT\n", "the catalog has columns modality of its own"),
        ("file,Scan_ID\nimages/a.npy,CT\n", "the catalog has columns Scan_ID of its own"),
        ("file,m\nimages/a.npy,masks/a.npy\nimages/b.npy,masks/c.npy\n", "'masks/c.npy' is not there"),
        ("file,m\nimages/a.npy,masks/a.npy\nimages/b.npy,masks/a.npy\n", "'masks/a.npy' is named twice"),
        ("file,m,n\nimages/a.npy,masks/a.npy,masks/b.npy\n", "columns m, n all name images"),
        ("file,m\nimages/a.npy,images/a.npy\n", "as its own mask"),
        ("", "cannot be read as CSV"),
    ],
)
def test_labels_that_fit_nothing_are_an_error_that_names_it(folder: Path, csv: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        joined(folder, csv)


def test_labels_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"labels\.csv cannot be read as CSV"):
        read_labels(tmp_path / "labels.csv")


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """A folder with a series of five CT slices."""
    slices = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests" / "98892001" / "CT5N"
    for path in slices.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_any_slice_of_a_series_labels_it(series: Path) -> None:
    found = joined(series, "file,label\n2693,x\n")

    assert [(len(task.paths), dict(task.labels)) for task in found.tasks] == [(5, {"label": "x"})]


def test_slices_of_a_series_must_not_contradict_each_other(series: Path) -> None:
    with pytest.raises(InvalidRequest, match="different things of scan"):
        joined(series, "file,label\n2693,x\n2062,y\n")
