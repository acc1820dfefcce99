from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from mist_eval.phantoms import (
    CLASSES,
    CT_ORIGIN_MM,
    CT_SHAPE,
    CT_SPACING_MM,
    CT_SPHERES,
    RADIOGRAPH_SIDE,
    ct_volume,
    radiograph,
    write_ct_series,
    write_radiographs,
)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    for run in ("first", "second"):
        write_radiographs(tmp_path / run / "xr", 12)
        write_ct_series(tmp_path / run / "ct")
    assert files(tmp_path / "first") == files(tmp_path / "second")


def test_another_seed_gives_other_images() -> None:
    assert not np.array_equal(ct_volume(0), ct_volume(1))


def test_every_split_has_every_class(tmp_path: Path) -> None:
    with write_radiographs(tmp_path, 24).open(newline="") as table:
        rows = list(csv.DictReader(table))
    counts = Counter((row["label"], row["split"]) for row in rows)
    assert counts == {(label, split): n for label in CLASSES for split, n in (("train", 6), ("test", 2))}
    assert len({row["patient"] for row in rows}) == 24


def test_the_table_names_the_pictures(tmp_path: Path) -> None:
    with write_radiographs(tmp_path, 12).open(newline="") as table:
        for row in csv.DictReader(table):
            with Image.open(tmp_path / row["file"]) as picture:
                assert (picture.mode, picture.size) == ("L", (RADIOGRAPH_SIDE, RADIOGRAPH_SIDE))


@pytest.mark.parametrize(("label", "shown_at_an_eighth"), [("mass", True), ("miliary", False)])
def test_a_mass_shows_at_coarse_levels_and_miliary_nodules_do_not(label: str, shown_at_an_eighth: bool) -> None:  # noqa: FBT001
    contrasts = []
    for seed in range(6):
        plain, changed = (radiograph(kind, np.random.default_rng(seed)).astype(float) for kind in ("clear", label))
        coarse = (changed - plain).reshape(32, 8, 32, 8).mean(axis=(1, 3))
        contrasts.append(coarse.max() - np.median(coarse))
    assert (min(contrasts) > 30) == shown_at_an_eighth


def test_spheres_lie_where_they_are_said_to() -> None:
    hounsfield = ct_volume().astype(int) - 1024
    for sphere in CT_SPHERES:
        z, y, x = (
            round((sphere.center_mm[2 - axis] - CT_ORIGIN_MM[2 - axis]) / CT_SPACING_MM[axis]) for axis in range(3)
        )
        around = hounsfield[z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3]
        assert abs(around.mean() - sphere.value_hu) < 10


def test_the_series_holds_the_volume_in_an_order_that_names_do_not_tell(tmp_path: Path) -> None:
    write_ct_series(tmp_path)
    slices = [pydicom.dcmread(path) for path in sorted(tmp_path.iterdir())]
    heights = [float(dataset.ImagePositionPatient[2]) for dataset in slices]
    by_height = sorted(slices, key=lambda dataset: float(dataset.ImagePositionPatient[2]))
    assert heights != sorted(heights)
    np.testing.assert_array_equal(np.stack([dataset.pixel_array for dataset in by_height]), ct_volume())
    assert len(slices) == CT_SHAPE[0]
