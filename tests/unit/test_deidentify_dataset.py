from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mist.ingest.deidentify.counts import Tally
from mist.ingest.deidentify.dicom_file import clean_file
from mist.ingest.deidentify.key import Key
from mist.ingest.deidentify.profile import Profile
from mist.ingest.deidentify.table import TABLE, Action
from mist.ingest.deidentify.values import shifted

KEY = Key(b"k" * 32)


def _object(**values: object) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.PatientID = CTImageStorage, "1.2.3.4", "one"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def _cleaned(dataset: Dataset, profile: str = "basic", *, is_implicit: bool = False) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
    stream = BytesIO()
    FileDataset("", dataset, bytes(128), meta).save_as(stream)
    stream.seek(0)
    return dcmread(BytesIO(clean_file(dcmread(stream), KEY, Profile.parse(profile), Tally())))


@pytest.mark.parametrize(
    ("tag", "action"),
    [
        (0x00080018, Action.UID),
        (0x00080020, Action.EMPTY),
        (0x00080050, Action.EMPTY),
        (0x00080080, Action.DUMMY),
        (0x00100030, Action.EMPTY),
        (0x00101010, Action.REMOVE),
        (0x00104000, Action.REMOVE),
        (0x00181000, Action.DUMMY),
        (0x0020000D, Action.UID),
        (0x00880200, Action.REMOVE),
    ],
)
def test_rows_that_everybody_knows_are_in_the_table(tag: int, action: Action) -> None:
    assert TABLE[tag] is action


def test_the_table_has_the_size_of_its_edition() -> None:
    assert len(TABLE) == 652  # without its three rows of curves and overlays


def test_references_follow_the_objects_that_they_name() -> None:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, "1.2.3.4"
    clean = _cleaned(_object(SourceImageSequence=Sequence([item])))
    assert clean.SourceImageSequence[0].ReferencedSOPInstanceUID == clean.SOPInstanceUID != "1.2.3.4"
    assert clean.SourceImageSequence[0].ReferencedSOPClassUID == CTImageStorage


def test_dates_of_a_patient_keep_their_distance_and_times_stay() -> None:
    dates = {"StudyDate": "20200227", "AcquisitionDateTime": "20200301101112.5+0100", "AcquisitionTime": "101112"}
    clean = _cleaned(_object(**dates), "basic+modified-dates")
    moved = [np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:8]}") for day in (clean.StudyDate, clean.AcquisitionDateTime)]
    assert moved[1] - moved[0] == np.timedelta64(3, "D")
    assert (clean.AcquisitionDateTime[8:], clean.AcquisitionTime) == ("101112.5+0100", "101112")
    assert clean.LongitudinalTemporalInformationModified == "MODIFIED"


def test_dates_of_other_patients_move_by_other_days() -> None:
    days = {_cleaned(_object(PatientID=name, StudyDate="20200227"), "basic+modified-dates").StudyDate for name in "abc"}
    assert len(days) == 3


def test_the_date_of_birth_goes_whatever_is_kept() -> None:
    every = "basic+modified-dates+patient-characteristics+safe-private"
    assert _cleaned(_object(PatientBirthDate="19310510"), every).PatientBirthDate == ""


def test_without_the_option_dates_are_gone() -> None:
    clean = _cleaned(_object(StudyDate="20200227", SeriesDate="20200227"))
    assert (clean.StudyDate, clean.SeriesDate) == ("", "19000101")


def test_characteristics_stay_if_asked_for_and_great_ages_are_one() -> None:
    given = _object(PatientAge="097Y", PatientSex="F", PatientWeight="61.5", EthnicGroup="a text")
    clean = _cleaned(given, "basic+patient-characteristics")
    assert (clean.PatientAge, clean.PatientSex, clean.PatientWeight) == ("090Y", "F", 61.5)
    assert "EthnicGroup" not in clean


@pytest.mark.parametrize("is_implicit", [False, True])
def test_safe_private_numbers_stay_if_asked_for_and_nothing_else_that_is_private(*, is_implicit: bool) -> None:
    dataset = _object()
    block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "0.5")
    block.add_new(0x01, "LO", "a text")
    clean = _cleaned(dataset, "basic+safe-private", is_implicit=is_implicit)
    assert clean.private_block(0x7053, "Philips PET Private Group")[0x00].value == 0.5
    assert [tag for tag in clean.keys() if tag.is_private] == [0x70530010, 0x70531000]  # noqa: SIM118
    assert not any(tag.is_private for tag in _cleaned(dataset).keys())  # noqa: SIM118


def test_a_private_element_of_a_row_that_stays_goes_if_the_file_gives_it_another_vr() -> None:
    dataset = _object()
    block = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
    block.add_new(0x03, "FL", 1000.0)
    block.add_new(0x04, "LO", "a text")
    clean = _cleaned(dataset, "basic+safe-private")
    assert [tag for tag in clean.keys() if tag.is_private] == [0x20010010, 0x20011003]  # noqa: SIM118


def test_more_binary_numbers_than_a_private_row_can_have_go() -> None:
    dataset = _object()
    dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x27, "FD", [1.0] * 7)
    assert not any(tag.is_private for tag in _cleaned(dataset, "basic+safe-private").keys())  # noqa: SIM118


def test_the_time_of_a_place_by_satellites_goes_even_where_dates_are_kept() -> None:
    clean = _cleaned(_object(GPSTimeStamp="20200227101112", StudyDate="20200227"), "basic+modified-dates")
    assert ("GPSTimeStamp" in clean, clean.StudyDate != "") == (False, True)


def test_public_codes_stay_without_their_meanings_and_codes_of_the_house_go() -> None:
    public, own = Dataset(), Dataset()
    public.CodeValue, public.CodingSchemeDesignator, public.CodeMeaning = "39607008", "SCT", "Lung of J. Doe"
    own.CodeValue, own.CodingSchemeDesignator, own.CodeMeaning = "DOE", "99HOUSE", "J. Doe"
    clean = _cleaned(_object(AnatomicRegionSequence=Sequence([public, own])))
    found = clean.AnatomicRegionSequence
    assert (found[0].CodeValue, found[0].CodeMeaning, len(found[1])) == ("39607008", "39607008", 0)


def test_overlays_in_unused_bits_go_and_pixels_stay() -> None:
    stored = np.arange(16, dtype="<u2").reshape(4, 4)
    dataset = _object(Rows=4, Columns=4, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2")
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = (stored | 0x8000).tobytes()
    assert _cleaned(dataset).PixelData == stored.tobytes()


@pytest.mark.parametrize(("keyword", "vr"), [("SmallestImagePixelValue", "US"), ("FrameAcquisitionDuration", "FD")])
def test_text_in_place_of_a_binary_number_goes(keyword: str, vr: str) -> None:
    dataset = _object()
    dataset.add_new(keyword, vr, [0x4F44, 0x4A45, 0x484F, 0x4E4E] if vr == "US" else [1.0, 2.0])
    assert keyword not in _cleaned(dataset)


def test_a_number_that_is_a_time_only_by_its_digits_goes() -> None:
    assert shifted("TM", b"0612345678", 1) is None
    assert shifted("TM", b"061234.5678", 1) == b"061234.5678 "


def test_bytes_behind_float_pixels_go() -> None:
    dataset = _object(Rows=2, Columns=2, SamplesPerPixel=1, BitsAllocated=32, PhotometricInterpretation="MONOCHROME2")
    samples = np.arange(4, dtype="<f4").tobytes()
    dataset.FloatPixelData = samples + b"a name.."
    assert _cleaned(dataset).FloatPixelData == samples


def test_an_offset_table_beside_plain_pixels_goes() -> None:
    dataset = _object(Rows=2, Columns=2, SamplesPerPixel=1, BitsAllocated=8, PhotometricInterpretation="MONOCHROME2")
    dataset.PixelRepresentation, dataset.PixelData, dataset.ExtendedOffsetTable = 0, bytes(4), b"a name.."
    assert "ExtendedOffsetTable" not in _cleaned(dataset)


def test_pixels_in_an_item_of_a_sequence_go() -> None:
    item = Dataset()
    item.Rows, item.Columns, item.BitsAllocated, item.PixelData = 2, 2, 8, b"name"
    assert "PixelData" not in _cleaned(_object(AnatomicRegionSequence=Sequence([item]))).AnatomicRegionSequence[0]
