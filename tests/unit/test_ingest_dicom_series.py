"""Slices in files of their own: how they become volumes, and where they lie."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from mist.geometry import Space
from mist.ingest.discover import discover
from mist.ingest.load import load_scan
from mist.scan import Display
from mist.volume import Rescale
from tests.dicom_sources import (
    NORMAL,
    OBLIQUE,
    ORIGIN,
    SERIES,
    image,
    only_refusal,
    only_scan,
    placed,
    save,
    save_stack,
    slabs,
)


def test_a_ct_series_becomes_one_volume_called_by_its_series(tmp_path: Path) -> None:
    voxels = save_stack(tmp_path, [0, 2.5, 5])

    scan_id, decoded = only_scan(tmp_path)

    assert (scan_id, decoded.volume.axes) == (SERIES, "zyx")
    assert decoded.volume.voxels.dtype == np.int16
    np.testing.assert_array_equal(decoded.volume.voxels, voxels)


def test_slices_are_sorted_by_position_and_not_by_instance_number_or_name(tmp_path: Path) -> None:
    voxels = save_stack(tmp_path, [5, 0, 2.5])

    np.testing.assert_array_equal(only_scan(tmp_path)[1].volume.voxels, voxels[[1, 2, 0]])


def test_every_voxel_of_a_series_lies_where_dicom_says(tmp_path: Path) -> None:
    save_stack(tmp_path, [0, 2.5, 5])

    geometry = only_scan(tmp_path)[1].volume.geometry

    # PS3.3 C.7.6.2.1.1: position + row direction * column spacing * column + column direction * row spacing * row
    expected = ORIGIN + 2 * 2.5 * NORMAL + 5 * 0.75 * np.array(OBLIQUE[:3]) + 3 * 0.5 * np.array(OBLIQUE[3:])
    assert geometry.space is Space.PATIENT
    np.testing.assert_allclose(geometry.positions([2, 3, 5]), expected, atol=1e-6)


def test_rescale_window_and_labels_of_the_header_stand_beside_the_stored_values(tmp_path: Path) -> None:
    save_stack(tmp_path, [0, 2.5, 5])

    decoded = only_scan(tmp_path)[1]

    assert decoded.volume.rescale == Rescale(2.0, -1024.0, "HU")
    assert decoded.display == Display(40.0, 400.0, inverted=False)
    assert (decoded.modality, decoded.body_part) == ("CT", "CHEST")


def test_a_series_cut_in_two_directions_becomes_two_volumes(tmp_path: Path) -> None:
    save_stack(tmp_path / "a", [0, 2.5, 5])
    for number in range(3):
        scout = placed(slabs(3)[number], number + 10, number, ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
        scout.ImagePositionPatient = [0, 0, number]
        save(scout, tmp_path / "b" / f"{number}.dcm")

    found = discover([tmp_path])

    assert [len(task.paths) for task in found.tasks] == [3, 3]
    assert all(task.scan_id.startswith(f"{SERIES}-") for task in found.tasks)
    assert found.tasks == discover([tmp_path]).tasks


def test_a_single_slice_is_a_flat_image_in_the_patient_called_by_its_instance(tmp_path: Path) -> None:
    save(placed(slabs(1)[0], 3, 0.0), tmp_path / "one.dcm")

    scan_id, decoded = only_scan(tmp_path)

    assert (scan_id, decoded.volume.axes) == (f"{SERIES}.4", "yx")
    assert decoded.volume.geometry.space is Space.PATIENT
    np.testing.assert_allclose(decoded.volume.geometry.positions([0, 0, 0]), ORIGIN, atol=1e-6)


def test_slices_without_positions_are_images_of_their_own(tmp_path: Path) -> None:
    for number in range(3):
        save(image(slabs(3)[number], number), tmp_path / f"{number}.dcm")

    found = discover([tmp_path])

    assert [task.scan_id for task in found.tasks] == [f"{SERIES}.{number}" for number in (1, 2, 3)]
    assert load_scan(found.tasks[0]).decoded.volume.geometry.space is Space.INDEX


@pytest.mark.parametrize(
    ("attributes", "spacing_mm"),
    [
        ({"PixelSpacing": [0.2, 0.3], "ImagerPixelSpacing": [0.4, 0.5]}, (0.2, 0.3)),
        ({"ImagerPixelSpacing": [0.4, 0.5]}, (0.4, 0.5)),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.4, 0.5]}, (0.4, 0.5)),
    ],
)
def test_a_radiograph_knows_its_spacing_and_no_patient(
    tmp_path: Path, attributes: dict[str, Any], spacing_mm: tuple[float, float]
) -> None:
    save(
        image(slabs(1, "<u2")[0], Modality="DX", PhotometricInterpretation="MONOCHROME1", **attributes), tmp_path / "x"
    )

    decoded = only_scan(tmp_path)[1]

    assert decoded.volume.geometry.space is Space.LOCAL
    assert decoded.volume.geometry.spacing[1:] == spacing_mm
    assert decoded.display.inverted


@pytest.mark.parametrize(
    ("heights_mm", "changed", "reason"),
    [
        ([0, 1, 2, 4, 5], {}, "1 slice is missing"),
        ([0, 1, 2], {"PixelSpacing": [0.5, 0.5]}, "slices differ in pixel spacing"),
        ([0, 1, 2], {"PhotometricInterpretation": "MONOCHROME1"}, "slices differ in photometric interpretation"),
        ([0, 1, 2], {"ImagePositionPatient": None}, "only 2 of 3 slices have a position"),
        ([0, 1, 2], {"ImagePositionPatient": [1, 2]}, "is .*, not 3 finite numbers"),
        ([0, 1, 2], {"SOPInstanceUID": f"{SERIES}.2"}, "are different files of one SOP Instance UID"),
    ],
)
def test_a_series_with_an_odd_slice_is_refused_whole(
    tmp_path: Path, heights_mm: list[float], changed: dict[str, Any], reason: str
) -> None:
    save_stack(tmp_path, heights_mm)
    dataset = pydicom.dcmread(tmp_path / "99.dcm")
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    dataset.save_as(tmp_path / "99.dcm")

    found = discover([tmp_path])

    assert not found.tasks
    assert re.search(reason, found.refusals[0].reason)


def odd(number: int, height_mm: float, **attributes: object) -> Dataset:
    """A slice of the same series and another size."""
    return placed(np.zeros((5, 6), "<i2"), number, height_mm, **attributes)


@pytest.mark.parametrize("place_mm", [-1, 1, 3])
def test_a_slice_of_another_size_in_its_place_in_the_stack_refuses_the_series(tmp_path: Path, place_mm: int) -> None:
    save_stack(tmp_path, [height for height in (0, 1, 2) if height != place_mm])
    save(odd(7, place_mm), tmp_path / "odd.dcm")

    assert re.search(r"slices differ in rows: .* 5 in odd.dcm; give each kind", only_refusal(tmp_path).reason)


def test_the_corner_of_a_slice_of_another_size_may_lie_elsewhere(tmp_path: Path) -> None:
    save_stack(tmp_path, [0, 2])
    save(odd(7, 1, ImagePositionPatient=[*(ORIGIN + NORMAL + 0.25 * np.array(OBLIQUE[:3]))]), tmp_path / "odd.dcm")

    assert "slices differ in rows" in only_refusal(tmp_path).reason


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
        {"ImagePositionPatient": [*(ORIGIN + 77 * NORMAL)]},
        {"ImagePositionPatient": None, "ImageOrientationPatient": None},
    ],
    ids=["other direction", "far away", "no place"],
)
def test_an_image_of_another_size_beside_the_stack_is_a_scan_of_its_own(
    tmp_path: Path, attributes: dict[str, Any]
) -> None:
    voxels = save_stack(tmp_path, [0, 1, 2])
    save(odd(7, 1, **attributes), tmp_path / "odd.dcm")

    found = discover([tmp_path])

    assert ([task.scan_id for task in found.tasks], found.refusals) == ([SERIES, f"{SERIES}.8"], ())
    np.testing.assert_array_equal(load_scan(found.tasks[0]).decoded.volume.voxels, voxels)
    assert load_scan(found.tasks[1]).decoded.volume.voxels.shape == (5, 6)
    assert [task.note for task in found.tasks] == [
        f"its series has images of 2 sizes; this scan is of those of {size} pixels" for size in ("4 x 6", "5 x 6")
    ]


def test_stacks_of_two_sizes_in_one_place_are_two_volumes(tmp_path: Path) -> None:
    save_stack(tmp_path, [0, 1, 2])
    for number in range(3):
        save(odd(number + 7, number), tmp_path / f"odd{number}.dcm")

    found = discover([tmp_path])

    assert [len(task.paths) for task in found.tasks] == [3, 3]
    assert len({task.scan_id for task in found.tasks}) == 2
    assert all(task.scan_id.startswith(f"{SERIES}-") for task in found.tasks)


def test_a_series_of_one_size_has_nothing_to_say(tmp_path: Path) -> None:
    save_stack(tmp_path, [0, 1, 2])

    assert discover([tmp_path]).tasks[0].note == ""


def test_a_copy_of_a_slice_is_skipped(tmp_path: Path) -> None:
    save_stack(tmp_path, [0, 1, 2])
    (tmp_path / "copy.dcm").write_bytes((tmp_path / "98.dcm").read_bytes())

    found = discover([tmp_path])

    assert [len(task.paths) for task in found.tasks] == [3]
    assert len(found.skipped) == 1


def test_slices_of_two_patients_in_one_series_are_refused_without_saying_who_they_are(tmp_path: Path) -> None:
    for place, patient in enumerate(["CANARY-A", "", "CANARY-B"]):
        save(placed(slabs(3)[place], place, 2.5 * place, PatientID=patient), tmp_path / f"{place}.dcm")

    reason = only_refusal(tmp_path).reason

    assert re.search(r"0\.dcm and 2\.dcm are of one series and of two patients \(Patient ID\)", reason)
    assert "CANARY" not in reason


def test_slices_that_name_no_patient_are_of_the_one_that_others_name(tmp_path: Path) -> None:
    for place, patient in enumerate(["1", "", "1 "]):
        save(placed(slabs(3)[place], place, 2.5 * place, PatientID=patient), tmp_path / f"{place}.dcm")

    assert only_scan(tmp_path)[1].volume.voxels.shape[0] == 3
