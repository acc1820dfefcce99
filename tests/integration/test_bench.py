"""`mist bench` on small sets of generated images."""

from __future__ import annotations

import json
from pathlib import Path

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


def test_a_set_without_images_is_one_line(mist: Mist, tmp_path: Path) -> None:
    done = mist("bench", "bytes", tmp_path)
    assert "no file in that folder" in done.error
