from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from mist.ingest.discover import discover
from mist.ingest.expected_memory import PROCESS_BYTES, expected_memory


def expected(path: Path) -> int:
    """Beyond what a process takes anyway."""
    (task,) = discover([path]).tasks
    return expected_memory(task) - PROCESS_BYTES


def test_what_is_expected_grows_with_the_voxels_and_not_with_the_file(tmp_path: Path) -> None:
    for name, side in (("small", 50), ("large", 100)):
        nib.Nifti1Image(np.zeros((side, side, side), np.int16), np.eye(4)).to_filename(tmp_path / f"{name}.nii.gz")

    small, large = expected(tmp_path / "small.nii.gz"), expected(tmp_path / "large.nii.gz")

    assert small == large // 8
    assert large >= 3 * 2 * 100**3


@pytest.mark.parametrize("name", ["a.nii", "a.npy", "a.png", "a.tiff"])
def test_every_format_tells_how_large_it_is(tmp_path: Path, name: str) -> None:
    pixels = np.zeros((60, 50), np.uint8)
    if name.endswith("nii"):
        nib.Nifti1Image(pixels.T, np.eye(4)).to_filename(tmp_path / name)
    elif name.endswith("npy"):
        np.save(tmp_path / name, pixels)
    else:
        Image.fromarray(pixels).save(tmp_path / name)

    assert 3 * pixels.size <= expected(tmp_path / name) <= 20 * pixels.size


def test_of_a_dicom_file_all_frames_count() -> None:
    found = get_testdata_file("SC_rgb_rle_2frame.dcm", download=False)
    assert isinstance(found, str)
    assert expected(Path(found)) >= 2 * 100 * 100 * 3 * 5


def test_of_a_file_that_is_broken_its_size_is_taken(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(1000, np.uint8))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:100])

    assert expected(tmp_path / "a.npy") < 1000
