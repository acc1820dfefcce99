"""Several frames in one file, and slices with rescales of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from mist.errors import SourceRefused
from mist.geometry import Space
from mist.volume import Rescale
from tests.dicom_sources import (
    NORMAL,
    OBLIQUE,
    ORIGIN,
    multiframe,
    only_scan,
    save,
    save_stack,
    slabs,
)


def groups_at(heights_mm: Sequence[float]) -> dict[str, Any]:
    """Functional groups of frames at heights along the normal of an oblique stack."""
    shared, frames = Dataset(), []
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [Dataset()], [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = OBLIQUE
    shared.PixelMeasuresSequence[0].PixelSpacing = [0.5, 0.75]
    for height in heights_mm:
        frame = Dataset()
        frame.PlanePositionSequence = [Dataset()]
        frame.PlanePositionSequence[0].ImagePositionPatient = [f"{c:.6f}" for c in ORIGIN + height * NORMAL]
        frames.append(frame)
    return {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": frames}


def test_frames_with_even_positions_become_slices(tmp_path: Path) -> None:
    save(multiframe(3, **groups_at([4, 0, 2])), tmp_path / "enhanced.dcm")

    volume = only_scan(tmp_path)[1].volume

    assert (volume.axes, volume.geometry.space) == ("zyx", Space.PATIENT)
    np.testing.assert_array_equal(volume.voxels, slabs(3)[[1, 2, 0]])
    np.testing.assert_allclose(volume.geometry.positions([2, 0, 0]), ORIGIN + 4 * NORMAL, atol=1e-6)


@pytest.mark.parametrize("groups", [{}, {"ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": OBLIQUE}])
def test_frames_without_positions_of_their_own_are_a_cine_loop(tmp_path: Path, groups: dict[str, Any]) -> None:
    save(multiframe(3, **groups), tmp_path / "cine.dcm")

    volume = only_scan(tmp_path)[1].volume

    assert volume.axes == "tyx"
    assert volume.geometry.space is not Space.PATIENT
    np.testing.assert_array_equal(volume.voxels, slabs(3))


@pytest.mark.parametrize("slopes", [(0.1, 0.2, 0.3), (1.0, 1e-7, 12345.678)])
def test_slices_with_rescales_of_their_own_become_true_values(tmp_path: Path, slopes: tuple[float, ...]) -> None:
    voxels = save_stack(tmp_path, [0, 1, 2], Modality="PT", Units="BQML", RescaleIntercept=0)
    for number, slope in enumerate(slopes):
        dataset = pydicom.dcmread(tmp_path / f"{99 - number}.dcm")
        dataset.RescaleSlope = slope
        dataset.save_as(tmp_path / f"{99 - number}.dcm")

    volume = only_scan(tmp_path)[1].volume

    expected = voxels * np.reshape(slopes, (3, 1, 1))
    assert (volume.voxels.dtype.name, volume.rescale) == ("float32", Rescale(unit="BQML"))
    np.testing.assert_array_equal(volume.voxels, expected.astype(np.float32))
    np.testing.assert_array_equal(np.rint(volume.values() / np.reshape(slopes, (3, 1, 1))), voxels)


def test_frames_with_rescales_of_their_own_become_true_values_in_the_order_of_the_stack(tmp_path: Path) -> None:
    save(rescaled_frames([4, 0, 2], [1, 2, 3]), tmp_path / "pet.dcm")

    volume = only_scan(tmp_path)[1].volume

    assert (volume.axes, volume.rescale) == ("zyx", Rescale(unit="HU"))
    np.testing.assert_array_equal(volume.voxels, (slabs(3) * np.reshape([1, 2, 3], (3, 1, 1)))[[1, 2, 0]])


def rescaled_frames(heights_mm: Sequence[float], slopes: Sequence[float], intercept: float = 0) -> Dataset:
    """Frames of a CT, each with its own rescale."""
    dataset = multiframe(len(heights_mm), **groups_at(heights_mm))
    for slope, frame in zip(slopes, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        frame.PixelValueTransformationSequence = [Dataset()]
        frame.PixelValueTransformationSequence[0].RescaleSlope = slope
        frame.PixelValueTransformationSequence[0].RescaleIntercept = intercept
    return dataset


def test_true_values_from_which_the_stored_ones_do_not_come_back_are_refused(tmp_path: Path) -> None:
    save(rescaled_frames([0, 1, 2], [1e-3, 2e-3, 3e-3], intercept=1e6), tmp_path / "odd.dcm")

    with pytest.raises(
        SourceRefused, match="plus 1e\\+06 cannot be told apart in float32; store the slices one by one"
    ):
        only_scan(tmp_path)


def test_frames_that_measure_different_things_are_refused(tmp_path: Path) -> None:
    dataset = rescaled_frames([0, 1, 2], [1, 2, 3])
    dataset.PerFrameFunctionalGroupsSequence[2].PixelValueTransformationSequence[0].RescaleType = "mm2/s"
    save(dataset, tmp_path / "odd.dcm")

    with pytest.raises(SourceRefused, match=r"measure different things \('HU', 'mm2/s'\); split them"):
        only_scan(tmp_path)


def test_a_grid_of_dose_is_a_volume_in_dose_units() -> None:
    path = get_testdata_file("rtdose.dcm", download=False)
    assert isinstance(path, str)

    volume = only_scan(Path(path))[1].volume

    assert (volume.axes, volume.rescale) == ("zyx", Rescale(1e-6, 0.0, "RELATIVE"))
    assert volume.geometry.spacing == pytest.approx((5, 10, 10))


@pytest.mark.parametrize("modality", ["MR", "CT"])
def test_frames_of_which_only_some_have_a_rescale_are_refused(tmp_path: Path, modality: str) -> None:
    dataset = rescaled_frames([0, 1, 2], [1, 2, 2])
    dataset.Modality = modality
    del dataset.PerFrameFunctionalGroupsSequence[1].PixelValueTransformationSequence
    save(dataset, tmp_path / "odd.dcm")

    with pytest.raises(SourceRefused, match="1 of 3 slices or frames have no Rescale Slope and Intercept"):
        only_scan(tmp_path)


def test_slices_of_which_only_some_have_a_rescale_are_refused(tmp_path: Path) -> None:
    save_stack(tmp_path, [0, 1, 2], Modality="MR", RescaleSlope=2, RescaleIntercept=0)
    dataset = pydicom.dcmread(tmp_path / "98.dcm")
    del dataset.RescaleSlope, dataset.RescaleIntercept
    dataset.save_as(tmp_path / "98.dcm")

    with pytest.raises(SourceRefused, match=r"1 of 3 slices or frames have no Rescale.*correct their headers"):
        only_scan(tmp_path)
