from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mist.errors import InvalidRequest
from mist_eval.bench_set import BenchSet, Choice, bench_sets
from mist_eval.phantoms import write_ct_series


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five different arrays, a.npy to e.npy."""
    for number, name in enumerate("abcde"):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(number).integers(0, 4096, (40, 50)).astype(np.uint16))
    return tmp_path


def one(sources: list[Path], choice: Choice | None = None) -> BenchSet:
    (found,) = bench_sets(sources, choice or Choice())
    return found


def names(found: BenchSet) -> list[str]:
    return [scan.name for scan in found.scans()]


def test_a_folder_is_a_set_called_by_its_name(folder: Path) -> None:
    found = one([folder])
    assert found.name == folder.name
    assert names(found) == ["a", "b", "c", "d", "e"]


def test_files_of_one_folder_are_one_set_called_by_the_folder(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (folder / "c.npy").rename(other / "c.npy")
    sets = bench_sets([folder / "a.npy", other / "c.npy", folder / "b.npy"], Choice())
    assert [(found.name, names(found)) for found in sets] == [(folder.name, ["a", "b"]), ("other", ["c"])]


def test_two_folders_of_one_name_are_two_sets(tmp_path: Path) -> None:
    for number, parent in enumerate(("first", "second")):
        (tmp_path / parent / "images").mkdir(parents=True)
        np.save(tmp_path / parent / "images" / f"{parent}.npy", np.full((9, 9), number, np.uint8))
    sets = bench_sets([tmp_path / "first" / "images", tmp_path / "second" / "images"], Choice())
    assert [(found.name, names(found)) for found in sets] == [("images", ["first"]), ("images", ["second"])]


def test_a_folder_and_a_file_in_it_are_one_set_in_which_the_file_is_measured_once(folder: Path) -> None:
    assert names(one([folder / "c.npy", folder])) == ["a", "b", "c", "d", "e"]


def test_files_of_a_series_that_are_named_one_by_one_are_images_one_by_one(tmp_path: Path) -> None:
    write_ct_series(tmp_path)
    (volume,) = one([tmp_path]).scans()
    slices = list(one(sorted(tmp_path.iterdir())[:3]).scans())
    assert (volume.modality, volume.volume.axes) == ("CT", "zyx")
    assert [scan.volume.axes for scan in slices] == ["yx"] * 3


def test_every_so_manieth_scan_of_a_folder_or_file_of_a_set_is_taken(folder: Path) -> None:
    assert names(one([folder], Choice(every=2))) == ["a", "c", "e"]
    assert names(one(sorted(folder.iterdir()), Choice(every=3))) == ["a", "d"]


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"absent\.npy"):
        names(one([tmp_path / "absent.npy"]))


def test_what_cannot_be_read_is_left_out_with_a_note(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b.npy").write_bytes(b"no array")
    assert names(one([folder])) == ["a", "c", "d", "e"]
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("left out: b.npy")


def test_an_image_that_two_files_hold_is_measured_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "f.npy").write_bytes((folder / "b.npy").read_bytes())
    assert names(one([folder])) == ["a", "b", "c", "d", "e"]
    assert "left out: f: the same image" in capsys.readouterr().err


def test_images_that_were_trained_on_are_left_out_whatever_their_files_are_called(folder: Path, tmp_path: Path) -> None:
    trained = tmp_path / "trained"
    trained.mkdir()
    (folder / "d.npy").rename(trained / "x.npy")
    (folder / "y.npy").write_bytes((trained / "x.npy").read_bytes())
    choice = Choice(unlike=(trained, folder / "a.npy"))
    assert names(one([folder / f"{name}.npy" for name in "abcey"], choice)) == ["b", "c", "e"]


def test_only_the_modalities_asked_for_are_taken(tmp_path: Path) -> None:
    write_ct_series(tmp_path)
    np.save(tmp_path / "plain.npy", np.arange(100, dtype=np.uint8).reshape(10, 10))
    assert len(names(one([tmp_path]))) == 2
    assert [scan.modality for scan in one([tmp_path], Choice(modalities=("MR", "CT"))).scans()] == ["CT"]
    assert names(one([tmp_path], Choice(modalities=("MR",)))) == []


def test_a_picture_in_colours_that_are_all_grey_is_measured_as_grey(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(tmp_path / "grey.png")
    Image.fromarray(np.stack([grey, grey, grey // 2], axis=-1)).save(tmp_path / "red.png")
    first, second = one([tmp_path]).scans()
    assert first.volume.axes == "yx"
    np.testing.assert_array_equal(first.volume.voxels, grey)
    assert second.volume.axes == "yxc"


def test_masks_are_left_out(folder: Path) -> None:
    (folder / "labels.csv").write_text("file,outline\na.npy,b.npy\n")
    assert names(one([folder])) == ["a", "c", "d", "e"]


def test_thick_slices_are_made_of_volumes_and_the_set_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ct_series(folder / "ct")
    found = one([folder], Choice(thick_mm=5.0))
    (scan,) = found.scans()
    assert found.name == f"{folder.name}, 5 mm"
    assert scan.volume.voxels.shape == (9, 160, 160)
    assert "left out: a: thick slices are made of integer slices of known spacing" in capsys.readouterr().err
