"""`mist get` from end to end: what it writes, and how it fails."""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import nibabel as nib
import numpy as np
import pytest

from tests.command_line import COMMAND, Mist
from tests.labelled_sources import voxels_of
from tests.server_dataset import RunningServer
from tests.stored_files import blocks_file, files

Both = Callable[[dict[str, object]], tuple[bytes, bytes]]


class TestGet:
    """Files: the same bytes as the server's image route gives."""

    @pytest.fixture
    def both(self, mist: Mist, server: RunningServer, dataset: Path, tmp_path: Path) -> Both:
        """Asks the command and the server for the same image; gives the bytes of each."""

        def ask(asked: dict[str, object]) -> tuple[bytes, bytes]:
            file = tmp_path / f"mr.{asked['format']}"
            options = [part for name, value in asked.items() for part in (f"--{name.replace('_', '-')}", value)]
            done = mist("get", dataset, "mr", "-o", file, *options)
            answer = server.ask(f"/v1/datasets/small/scans/mr/image?{urlencode(asked)}")
            assert (done.code, done.output, answer.status) == (0, "", 200), (done, answer)
            assert done.messages.startswith(f"{file}: level ")
            return file.read_bytes(), answer.body

        return ask

    @pytest.mark.parametrize(
        "asked", [{}, {"level": 1}, {"size": 20}, {"size": "20x31"}, {"spacing": 3}, {"max_bytes": 9000}]
    )
    @pytest.mark.parametrize("ending", ["npy", "nii.gz"])
    def test_a_volume_is_what_the_server_gives(self, both: Both, ending: str, asked: dict[str, object]) -> None:
        ours, theirs = both({"format": ending, **asked})
        assert ours == theirs

    @pytest.mark.parametrize("ending", ["png", "jpeg", "webp", "npy", "nii.gz"])
    @pytest.mark.parametrize(
        "asked", [{"slice": 3, "level": 1}, {"slice": 5, "window": "300,500"}, {"region": "2:9,:,8:40", "slice": 1}]
    )
    def test_a_slice_is_what_the_server_gives(self, both: Both, ending: str, asked: dict[str, object]) -> None:
        ours, theirs = both({"format": ending, **asked})
        assert ours == theirs

    @pytest.mark.parametrize(
        ("name", "magic"),
        [("a.png", b"\x89PNG"), ("a.JPG", b"\xff\xd8\xff"), ("a.webp", b"RIFF"), ("a.nii.gz", b"\x1f\x8b")],
    )
    def test_the_ending_decides_the_format(
        self, mist: Mist, dataset: Path, tmp_path: Path, name: str, magic: bytes
    ) -> None:
        assert mist("get", dataset, "mr", "-o", tmp_path / name).code == 0
        assert (tmp_path / name).read_bytes().startswith(magic)

    def test_a_named_format_needs_no_ending(self, mist: Mist, dataset: Path, tmp_path: Path) -> None:
        assert mist("get", dataset, "mr", "-o", tmp_path / "volume.raw", "--format", "npy").code == 0
        np.testing.assert_array_equal(np.load(tmp_path / "volume.raw"), voxels_of(3, 12, 48, 64))

    def test_nifti_is_what_was_ingested(self, mist: Mist, dataset: Path, source: Path, tmp_path: Path) -> None:
        mist("get", dataset, "mr", "-o", tmp_path / "mr.nii.gz")
        ours, theirs = (nib.Nifti1Image.from_filename(folder / "mr.nii.gz") for folder in (tmp_path, source))
        np.testing.assert_array_equal(np.asarray(ours.dataobj), np.asarray(theirs.dataobj))
        np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-6)

    def test_standard_output_gets_the_file_and_nothing_else(self, dataset: Path) -> None:
        done = subprocess.run(
            [*COMMAND, "get", str(dataset), "mr", "-o", "-", "--level", "1"], capture_output=True, check=True
        )
        assert np.load(io.BytesIO(done.stdout)).ndim == 3
        assert done.stderr.startswith(b"-: level 1, ")

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            (["--level", "9"], "levels 0 to"),
            (["--level", "-1"], "whole number"),
            (["--level", "1", "--size", "20"], "one of level, size"),
            (["--size", "big"], "size is N"),
            (["--spacing", "-3"], "spacing"),
            (["--max-bytes", "1"], "more than max_bytes 1"),
            (["--region", "1:2"], "a region of this scan is z0:z1,y0:y1,x0:x1"),
            (["--region", "9:2,:,:"], "region"),
            (["--slice", "99"], "slice must be 0 to 11"),
            (["--frame", "1"], "leave frame out"),
            (["--window", "wide", "--format", "png"], "window is CENTER,WIDTH"),
            (["--format", "dcm"], "format must be one of"),
        ],
    )
    def test_what_cannot_be_had_is_one_line_and_leaves_the_file_alone(
        self, mist: Mist, dataset: Path, tmp_path: Path, options: list[str], reason: str
    ) -> None:
        (tmp_path / "mr.npy").write_text("mine")
        assert reason in mist("get", dataset, "mr", "-o", tmp_path / "mr.npy", *options).error
        assert files(tmp_path) == {"mr.npy": b"mine"}

    def test_an_ending_that_says_nothing_is_named_with_those_that_do(
        self, mist: Mist, dataset: Path, tmp_path: Path
    ) -> None:
        assert "'mr.xyz' ends in none of .png, " in mist("get", dataset, "mr", "-o", tmp_path / "mr.xyz").error

    def test_a_damaged_scan_is_named_and_leaves_the_file_alone(self, mist: Mist, copied: Path, tmp_path: Path) -> None:
        blocks = blocks_file(copied, "mr")
        blocks.write_bytes(blocks.read_bytes()[:100])
        (tmp_path / "mr.npy").write_text("mine")
        assert re.match(r"scan 'mr', level \d: ", mist("get", copied, "mr", "-o", tmp_path / "mr.npy").error)
        assert (tmp_path / "mr.npy").read_text() == "mine"
