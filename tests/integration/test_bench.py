"""`mist bench` on small sets of generated images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mist_eval.phantoms import write_ct_series, write_radiographs
from tests.command_line import Mist


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_radiographs(folder / "radiographs", count=12)
    write_ct_series(folder / "ct")
    return folder


def test_bytes_are_compared_at_full_and_reduced_resolution(mist: Mist, sets: Path, tmp_path: Path) -> None:
    plot = tmp_path / "bytes.png"
    done = mist("bench", "bytes", sets / "radiographs", sets / "ct", "--plot", plot, "--json")
    rows = json.loads(done.output)
    assert {(row["source"], row["at"]) for row in rows} >= {("radiographs", "1/1"), ("ct", "1/1"), ("ct", "1/4")}
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_volume_takes_fewer_bytes_than_htj2k_at_every_resolution(mist: Mist, sets: Path) -> None:
    rows = json.loads(mist("bench", "bytes", sets / "ct", "--json").output)
    assert all(float(row["MIST"]) < 1 for row in rows)
    assert float(rows[1]["MIST"]) < 0.5


def test_only_the_splits_that_are_named_are_compared(mist: Mist, sets: Path) -> None:
    rows = json.loads(mist("bench", "bytes", sets / "radiographs", "--split", "train", "--json").output)
    assert rows[0]["scans"] == 9


def test_times_stand_beside_those_of_openjph_and_openjpeg(mist: Mist, sets: Path) -> None:
    (row,) = json.loads(mist("bench", "codec", sets / "ct", "--json").output)
    assert {"decode / OpenJPH", "decode / OpenJPEG", "1/4 / full", "encode / OpenJPH"} <= set(row)


def test_wavelets_are_compared_with_the_default_one_at_every_resolution(mist: Mist, sets: Path) -> None:
    rows = json.loads(mist("bench", "wavelets", sets / "radiographs", sets / "ct", "--json").output)
    assert [(row["source"], row["at"]) for row in rows if row["source"] == "ct"] == [
        ("ct", at) for at in ("1/1", "1/2", "1/4", "1/8")
    ]
    stored = json.loads(mist("bench", "bytes", sets / "ct", "--json").output)
    assert [row["13/7 bytes"] for row in rows if row["source"] == "ct"] == [row["MIST bytes"] for row in stored]
    for row in rows:
        assert float(row["5/3"]) == pytest.approx(row["5/3 bytes"] / row["13/7 bytes"], abs=5e-4)
        assert (row["(4,2) dB"] is None) == (row["at"] == "1/1")


def test_a_plot_of_anything_but_bytes_is_refused_before_anything_is_measured(
    mist: Mist, sets: Path, tmp_path: Path
) -> None:
    plot = tmp_path / "plot.png"
    assert "--plot" in mist("bench", "wavelets", sets / "ct", "--plot", plot).error
    assert not plot.exists()


@pytest.mark.parametrize("what", ["bytes", "codec", "wavelets"])
def test_files_make_one_set_and_those_that_cannot_be_stored_are_noted(mist: Mist, tmp_path: Path, what: str) -> None:
    noise = np.random.default_rng(0)
    np.save(tmp_path / "small.npy", noise.integers(0, 4096, (40, 50)).astype(np.uint16))
    np.save(tmp_path / "large.npy", noise.integers(0, 4096, (90, 70)).astype(np.uint16))
    (tmp_path / "broken.dcm").write_bytes(b"DICM")
    done = mist("bench", what, *sorted(tmp_path.iterdir()), "--json")
    assert done.code == 0
    assert {row["source"] for row in json.loads(done.output)} == {tmp_path.name}
    (told,) = [line for line in done.messages.splitlines() if line.startswith("left out: ")]
    assert "broken.dcm" in told


@pytest.mark.parametrize("what", ["bytes", "codec"])
def test_samples_that_rivals_cannot_take_are_noted(mist: Mist, tmp_path: Path, what: str) -> None:
    noise = np.random.default_rng(0)
    np.save(tmp_path / "deep.npy", noise.integers(0, 2**20, (90, 90)).astype(np.uint32))
    np.save(tmp_path / "fine.npy", noise.integers(0, 2**10, (40, 40)).astype(np.uint32))
    done = mist("bench", what, tmp_path, "--json")
    assert len(json.loads(done.output)) >= 1
    assert "left out: deep: its samples span more than the 16 bits" in done.messages


def test_thick_slices_are_compared_where_they_can_be_made(mist: Mist, sets: Path) -> None:
    done = mist("bench", "bytes", sets / "ct", sets / "radiographs", "--thick", "5", "--json")
    rows = json.loads(done.output)
    assert {row["source"] for row in rows} == {"ct, 5 mm"}
    assert all(float(row["MIST"]) < 1 for row in rows)
    assert "thick slices are made of" in done.messages


def test_a_set_of_which_nothing_can_be_compared_is_noted_beside_those_that_can(mist: Mist, sets: Path) -> None:
    done = mist("bench", "wavelets", sets / "radiographs", sets / "ct", "--modality", "CT", "--json")
    assert {row["source"] for row in json.loads(done.output)} == {"ct"}
    assert "radiographs: nothing to compare" in done.messages.splitlines()


def test_the_scans_to_compare_are_chosen_by_modality_and_by_what_they_are_not(mist: Mist, sets: Path) -> None:
    assert "nothing to compare" in mist("bench", "bytes", sets / "ct", "--modality", "MR, CR").error
    assert "nothing to compare" in mist("bench", "bytes", sets / "ct", "--unlike", sets / "ct").error
    assert mist("bench", "bytes", sets / "ct", "--modality", "CT", "--unlike", sets / "radiographs").code == 0


def test_a_set_without_images_is_one_line(mist: Mist, tmp_path: Path) -> None:
    done = mist("bench", "bytes", tmp_path)
    assert "no file in that folder" in done.error
