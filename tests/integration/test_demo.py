"""The demo, much reduced: what its tables say is true."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from mist_storage.dataset import open_dataset
from tests.command_line import Done, run_process

UNITS = {"bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "files"


@pytest.fixture(scope="module")
def demo(folder: Path) -> Done:
    """The demo with 24 phantoms in place of 240."""
    done = run_process("demo", "--folder", folder, "--phantoms", 24)
    assert done.code == 0, done
    return done


def table(output: str, title: str) -> Rows:
    """The rows of the table whose title begins with `title`."""
    block = re.search(rf"^{re.escape(title)}.*\n((?:.+\n)+)", output, re.MULTILINE)
    assert block is not None, output
    names, _, *lines = (
        re.split(r" {2,}", line.strip()) for line in block[1].splitlines() if not line.startswith("GET")
    )
    return [dict(zip(names, line, strict=False)) for line in lines if len(line) > 1]


def bytes_of(text: str) -> float:
    number, unit = text.split()
    return float(number) * UNITS[unit]


def test_everything_is_ingested(demo: Done, folder: Path) -> None:
    rows = {row["dataset"]: row for row in table(demo.output, "1.")}
    assert {name: int(row["scans"]) for name, row in rows.items()} == {"real": 7, "ct_phantom": 1, "phantoms": 24}
    assert bytes_of(rows["ct_phantom"]["stored"]) < bytes_of(rows["ct_phantom"]["voxels"])
    assert len(open_dataset(str(folder / "store" / "phantoms")).catalog) == 24
    assert "Refused" not in demo.output


def test_one_scan_is_downloaded_at_three_resolutions(demo: Done) -> None:
    rows = table(demo.output, "2.")
    stored = [bytes_of(row["stored"]) for row in rows]
    assert [row["level"] for row in rows] == ["2", "1", "0"]
    assert [row["shape"] for row in rows] == ["12 x 40 x 40", "24 x 80 x 80", "48 x 160 x 160"]
    assert [row["spacing (mm)"] for row in rows] == ["4 x 3.2 x 3.2", "2 x 1.6 x 1.6", "1 x 0.8 x 0.8"]
    assert stored == sorted(stored)


@pytest.mark.parametrize("name", ["real", "ct_phantom", "phantoms"])
def test_bytes_fall_with_the_level(demo: Done, name: str) -> None:
    moved = [bytes_of(row["bytes moved"]) for row in table(demo.output, f"3. {name}:")]
    assert len(moved) >= 2
    assert all(finer > 2 * coarser for finer, coarser in pairwise(moved))


def test_a_level_of_a_scan_is_one_request(demo: Done) -> None:
    assert {row["GETs"] for row in table(demo.output, "3. phantoms:")} == {"24"}


def test_accuracy_stands_beside_the_resolutions_that_were_trained_at(demo: Done) -> None:
    rows = table(demo.output, "3. phantoms:")
    assert "accuracy" not in rows[0]
    assert all(0 <= float(row["accuracy"]) <= 1 for row in rows[1:])
    assert "accuracy" not in table(demo.output, "3. ct_phantom:")[0]


def test_the_output_fits_a_terminal_and_ends_no_line_in_spaces(demo: Done) -> None:
    lines = [line for line in demo.output.splitlines() if not re.search(r"^GET |mist ls", line)]
    assert max(map(len, lines)) <= 100
    assert lines == [line.rstrip() for line in lines]


def test_a_second_run_replaces_the_first_and_takes_a_folder_of_ones_own(demo: Done, folder: Path) -> None:  # noqa: ARG001 - comes first
    own = folder.parent / "own"
    (folder / "sources" / "phantoms").rename(own)
    done = run_process("demo", own, "--folder", folder, "--sizes", "64,32")
    rows = table(done.output, "3. data:")
    assert done.code == 0, done
    assert [(row["resolution"], row["shape"]) for row in rows] == [("size 64", "64 x 64"), ("size 32", "32 x 32")]
    assert all("accuracy" in row for row in rows)
    assert [path.name for path in (folder / "store").iterdir()] == ["data"]
