from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mist.errors import SourceRefused
from mist.ingest.dicom_dataset import numbers, text, value_of

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]


def read(syntax: str = ExplicitVRLittleEndian, **attributes: object) -> FileDataset:
    """A dataset as a file has it: nothing of it is converted yet."""
    return dcmread(BytesIO(stored(syntax, **attributes)), force=True)


def stored(syntax: str = ExplicitVRLittleEndian, **attributes: object) -> bytes:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=False)
    return stream.getvalue()


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Rows", 258),
        ("RescaleSlope", "0.5"),
        ("NumberOfFrames", "7"),
        ("Modality", "CT"),
        ("SeriesInstanceUID", "1.2.3"),
        ("BodyPartExamined", ""),
        ("RescaleType", "HU"),
    ],
)
def test_a_value_is_what_pydicom_makes_of_it_the_second_time_too(syntax: str, keyword: str, value: object) -> None:
    for _ in range(2):
        assert value_of(read(syntax, **{keyword: value}), keyword) == read(syntax, **{keyword: value})[keyword].value


def test_the_same_bytes_are_other_numbers_in_the_other_byte_order() -> None:
    little, big = read(ExplicitVRLittleEndian, Rows=0x0102), read(ExplicitVRBigEndian, Rows=0x0201)

    assert (value_of(little, "Rows"), value_of(big, "Rows")) == (0x0102, 0x0201)


def test_the_same_bytes_are_other_letters_in_another_character_set() -> None:
    latin = read(SpecificCharacterSet="ISO_IR 100", RescaleType="\u00e4")
    greek = read(SpecificCharacterSet="ISO_IR 126", RescaleType="\u03b4")

    assert (text(latin, "RescaleType"), text(greek, "RescaleType")) == ("\u00e4", "\u03b4")


def test_several_numbers_cannot_be_changed_for_those_who_ask_next() -> None:
    assert isinstance(value_of(read(PixelSpacing=[0.5, 0.75]), "PixelSpacing"), tuple)


def test_several_names_are_each_askers_own() -> None:
    first, second = (value_of(read(Modality=["CT", "PT"]), "Modality") for _ in range(2))

    assert first == second == ["CT", "PT"]
    assert first is not second


def test_an_attribute_that_is_absent_has_no_value() -> None:
    assert value_of(read(Rows=1), "Columns") is None


def test_a_value_that_was_changed_after_reading_is_the_new_one() -> None:
    dataset = read(Rows=4)
    assert value_of(dataset, "Rows") == 4

    dataset.Rows = 5

    assert value_of(dataset, "Rows") == 5


def test_a_malformed_number_is_refused_each_time() -> None:
    for _ in range(2):
        dataset = dcmread(BytesIO(stored(PixelSpacing=["1234", "1"]).replace(b"1234", b"many")), force=True)
        with pytest.raises((SourceRefused, ValueError), match="many"):
            numbers(value_of(dataset, "PixelSpacing"), "PixelSpacing", 2)


def test_a_number_too_few_is_refused_with_what_is_there() -> None:
    with pytest.raises(SourceRefused, match=r"PixelSpacing is '0.5, 0.75', not 3 finite numbers"):
        numbers(value_of(read(PixelSpacing=["0.5", "0.75"]), "PixelSpacing"), "PixelSpacing", 3)
