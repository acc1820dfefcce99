from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, HTJ2KLossless, JPEG2000Lossless

from mist.errors import SourceRefused
from mist.ingest.dicom_samples import require_clear_samples


def an_object(*, syntax: UID = ExplicitVRLittleEndian, **attributes: object) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset("a.dcm", {}, file_meta=meta)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelData = np.zeros(4, "<u2").tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize("photometric", ["HSV", "ARGB", "CMYK", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "", "SOMETHING"])
def test_colours_that_no_decoder_turns_into_rgb_are_refused(photometric: str) -> None:
    with pytest.raises(SourceRefused, match=f"its Photometric Interpretation is {photometric!r} with 3 samples"):
        require_clear_samples(an_object(SamplesPerPixel=3, PhotometricInterpretation=photometric))


def test_an_object_that_does_not_say_what_its_samples_are_is_refused() -> None:
    dataset = an_object()
    del dataset.PhotometricInterpretation

    with pytest.raises(SourceRefused, match="export it anew"):
        require_clear_samples(dataset)


@pytest.mark.parametrize(("photometric", "samples"), [("MONOCHROME2", 3), ("RGB", 1), ("RGB", 4)])
def test_an_object_with_more_or_fewer_samples_than_its_colours_is_refused(photometric: str, samples: int) -> None:
    with pytest.raises(SourceRefused, match=f"{photometric!r} with {samples} samples a pixel"):
        require_clear_samples(an_object(SamplesPerPixel=samples, PhotometricInterpretation=photometric))


@pytest.mark.parametrize("photometric", ["YBR_RCT", "YBR_ICT"])
def test_the_colours_of_jpeg_2000_are_those_of_jpeg_2000_alone(photometric: str) -> None:
    for syntax in (JPEG2000Lossless, HTJ2KLossless):
        require_clear_samples(an_object(syntax=syntax, SamplesPerPixel=3, PhotometricInterpretation=photometric))

    with pytest.raises(SourceRefused, match="its pixels are Explicit VR Little Endian; export it anew as RGB"):
        require_clear_samples(an_object(SamplesPerPixel=3, PhotometricInterpretation=photometric))


def test_values_that_lie_in_the_high_bits_are_refused() -> None:
    require_clear_samples(an_object())

    with pytest.raises(SourceRefused, match=r"its High Bit is 15 with 12 bits stored.*must be 11"):
        require_clear_samples(an_object(HighBit=15))


def test_single_bits_in_words_of_swapped_bytes_are_refused() -> None:
    dataset = an_object(syntax=ExplicitVRBigEndian, BitsAllocated=1, BitsStored=1, HighBit=0)
    dataset["PixelData"].VR = "OB"
    require_clear_samples(dataset)

    dataset["PixelData"].VR = "OW"
    with pytest.raises(SourceRefused, match=r"single bits in big-endian words .*convert it"):
        require_clear_samples(dataset)


def test_slices_side_by_side_in_one_image_are_refused() -> None:
    require_clear_samples(an_object(ImageType=["ORIGINAL", "PRIMARY", "M", "ND"]))

    with pytest.raises(SourceRefused, match=r"it is a mosaic .* convert the series to NIfTI"):
        require_clear_samples(an_object(ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]))
