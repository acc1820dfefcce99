from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from mist.errors import SourceRefused
from mist.ingest.file_format import kind_of
from mist.ingest.nifti import read_nifti
from mist.ingest.source import SourceKind

SMALL = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
LARGE = np.random.default_rng(0).integers(0, 3000, (40, 30, 20)).astype(np.int16)
"""Noise whose compressed file is read in several pieces."""


def saved(path: Path, samples: npt.NDArray[np.int16]) -> Path:
    nib.save(nib.Nifti1Image(samples, np.eye(4)), path)
    return path


def test_a_file_of_several_gzip_members_is_read_whole(tmp_path: Path) -> None:
    data = saved(tmp_path / "a.nii", SMALL).read_bytes()
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(data[:300]) + gzip.compress(data[300:]))

    assert kind_of(path) is SourceKind.NIFTI
    np.testing.assert_array_equal(read_nifti(path).volume.voxels, SMALL.T)


def test_a_damaged_gzip_file_is_refused_as_such(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii.gz", SMALL)
    data = bytearray(path.read_bytes())
    data[-6] ^= 0xFF
    path.write_bytes(data)

    with pytest.raises(SourceRefused, match=r"compressed by gzip and damaged .*fetch it again"):
        kind_of(path)


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 1.0])
def test_a_flipped_bit_in_a_compressed_file_is_refused(tmp_path: Path, place: float) -> None:
    path = saved(tmp_path / "a.nii.gz", LARGE)
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 8))] ^= 4
    path.write_bytes(data)

    with pytest.raises(SourceRefused, match=r"compressed by gzip and damaged .*fetch it again"):
        read_nifti(path)


@pytest.mark.parametrize("missing", [1, 8, 20, 20_000])
def test_a_compressed_file_that_is_cut_short_is_refused(tmp_path: Path, missing: int) -> None:
    path = saved(tmp_path / "a.nii.gz", LARGE)
    path.write_bytes(path.read_bytes()[:-missing])

    with pytest.raises(SourceRefused, match=r"compressed by gzip and damaged .*fetch it again"):
        read_nifti(path)


def test_a_compressed_file_with_something_after_its_end_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii.gz", SMALL)
    path.write_bytes(path.read_bytes() + b"what is this")

    with pytest.raises(SourceRefused, match=r"compressed by gzip and damaged .*fetch it again"):
        read_nifti(path)
