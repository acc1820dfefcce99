from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mist.errors import SourceRefused
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


def _cleaned(
    dataset: Dataset, profile: str = "basic", *, syntax: UID = ExplicitVRLittleEndian, behind: bytes = b""
) -> FileDataset:
    """`dataset` from a file with `behind` at its end, cleaned."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    dcmwrite(stream, FileDataset("", dataset, bytes(128), meta, syntax.is_implicit_VR, syntax.is_little_endian))
    stream.write(behind)
    stream.seek(0)
    return dcmread(BytesIO(clean_file(dcmread(stream), KEY, Profile.parse(profile), Tally())))


def _written(dataset: FileDataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


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


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_safe_private_numbers_stay_if_asked_for_and_nothing_else_that_is_private(syntax: UID) -> None:
    dataset = _object()
    block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "0.5")
    block.add_new(0x01, "LO", "a text")
    clean = _cleaned(dataset, "basic+safe-private", syntax=syntax)
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


def _items(count: int) -> bytes:
    """Items in Implicit VR Little Endian, each with a name, a text of no row and a number."""
    name, text, number = (struct.pack("<HHL", *tag, 8) for tag in ((0x10, 0x10), (0x8, 0xFFEE), (0x18, 0x50)))
    time = struct.pack("<HHLd", 0x18, 0x9073, 8, 1.5)
    item = name + b"Doe^John" + text + b"Doe^John" + number + b"2.500000" + time
    return (struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item) * count


def _unknown(tag: int, value: bytes, order: str = "<") -> bytes:
    """An element of unknown VR as it stands in a file."""
    return struct.pack(f"{order}HH2sHL", tag >> 16, tag & 0xFFFF, b"UN", 0, len(value)) + value


@pytest.mark.parametrize(("syntax", "order"), [(ExplicitVRLittleEndian, "<"), (ExplicitVRBigEndian, ">")])
@pytest.mark.parametrize("count", [2, 2000])
def test_a_sequence_of_unknown_vr_is_cleaned_item_by_item_whatever_its_length(
    syntax: UID, order: str, count: int
) -> None:
    clean = _cleaned(_object(), syntax=syntax, behind=_unknown(0x00289110, _items(count), order))
    numbers = [(item.SliceThickness, item.AcquisitionDuration) for item in clean.PixelMeasuresSequence]
    assert numbers == [(2.5, 1.5)] * count
    assert {str(item.PatientName) for item in clean.PixelMeasuresSequence} == {KEY.pseudonym("patient", "one")}
    assert b"Doe" not in _written(clean)


@pytest.mark.parametrize("size", [2, 70_000])
def test_bytes_in_place_of_a_sequence_are_refused_with_what_they_are(size: int) -> None:
    said = rf"\(0028,9110\) PixelMeasuresSequence .* {size} bytes of unknown VR \(UN\)"
    with pytest.raises(SourceRefused, match=said):
        _cleaned(_object(), behind=_unknown(0x00289110, b"a" * size))


@pytest.mark.parametrize("tag", [0x0008FFEE, 0x00091010, 0x00104000, 0x00420011])
@pytest.mark.parametrize("count", [1, 10_000])
def test_values_of_unknown_vr_go_whatever_their_length(tag: int, count: int) -> None:
    assert b"Doe" not in _written(_cleaned(_object(), behind=_unknown(tag, b"Doe^John" * count)))


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
