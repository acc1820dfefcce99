"""Slices that are not parsed again: what of them is believed, and what is not."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from mist.errors import SourceRefused
from mist.ingest.dicom_seen import read_slice_header
from mist.ingest.discover import discover
from mist.ingest.load import load_scan
from mist.ingest.source import DecodedSource, ScanTask
from mist.volume import Rescale
from tests.dicom_sources import image, placed, save, save_stack, slabs

Change = Callable[[Dataset], object]


def sorted_stack(folder: Path, change: Change = lambda _: None) -> ScanTask:
    """The task of three slices, to each of which `change` was done."""
    for number, pixels in enumerate(slabs(3)):
        dataset = placed(pixels, number, 2.5 * number)
        change(dataset)
        save(dataset, folder / f"{number}.dcm")
    (task,) = discover([folder]).tasks
    return task


def rewritten(path: Path, **attributes: object) -> None:
    """Give the file at `path` other attributes."""
    dataset = dcmread(path)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def require_equal(one: DecodedSource, other: DecodedSource) -> None:
    np.testing.assert_array_equal(one.volume.voxels, other.volume.voxels, strict=True)
    assert (one.volume.axes, one.volume.geometry, one.volume.rescale) == (
        other.volume.axes,
        other.volume.geometry,
        other.volume.rescale,
    )
    assert (one.display, one.modality, one.body_part) == (other.display, other.modality, other.body_part)
    assert (one.order, one.plain) == (other.order, other.plain)


def twelve_bits(dataset: Dataset) -> None:
    dataset.BitsStored, dataset.HighBit = 12, 11


def unsigned(dataset: Dataset) -> None:
    dataset.PixelRepresentation = 0


def overlaid(dataset: Dataset) -> None:
    """Something else than the value in the high bits, which are set where the values were negative."""
    twelve_bits(dataset)
    unsigned(dataset)


def one_byte(dataset: Dataset) -> None:
    """Samples of which there is an odd number."""
    dataset.Rows, dataset.Columns = 3, 5
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = dataset.PixelData[:15] + b"\0"
    dataset["PixelData"].VR = "OB"


def own_rescale(dataset: Dataset) -> None:
    dataset.RescaleSlope = int(dataset.SOPInstanceUID[-1])


def inverted(dataset: Dataset) -> None:
    dataset.PhotometricInterpretation = "MONOCHROME1"


@pytest.mark.parametrize("change", [lambda _: None, twelve_bits, unsigned, overlaid, one_byte, own_rescale, inverted])
def test_a_stack_that_is_not_parsed_again_is_the_one_that_parsing_gives(tmp_path: Path, change: Change) -> None:
    task = sorted_stack(tmp_path, change)

    assert task.seen is not None
    require_equal(load_scan(task).decoded, load_scan(replace(task, seen=None)).decoded)


def test_implicit_slices_are_not_parsed_again_either(tmp_path: Path) -> None:
    save_stack(tmp_path, [0, 2.5, 5])
    for path in tmp_path.iterdir():
        dataset = dcmread(path)
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        dataset.save_as(path, implicit_vr=True, little_endian=True, overwrite=True)

    (task,) = discover([tmp_path]).tasks

    assert task.seen is not None
    require_equal(load_scan(task).decoded, load_scan(replace(task, seen=None)).decoded)


def test_what_was_seen_is_not_asked_for_again(tmp_path: Path) -> None:
    task = sorted_stack(tmp_path)
    assert task.seen is not None
    other = tuple(one._replace(rescale=Rescale(7.0)) for one in task.seen.slices)

    decoded = load_scan(replace(task, seen=replace(task.seen, slices=other))).decoded

    assert decoded.volume.rescale == Rescale(7.0)


def test_files_whose_headers_changed_after_sorting_are_parsed_anew(tmp_path: Path) -> None:
    task = sorted_stack(tmp_path)
    for path in task.paths:
        size = path.stat().st_size
        rewritten(path, RescaleSlope=3)
        assert path.stat().st_size == size

    assert load_scan(task).decoded.volume.rescale.slope == 3


def test_one_slice_that_moved_after_sorting_is_found_out(tmp_path: Path) -> None:
    task = sorted_stack(tmp_path)
    rewritten(task.paths[1], ImagePositionPatient=dcmread(task.paths[0]).ImagePositionPatient)

    with pytest.raises(SourceRefused, match="several slices lie in one place"):
        load_scan(task)


def test_pixels_that_changed_after_sorting_are_those_that_are_read(tmp_path: Path) -> None:
    task = sorted_stack(tmp_path)
    rewritten(task.paths[1], PixelData=slabs(3)[0].tobytes())

    voxels = load_scan(task).decoded.volume.voxels

    np.testing.assert_array_equal(voxels[1], voxels[0])


def test_a_file_that_was_cut_short_after_sorting_is_refused(tmp_path: Path) -> None:
    task = sorted_stack(tmp_path)
    task.paths[2].write_bytes(task.paths[2].read_bytes()[:-2])

    with pytest.raises(SourceRefused, match=task.paths[2].name):
        load_scan(task)


def test_a_task_crosses_process_borders_with_what_was_seen(tmp_path: Path) -> None:
    task = sorted_stack(tmp_path)

    assert pickle.loads(pickle.dumps(task)) == task  # noqa: S301 - made here


def say_modality_lut(dataset: Dataset) -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType, table.LUTData = [2, 0, 16], "US", b"\0\0\1\0"
    dataset.ModalityLUTSequence = [table]


def say_functional_groups(dataset: Dataset) -> None:
    dataset.SharedFunctionalGroupsSequence = [Dataset()]


def sign_behind_pixels(dataset: Dataset) -> None:
    dataset.DigitalSignaturesSequence = [Dataset()]


def leave_out_sign(dataset: Dataset) -> None:
    del dataset.PixelRepresentation


def shift(dataset: Dataset) -> None:
    dataset.BitsStored, dataset.HighBit = 12, 15


def pad(dataset: Dataset) -> None:
    dataset.PixelData += b"\0\0"


def no_slope(dataset: Dataset) -> None:
    dataset.RescaleSlope = 0


def say_where_compressed_frames_are(dataset: Dataset) -> None:
    dataset.ExtendedOffsetTable = bytes(8)


def leave_out_rows(dataset: Dataset) -> None:
    dataset.Rows, dataset.PixelData = 0, b""


def leave_out_columns(dataset: Dataset) -> None:
    dataset.Columns, dataset.PixelData = 0, b""


@pytest.mark.parametrize(
    "change",
    [
        say_modality_lut,
        say_functional_groups,
        sign_behind_pixels,
        leave_out_sign,
        shift,
        pad,
        no_slope,
        say_where_compressed_frames_are,
        leave_out_rows,
        leave_out_columns,
    ],
)
def test_slices_about_which_there_is_a_doubt_are_parsed_again(tmp_path: Path, change: Change) -> None:
    assert sorted_stack(tmp_path, change).seen is None


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_a_slice_with_a_malformed_number_stays_in_its_series_which_is_refused(tmp_path: Path, keyword: str) -> None:
    task = sorted_stack(tmp_path, lambda dataset: setattr(dataset, keyword, "1234"))
    task.paths[2].write_bytes(task.paths[2].read_bytes().replace(b"1234", b"many"))

    (again,) = discover([tmp_path]).tasks

    assert (again.paths, again.seen) == (task.paths, None)
    with pytest.raises(SourceRefused, match=task.paths[2].name):
        load_scan(again)


def test_a_slice_of_a_size_that_no_element_has_is_left_to_be_refused(tmp_path: Path) -> None:
    path = save(placed(slabs(1)[0], 0, 0.0, Rows=65535, Columns=65535), tmp_path / "a.dcm")

    header = read_slice_header(path, PurePath("a.dcm"))

    assert header is not None
    assert header.seen is None


def test_one_doubtful_slice_is_enough_to_parse_all(tmp_path: Path) -> None:
    task = sorted_stack(tmp_path, lambda dataset: pad(dataset) if dataset.SOPInstanceUID.endswith("2") else None)

    assert task.seen is None


def test_compressed_slices_are_parsed_again(tmp_path: Path) -> None:
    save_stack(tmp_path, [0, 2.5, 5])
    for path in tmp_path.iterdir():
        dataset = dcmread(path)
        dataset.compress(RLELossless)
        dataset.save_as(path)

    (task,) = discover([tmp_path]).tasks

    assert task.seen is None


def test_big_endian_slices_are_parsed_again(tmp_path: Path) -> None:
    for number, pixels in enumerate(slabs(3)):
        dataset = placed(pixels.byteswap(), number, 2.5 * number)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        dataset.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)

    (task,) = discover([tmp_path]).tasks

    assert task.seen is None


def test_nothing_is_kept_in_mind_of_a_picture_without_a_place(tmp_path: Path) -> None:
    path = save(image(slabs(1)[0]), tmp_path / "a.dcm")

    header = read_slice_header(path, PurePath("a.dcm"))

    assert header is not None
    assert header.seen is None


def test_the_samples_of_a_real_slice_are_where_they_were_seen() -> None:
    path = Path(get_testdata_file("MR_small_implicit.dcm", download=False) or "")

    header = read_slice_header(path, PurePath(path.name))

    assert header is not None
    assert header.seen is not None
    assert header.seen.samples_in(path.read_bytes()) == dcmread(path).PixelData


def test_a_real_slice_with_padding_behind_its_pixels_is_parsed_again() -> None:
    path = Path(get_testdata_file("MR_small.dcm", download=False) or "")

    header = read_slice_header(path, PurePath(path.name))

    assert header is not None
    assert header.seen is None
