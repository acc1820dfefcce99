"""A mask that a table names lies on its image, or neither is stored."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from mist.ingest.run import ingest
from mist_storage.dataset import open_dataset
from tests.ingest_runs import mask_of, voxels_of

_TURN = np.array([[0.8, -0.6, 0, 12], [0.6, 0.8, 0, -30], [0, 0, 2.5, 7], [0, 0, 0, 1]])
"""Of an oblique image, in millimetres."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An image of 40 x 30 x 12 voxels; a table names its mask, which is not there yet."""
    folder = tmp_path / "source"
    folder.mkdir()
    nib.Nifti1Image(voxels_of(1, 40, 30, 12).astype(np.int16), _TURN).to_filename(folder / "mr.nii")
    (folder / "labels.csv").write_text("file,seg\nmr.nii,seg.nii\n")
    return folder


def save_mask(folder: Path, affine: npt.NDArray[np.float64], *, code: int = 2) -> None:
    """Write the mask; a transform of `code` 0 says nothing but the sizes of its voxels."""
    mask = nib.Nifti1Image(mask_of(2, 40, 30, 12), affine)
    mask.set_sform(affine, code)
    mask.set_qform(affine, code)
    mask.to_filename(folder / "seg.nii")


def moved(*voxels: float) -> npt.NDArray[np.float64]:
    """The affine of the image, moved by so many of its `voxels` along (x, y, z)."""
    shift = np.eye(4)
    shift[:3, 3] = voxels
    return _TURN @ shift


def refusals(folder: Path, url: str) -> list[str]:
    report = ingest([folder], url, labels=folder / "labels.csv", workers=1)
    return [outcome.reason for outcome in report.refused]


@pytest.mark.parametrize("affine", [_TURN, moved(0.4, 0, 0), moved(0, -0.5, 0.5)])
def test_a_mask_whose_voxels_lie_nearest_to_those_of_its_image_is_stored(
    folder: Path, url: str, affine: npt.NDArray[np.float64]
) -> None:
    save_mask(folder, affine)

    assert refusals(folder, url) == []
    assert open_dataset(url).catalog.row("seg").mask_of == "mr"


def test_a_mask_without_positions_needs_the_spacing_of_its_image(folder: Path, url: str) -> None:
    save_mask(folder, np.eye(4), code=0)
    assert "up to 6.6 voxels apart" in " ".join(refusals(folder, url))

    save_mask(folder, np.diag([1, 1, 2.5, 1]), code=0)
    assert refusals(folder, url) == []


@pytest.mark.parametrize(
    ("affine", "voxels"),
    [
        (moved(0, 0, 1), "1"),
        (_TURN @ np.diag([-1, 1, 1, 1]), "78"),
        (_TURN @ np.diag([1, 1, 1.1, 1]), "1.1"),
        (_TURN[[1, 0, 2, 3]], "69.7"),
    ],
)
def test_a_mask_that_lies_elsewhere_is_refused_with_its_image(
    folder: Path, url: str, affine: npt.NDArray[np.float64], voxels: str
) -> None:
    save_mask(folder, affine)

    reasons = refusals(folder, url)

    assert len(reasons) == 2
    for reason in reasons:
        assert f"mask seg does not lie on its image mr: voxels of the same index are up to {voxels} voxels" in reason
        assert "resample the mask" in reason


def test_a_mask_named_after_its_image_was_stored_is_compared_with_it(folder: Path, url: str) -> None:
    assert ingest([folder / "mr.nii"], url, workers=1).ok
    save_mask(folder, moved(0, 0, 3))

    assert "up to 3 voxels apart" in " ".join(refusals(folder, url))
    assert open_dataset(url).catalog.scan_ids == ["mr"]
