"""De-identification takes away what is no picture, and never a picture that Number of Frames forgets."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLSLossless

from mist.errors import SourceRefused
from mist.ingest.deidentify.dicom_pixels import clean_pixels
from mist.ingest.deidentify.pictures import clean_picture
from tests.dicom_objects import image, noise

FRAMES = noise(2, 8, 8)
STREAMS = [bytes(imagecodecs.jpegls_encode(frame)) for frame in FRAMES]
EVEN = [stream + bytes(len(stream) % 2) for stream in STREAMS]


def cleaned(dataset: Dataset, syntax: UID) -> Dataset:
    """A dataset as it is read of a file, cleaned."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset["PixelData"].VR = "OW" if syntax == ExplicitVRLittleEndian else "OB"
    file = io.BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    read = dcmread(io.BytesIO(file.getvalue()))
    clean_pixels(read, syntax, is_little_endian=True)
    return read


def test_a_second_picture_where_one_frame_is_said_is_refused() -> None:
    dataset = image(FRAMES[0], PixelData=encapsulate(EVEN, has_bot=False))

    with pytest.raises(SourceRefused, match="the header says 1 frames, and there are 2; correct Number of Frames"):
        cleaned(dataset, JPEGLSLossless)


def test_samples_of_a_second_frame_where_one_is_said_are_refused() -> None:
    with pytest.raises(SourceRefused, match="the header says 1 frames, and there are 2; correct Number of Frames"):
        cleaned(image(FRAMES[0], PixelData=FRAMES.tobytes()), ExplicitVRLittleEndian)


def test_the_byte_that_makes_one_sample_even_is_no_frame() -> None:
    assert len(cleaned(image(noise(1, 1, dtype="uint8", top=200)), ExplicitVRLittleEndian).PixelData) == 2


def test_offsets_that_read_a_frame_in_the_place_of_another_are_refused() -> None:
    encoded, offsets, lengths = encapsulate_extended(EVEN)
    dataset = image(FRAMES, frames=2, PixelData=encoded, ExtendedOffsetTableLengths=lengths)
    dataset.ExtendedOffsetTable = np.frombuffer(offsets, "<u8")[::-1].tobytes()

    with pytest.raises(SourceRefused, match="its Extended Offset Table does not say where its frames lie"):
        cleaned(dataset, JPEGLSLossless)


def test_a_png_with_a_damaged_chunk_gets_no_new_checksum() -> None:
    data = bytearray(imagecodecs.png_encode(noise(8, 8, dtype="uint8", top=200)))
    data[data.index(b"IHDR") + 5] ^= 1

    with pytest.raises(SourceRefused, match="a chunk does not have its checksum; get it again"):
        clean_picture(bytes(data))
