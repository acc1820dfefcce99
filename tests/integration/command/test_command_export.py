"""`mist export` and `mist verify`: what they give back, and what they find."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mist_storage.dataset import open_dataset
from tests.command_line import Mist
from tests.server_dataset import RunningServer
from tests.stored_files import blocks_file


class TestExport:
    """The source files, given back."""

    def test_every_file_is_given_back_in_a_folder_of_its_scan(
        self, mist: Mist, dataset: Path, source: Path, tmp_path: Path
    ) -> None:
        done = mist("export", dataset, "-o", tmp_path)
        assert done.code == 0
        assert re.search(r"^same content, compressed anew by gzip +2$", done.output, re.MULTILINE)
        assert re.search(r"^same chunks and pixels, compressed anew +2$", done.output, re.MULTILINE)
        for name in ("mr", "mr-mask"):
            theirs = gzip.decompress((source / f"{name}.nii.gz").read_bytes())
            assert gzip.decompress((tmp_path / name / f"{name}.nii.gz").read_bytes()) == theirs
        with Image.open(tmp_path / "xr0" / "xr0.png") as ours, Image.open(source / "xr0.png") as expected:
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(expected))

    def test_json_tells_every_file(self, mist: Mist, dataset: Path, tmp_path: Path) -> None:
        told = json.loads(mist("export", dataset, "xr1", "-o", tmp_path, "--json").output)
        (file,) = told["files"]
        assert told["problems"] == []
        assert (file["scan_id"], file["byte_for_byte"], file["wrapping"]) == ("xr1", False, "png")
        assert Path(file["path"]).stat().st_size == file["bytes"]

    def test_a_file_that_is_there_is_replaced_only_where_that_is_asked_for(
        self, mist: Mist, dataset: Path, tmp_path: Path
    ) -> None:
        assert mist("export", dataset, "xr0", "-o", tmp_path).code == 0
        again = mist("export", dataset, "xr0", "-o", tmp_path)
        assert again.code == 1
        assert "is there already; --overwrite replaces it" in again.output
        assert mist("export", dataset, "xr0", "-o", tmp_path, "--overwrite").code == 0

    def test_damage_is_named_and_the_other_scans_are_given_back(self, mist: Mist, copied: Path, tmp_path: Path) -> None:
        next((copied / "scans" / "xr0").rglob("source.zst")).unlink()
        done = mist("export", copied, "-o", tmp_path / "out")
        assert done.code == 1
        assert re.search(r"^xr0 +source.zst is missing$", done.output, re.MULTILINE)
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mr", "mr-mask", "xr1"]
        assert re.search(r"^xr0 +source.zst is missing$", mist("verify", copied).output, re.MULTILINE)

    def test_a_full_disk_is_told_with_the_file_that_did_not_fit(
        self, mist: Mist, dataset: Path, full_folder: Path
    ) -> None:
        room = os.statvfs(full_folder).f_bavail * os.statvfs(full_folder).f_bsize
        (full_folder / "ballast").write_bytes(bytes(room - 4096))
        done = mist("export", dataset, "xr0", "-o", full_folder)
        assert done.error == f"{full_folder / 'xr0' / 'xr0.png'}: No space left on device"
        assert [*(full_folder / "xr0").iterdir()] == []

    def test_a_server_gives_no_source_files_out_and_is_sound_without(
        self, mist: Mist, server: RunningServer, dataset: Path, tmp_path: Path
    ) -> None:
        url = f"{server.url}/v1/datasets/small/store"
        done = mist("export", url, "xr0", "-o", tmp_path)
        assert done.code == 1
        assert "source.zst is missing; a MIST server does not give it out: name the store itself" in done.output
        assert mist("verify", url).output == "all 4 scans are whole\n"
        assert open_dataset(str(dataset)).catalog.scan_ids == open_dataset(url).catalog.scan_ids

    def test_a_folder_that_cannot_be_written_to_is_named(self, mist: Mist, dataset: Path, tmp_path: Path) -> None:
        (tmp_path / "taken").touch()
        assert str(tmp_path / "taken") in mist("export", dataset, "xr0", "-o", tmp_path / "taken").error

    @pytest.mark.parametrize("below", ["", "scans"])
    def test_no_source_file_is_put_into_the_dataset(self, mist: Mist, copied: Path, below: str) -> None:
        before = sorted(copied.rglob("*"))
        assert "lies in the dataset, which others read" in mist("export", f"{copied}@0", "-o", copied / below).error
        assert sorted(copied.rglob("*")) == before

    def test_what_is_in_the_way_of_a_scan_is_in_the_way_of_no_other(
        self, mist: Mist, dataset: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "xr0").touch()
        done = mist("export", dataset, "xr0", "xr1", "-o", tmp_path)
        assert done.code == 1
        assert f"{tmp_path / 'xr0' / 'xr0.png'} cannot be written: something else has its name" in done.output
        assert (tmp_path / "xr1" / "xr1.png").exists()

    def test_what_is_kept_is_told_of_a_scan(self, mist: Mist, dataset: Path) -> None:
        objects = [path.stat().st_size for path in (dataset / "scans" / "mr").rglob("source.*")]
        assert re.search(rf"^kept of source +{sum(objects)} bytes$", mist("info", dataset, "mr").output, re.MULTILINE)


class TestVerify:
    """Whether what is stored is whole."""

    def test_a_whole_dataset_is_said_to_be_whole(self, mist: Mist, dataset: Path) -> None:
        done = mist("verify", dataset)
        assert (done.code, done.output) == (0, "all 4 scans are whole\n")

    def test_damage_is_listed_by_scan_and_level(self, mist: Mist, copied: Path) -> None:
        blocks = blocks_file(copied, "xr0")
        blocks.write_bytes(b"\xff" + blocks.read_bytes()[1:])
        blocks_file(copied, "xr1").unlink()
        coarsest = len(open_dataset(str(copied)).catalog.row("xr0").header.levels) - 1

        done = mist("verify", copied)

        assert done.code == 1
        assert re.search(rf"^xr0 +{coarsest} ", done.output, re.MULTILINE)
        assert re.search(r"^xr1 .* is missing$", done.output, re.MULTILINE)
        assert "mr" not in done.output.replace(str(copied), "")

    def test_json_lists_what_is_wrong(self, mist: Mist, copied: Path) -> None:
        blocks_file(copied, "xr1").unlink()
        told = mist("verify", copied, "--json")
        problems = json.loads(told.output)
        assert (told.code, problems["scans"]) == (1, 4)
        assert {problem["scan"] for problem in problems["problems"]} == {"xr1"}

    @pytest.mark.parametrize(("depth", "code"), [("present", 0), ("size", 1), ("digest", 1), ("decode", 1)])
    def test_it_looks_as_deep_as_it_is_asked_to(self, mist: Mist, copied: Path, depth: str, code: int) -> None:
        with blocks_file(copied, "xr0").open("ab") as blocks:
            blocks.write(b"more")
        assert mist("verify", copied, "--depth", depth).code == code

    def test_a_server_lists_nothing_and_that_is_said(self, mist: Mist, server: RunningServer) -> None:
        done = mist("verify", f"{server.url}/v1/datasets/small/store", "--depth", "size")
        assert done.code == 1
        assert "a web server lists no objects; ask for --depth digest or decode" in done.error
