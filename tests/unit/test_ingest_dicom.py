from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)

from mist.errors import SourceRefused
from mist.geometry import Space
from mist.ingest.discover import discover
from mist.ingest.load import load_scan
from mist.ingest.source import DecodedSource, Refusal
from mist.scan import Display
from mist.volume import Rescale

SERIES = "1.2.826.0.1.3680043.8.498.1"
OBLIQUE = [0.8, 0.6, 0.0, -0.36, 0.48, 0.8]
NORMAL = np.cross(OBLIQUE[:3], OBLIQUE[3:])
ORIGIN = np.array([-100.0, 50.0, 7.5])


def image(pixels: npt.NDArray[Any], number: int = 0, /, **attributes: object) -> Dataset:
    """A CT slice with the given pixels, of one sample each, and no position."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"{SERIES}.{number + 1}"
    dataset.SeriesInstanceUID, dataset.Modality, dataset.BodyPartExamined = SERIES, "CT", "CHEST"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def placed(pixels: npt.NDArray[Any], number: int, height_mm: float, **attributes: object) -> Dataset:
    """A CT slice at a height along the normal of an oblique stack."""
    dataset = image(
        pixels, number, RescaleSlope=2, RescaleIntercept=-1024, WindowCenter=[40, 50], WindowWidth=[400, 90]
    )
    dataset.ImagePositionPatient = [f"{c:.6f}" for c in ORIGIN + height_mm * NORMAL]
    dataset.ImageOrientationPatient, dataset.PixelSpacing = OBLIQUE, [0.5, 0.75]
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def slabs(count: int, dtype: str = "<i2") -> npt.NDArray[Any]:
    """Distinct voxels of shape (count, 4, 6)."""
    return np.arange(-12 * count, 12 * count).astype(dtype).reshape(count, 4, 6)


def save_stack(folder: Path, heights_mm: Sequence[float], **attributes: object) -> npt.NDArray[Any]:
    """A stack of slices, whose file names run against their places; its voxels in the order of the heights."""
    voxels = slabs(len(heights_mm))
    for number, height in enumerate(heights_mm):
        dataset = placed(voxels[number], number, height, InstanceNumber=99 - number, **attributes)
        save(dataset, folder / f"{99 - number}.dcm")
    return voxels


def only_scan(source: Path) -> tuple[str, DecodedSource]:
    found = discover([source])
    assert not found.refusals
    (task,) = found.tasks
    return task.scan_id, load_scan(task).decoded


def only_refusal(source: Path) -> Refusal:
    found = discover([source])
    assert not found.tasks
    (refusal,) = found.refusals
    return refusal


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


def test_a_series_of_mixed_sizes_is_refused(tmp_path: Path) -> None:
    save_stack(tmp_path, [0, 1, 2])
    save(placed(np.zeros((5, 6), "<i2"), 7, 3), tmp_path / "odd.dcm")

    assert "slices differ in rows: 4 in 97.dcm, 5 in odd.dcm" in only_refusal(tmp_path).reason


def test_a_copy_of_a_slice_is_skipped(tmp_path: Path) -> None:
    save_stack(tmp_path, [0, 1, 2])
    (tmp_path / "copy.dcm").write_bytes((tmp_path / "98.dcm").read_bytes())

    found = discover([tmp_path])

    assert [len(task.paths) for task in found.tasks] == [3]
    assert len(found.skipped) == 1


def multiframe(count: int, **attributes: object) -> Dataset:
    return image(
        slabs(count),
        NumberOfFrames=count,
        SOPClassUID=MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        **attributes,
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


@pytest.mark.parametrize(
    ("name", "axes", "dtype"),
    [
        ("CT_small.dcm", "yx", "int16"),
        ("MR_small_bigendian.dcm", "yx", "int16"),
        ("MR_small_RLE.dcm", "yx", "int16"),
        ("MR_small_jp2klossless.dcm", "yx", "int16"),
        ("MR_small_jpeg_ls_lossless.dcm", "yx", "int16"),
        ("SC_rgb_jpeg_dcmtk.dcm", "yxc", "uint8"),
        ("SC_rgb_rle_16bit_2frame.dcm", "tyxc", "uint16"),
        ("SC_rgb_rle_32bit.dcm", "yxc", "uint32"),
        ("examples_ybr_color.dcm", "tyxc", "uint8"),
        ("image_dfl.dcm", "yx", "uint8"),
        ("liver_1frame.dcm", "yx", "uint8"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_voxels_are_those_of_pydicom(name: str, axes: str, dtype: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)

    volume = only_scan(Path(path))[1].volume

    assert (volume.axes, volume.voxels.dtype.name) == (axes, dtype)
    np.testing.assert_array_equal(volume.voxels, pydicom.dcmread(path).pixel_array)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rtplan.dcm", "rtplan.dcm: there are no pixels in it: it is RT Plan Storage"),
        ("reportsi.dcm", "it is Basic Text SR Storage"),
        ("rtstruct.dcm", "it is RT Structure Set Storage"),
        ("badVR.dcm", "NumberOfFrames is '1A'"),
        ("nested_priv_SQ.dcm", "it does not say what it is"),
    ],
)
def test_objects_without_an_image_are_refused_by_what_they_are(name: str, reason: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)

    assert reason in only_refusal(Path(path)).reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MR_truncated.dcm", r"MR_truncated.dcm: its pixels cannot be decoded \(Explicit VR Little Endian\): .*8130"),
        (
            "JPEG2000-embedded-sequence-delimiter.dcm",
            "compressed stream 1024 x 3722445056; the file is damaged",
        ),
    ],
)
def test_pixels_that_cannot_be_decoded_are_refused_in_one_line(name: str, reason: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)

    with pytest.raises(SourceRefused, match=reason) as refusal:
        only_scan(Path(path))
    assert "\n" not in str(refusal.value)


def test_a_dataset_without_file_meta_is_read_by_what_it_is(tmp_path: Path) -> None:
    path = save(placed(slabs(1)[0], 3, 0.0), tmp_path / "whole.dcm")
    dataset = pydicom.dcmread(path)
    del dataset.file_meta
    dataset.save_as(tmp_path / "bare.dcm", implicit_vr=False, little_endian=True, enforce_file_format=False)
    path.unlink()

    np.testing.assert_array_equal(only_scan(tmp_path)[1].volume.voxels, slabs(1)[0])


def test_a_directory_of_dicom_files_is_skipped() -> None:
    path = get_testdata_file("DICOMDIR", download=False)
    assert isinstance(path, str)

    assert discover([path]).skipped == (Path(path),)


def deflated(tmp_path: Path, zeros: int) -> Path:
    """A deflated file, with many zeros behind its pixels."""
    path = save(placed(slabs(1)[0], 3, 0.0), tmp_path / "plain.dcm")
    dataset = pydicom.dcmread(path)
    dataset.DataSetTrailingPadding = bytes(zeros)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "deflated.dcm")
    path.unlink()
    return tmp_path


def test_a_deflated_file_is_read(tmp_path: Path) -> None:
    scan_id, decoded = only_scan(deflated(tmp_path, 100))

    assert scan_id == f"{SERIES}.4"
    np.testing.assert_array_equal(decoded.volume.voxels, slabs(1)[0])


def test_a_deflated_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mist.ingest.dicom_dataset.MOST_INFLATED", 1 << 20)

    with pytest.raises(SourceRefused, match="unpacks to more than 1 MiB; save it without deflating"):
        only_scan(deflated(tmp_path, 1 << 25))


def test_a_file_in_gzip_says_what_to_do(tmp_path: Path) -> None:
    save(image(slabs(1)[0]), tmp_path / "a.dcm")
    (tmp_path / "b.gz").write_bytes(gzip.compress((tmp_path / "a.dcm").read_bytes()))

    assert "taken for NIfTI only; unpack it first" in discover([tmp_path]).refusals[0].reason


@pytest.mark.parametrize("lies", ["in the unused bits", "beside"])
def test_padding_values_and_overlays_leave_the_stored_values_alone(tmp_path: Path, lies: str) -> None:
    voxels = slabs(1, "<u2")[0] & 0xFFF
    dataset = image(voxels, PixelPaddingValue=3, BitsStored=12, HighBit=11)
    if lies == "in the unused bits":  # as overlays were stored before 2004 (PS3.5 8.1.1)
        dataset.PixelData = (voxels | 0x1000).tobytes()
    else:
        dataset.add_new((0x6000, 0x3000), "OW", b"\xff\xff\xff\0")
    save(dataset, tmp_path / "overlay.dcm")

    np.testing.assert_array_equal(only_scan(tmp_path)[1].volume.voxels, voxels)


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_float_pixels_are_taken_as_they_are(tmp_path: Path, keyword: str) -> None:
    voxels = np.linspace(-1, 1, 24).reshape(4, 6).astype("<f4" if keyword == "FloatPixelData" else "<f8")
    dataset = image(voxels, **{keyword: voxels.tobytes()})
    for absent in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        del dataset[absent]
    save(dataset, tmp_path / "float.dcm")

    np.testing.assert_array_equal(only_scan(tmp_path)[1].volume.voxels, voxels)


def test_tiles_of_a_whole_slide_image_are_refused_with_a_remedy(tmp_path: Path) -> None:
    save(multiframe(4, TotalPixelMatrixColumns=12, TotalPixelMatrixRows=8), tmp_path / "slide.dcm")

    with pytest.raises(SourceRefused, match=r"its 4 frames are tiles of a whole-slide image.*convert"):
        only_scan(tmp_path)
