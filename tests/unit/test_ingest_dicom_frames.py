from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

from mist.errors import SourceRefused
from mist.geometry import Space
from mist.ingest.dicom import read_dicom
from mist.ingest.keep import keep_files
from mist.ingest.source import ScanTask, SourceKind, read_files
from mist.kept_wrapping import Wrapping

AXIAL, CORONAL = (1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1)
Place = tuple[tuple[float, float, float], tuple[int, ...]]
Dimensions = Sequence[Sequence[int]]


def saved(
    folder: Path,
    places: Sequence[Place],
    dimensions: Dimensions = (),
    moments: Sequence[int] = (),
    **attributes: object,
) -> Path:
    """An enhanced MR object: frame i has the value i, and lies in `places[i]`."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.Modality, dataset.PhotometricInterpretation = "MR", "MONOCHROME2"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 3, 4, len(places)
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelData = np.repeat(np.arange(len(places), dtype="<u2"), 12).tobytes()
    dataset["PixelData"].VR = "OW"
    shared = Dataset()
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = [0.5, 0.75]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [group(place) for place in places]
    for frame, values in zip(dataset.PerFrameFunctionalGroupsSequence, dimensions, strict=False):
        frame.FrameContentSequence = [Dataset()]
        frame.FrameContentSequence[0].DimensionIndexValues = list(values)
    for frame, moment in zip(dataset.PerFrameFunctionalGroupsSequence, moments, strict=False):
        frame.FrameContentSequence = [Dataset()]
        frame.FrameContentSequence[0].TemporalPositionIndex = moment
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    path = folder / "frames.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def group(place: Place) -> Dataset:
    frame = Dataset()
    frame.PlanePositionSequence, frame.PlaneOrientationSequence = [Dataset()], [Dataset()]
    frame.PlanePositionSequence[0].ImagePositionPatient = list(place[0])
    frame.PlaneOrientationSequence[0].ImageOrientationPatient = list(place[1])
    return frame


def axial(*heights_mm: float) -> list[Place]:
    return [((0, 0, height), AXIAL) for height in heights_mm]


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        (axial(0, 2, 4, 8, 10), "1 slice is missing: 4 mm lie between frame 3 and frame 4"),
        (axial(0, 1, 2, 3.7), "slice spacing varies from 1 to 1.7 mm"),
        ([((0, 0.5 * z, 2.0 * z), AXIAL) for z in range(5)], "the gantry was tilted: slices are shifted by 14 degrees"),
        ([*axial(0, 2, 4), ((0, 0, 0), CORONAL)], "slices are not parallel: frame 1 and frame 4"),
        (axial(0, 0, 2), "its frames lie in 2 places, 2 in one of them and 1 in another"),
        (axial(0, 2, 0, 2), "2 of its frames lie in each of 2 places, and neither Dimension Index Values nor Temporal"),
    ],
)
def test_frames_whose_places_make_no_even_stack_are_refused_with_the_reason(
    tmp_path: Path, places: Sequence[Place], reason: str
) -> None:
    with pytest.raises(SourceRefused, match=reason):
        read_dicom([saved(tmp_path, places)])


def test_frames_of_which_some_have_no_place_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, axial(0, 2, 4))
    dataset = pydicom.dcmread(path)
    del dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    dataset.save_as(path)

    with pytest.raises(SourceRefused, match="not all of its 3 frames have a position"):
        read_dicom([path])


def test_frames_that_differ_in_pixel_spacing_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, axial(0, 2, 4))
    dataset = pydicom.dcmread(path)
    measures = Dataset()
    measures.PixelSpacing = [1, 1]
    dataset.PerFrameFunctionalGroupsSequence[1].PixelMeasuresSequence = [measures]
    dataset.save_as(path)

    with pytest.raises(SourceRefused, match=r"differ in pixel spacing: \[\(0.5, 0.75\), \(1.0, 1.0\)\]"):
        read_dicom([path])


def test_frames_in_one_place_are_moments_of_that_place(tmp_path: Path) -> None:
    volume = read_dicom([saved(tmp_path, axial(7, 7, 7))]).volume

    assert (volume.axes, volume.geometry.space) == ("tyx", Space.PATIENT)
    np.testing.assert_allclose(volume.geometry.positions([0, 0, 0]), [0, 0, 7])
    assert volume.voxels[:, 0, 0].tolist() == [0, 1, 2]


def test_moments_of_one_place_are_in_the_order_that_is_said_of_them(tmp_path: Path) -> None:
    source = read_dicom([saved(tmp_path, axial(7, 7, 7), moments=(3, 1, 2))])

    assert source.volume.axes == "tyx"
    assert source.volume.voxels[:, 0, 0].tolist() == [1, 2, 0]


def test_moments_of_one_place_that_are_said_to_be_one_stay_as_they_are(tmp_path: Path) -> None:
    source = read_dicom([saved(tmp_path, axial(7, 7, 7), moments=(2, 1, 1))])

    assert source.volume.voxels[:, 0, 0].tolist() == [0, 1, 2]


def test_several_frames_in_each_place_are_volumes_one_after_the_other(tmp_path: Path) -> None:
    places = axial(4, 0, 2, 0, 4, 2)  # in no order, as are the moments
    dimensions = [(1, 3, 2), (1, 1, 2), (1, 2, 1), (1, 1, 1), (1, 3, 1), (1, 2, 2)]  # stack, place, moment

    volume = read_dicom([saved(tmp_path, places, dimensions)]).volume

    assert (volume.axes, volume.voxels.shape, volume.geometry.space) == ("tzyx", (2, 3, 3, 4), Space.PATIENT)
    assert volume.voxels[:, :, 0, 0].tolist() == [[3, 2, 4], [1, 5, 0]]
    np.testing.assert_allclose(volume.geometry.positions([2, 0, 0]), [0, 0, 4])


def test_moments_are_told_by_their_index_where_no_dimensions_are_declared(tmp_path: Path) -> None:
    volume = read_dicom([saved(tmp_path, axial(0, 0, 2, 2), moments=[2, 1, 1, 2])]).volume

    assert volume.voxels[:, :, 0, 0].tolist() == [[1, 2], [0, 3]]


def test_the_file_of_several_volumes_comes_back_from_their_voxels(tmp_path: Path) -> None:
    path = saved(tmp_path, axial(2, 0, 2, 0), moments=[2, 1, 1, 2])
    decoded, files = read_dicom([path]), read_files([path])

    kept = keep_files(ScanTask("scan", SourceKind.DICOM, (path,)), files, decoded)

    assert kept.files[0].wrapping is Wrapping.NONE
    assert [(span.sheet, span.count, span.is_exact) for span in kept.files[0].spans] == [(3, 1, True), (0, 3, True)]
    assert len(kept.kept) == files[0].bytes - 4 * 3 * 4 * 2
