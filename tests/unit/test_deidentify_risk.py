from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import DataElement, Dataset, dcmread
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from mist.ingest.deidentify.risk import burned_in_risk, may_show_face


def _read(**values: object) -> Dataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, bytes(128), meta)
    for keyword, value in ({"SOPClassUID": CTImageStorage, "Modality": "CT"} | values).items():
        dataset.add(DataElement(keyword, dictionary_VR(keyword), value, validation_mode=IGNORE))
    stream = BytesIO()
    dataset.save_as(stream)
    stream.seek(0)
    return dcmread(stream)


@pytest.mark.parametrize(
    "values",
    [
        {"BurnedInAnnotation": "YES"},
        {"BurnedInAnnotation": "Yes"},
        {"Modality": "us"},
        {"Modality": "US"},
        {"Modality": ""},
        {"SOPClassUID": SecondaryCaptureImageStorage},
        {"ConversionType": "WSD"},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    ],
)
def test_what_says_or_is_known_to_show_text_is_a_risk(values: dict[str, object]) -> None:
    assert burned_in_risk(_read(**values))


def test_an_ultrasound_image_that_says_there_is_no_text_is_none() -> None:
    assert burned_in_risk(_read(Modality="US", BurnedInAnnotation="NO")) == ""


def test_a_plain_slice_is_none() -> None:
    assert burned_in_risk(_read()) == ""


def test_a_head_may_show_a_face_and_a_chest_does_not() -> None:
    assert may_show_face(_read(BodyPartExamined="HEAD"))
    assert not may_show_face(_read(BodyPartExamined="CHEST"))
    assert not may_show_face(_read(BodyPartExamined="HEAD", RecognizableVisualFeatures="NO"))
