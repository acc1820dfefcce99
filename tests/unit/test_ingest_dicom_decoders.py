from __future__ import annotations

import struct
import zlib
from pathlib import Path

import gdcm
import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from mist.errors import SourceRefused
from mist.ingest.dicom import read_dicom
from mist.ingest.dicom_decoders import DEFLATED_FRAMES, ENCAPSULATED_UNCOMPRESSED, jpeg_precision

FULL_PROGRESSION = UID("1.2.840.10008.1.2.4.55")


def object_of(frames: list[bytes], bits: int, shape: tuple[int, int], **attributes: object) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = SecondaryCaptureImageStorage, "1.2.3", "OT"
    dataset.Rows, dataset.Columns = shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.NumberOfFrames = bits - 1, len(frames)
    dataset.PixelData = encapsulate(frames)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def stored(dataset: Dataset, path: Path, syntax: UID) -> npt.NDArray[np.integer | np.floating]:
    dataset.file_meta = FileMetaDataset()
    is_known = syntax != DEFLATED_FRAMES  # pydicom refuses to write what it does not know
    dataset.file_meta.TransferSyntaxUID = syntax if is_known else ENCAPSULATED_UNCOMPRESSED
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path, enforce_file_format=True)
    if not is_known:
        path.write_bytes(path.read_bytes().replace(ENCAPSULATED_UNCOMPRESSED.encode(), syntax.encode() + b"\0"))
    return read_dicom([path]).volume.voxels


def deflated(frame: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(frame) + packing.flush()


def rle(frame: bytes) -> bytes:
    """A frame in one segment of RLE."""
    header = np.array([1, 64, *[0] * 14], "<u4").tobytes()
    return header + imagecodecs.packbits_encode(frame)


def bits(count: int, shape: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], list[bytes]]:
    """Frames of single bits, and the same packed, each frame from a byte of its own."""
    frames = np.random.default_rng(2).integers(0, 2, (count, *shape)).astype(np.uint8)
    return frames, [np.packbits(frame, axis=None, bitorder="little").tobytes() for frame in frames]


@pytest.mark.parametrize("shape", [(8, 16), (5, 7), (1, 1)])
@pytest.mark.parametrize(
    ("syntax", "encode"), [(DEFLATED_FRAMES, deflated), (ENCAPSULATED_UNCOMPRESSED, bytes), (RLELossless, rle)]
)
def test_frames_of_single_bits_come_back(tmp_path: Path, syntax: UID, encode: object, shape: tuple[int, int]) -> None:
    assert callable(encode)
    frames, packed = bits(3, shape)

    np.testing.assert_array_equal(stored(object_of([*map(encode, packed)], 1, shape), tmp_path / "a", syntax), frames)


@pytest.mark.parametrize(("syntax", "encode"), [(DEFLATED_FRAMES, deflated), (ENCAPSULATED_UNCOMPRESSED, bytes)])
def test_frames_of_16_bits_come_back(tmp_path: Path, syntax: UID, encode: object) -> None:
    assert callable(encode)
    frames = np.random.default_rng(3).integers(0, 1 << 16, (2, 5, 7)).astype(np.uint16)

    dataset = object_of([encode(frame.tobytes()) for frame in frames], 16, (5, 7))

    np.testing.assert_array_equal(stored(dataset, tmp_path / "a", syntax), frames)


def test_a_deflated_frame_that_is_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="a frame holds 3 bytes instead of 70; the file is damaged"):
        stored(object_of([deflated(b"abc")], 16, (5, 7)), tmp_path / "a", DEFLATED_FRAMES)


def test_a_deflated_bomb_is_unpacked_to_one_frame_and_no_further(tmp_path: Path) -> None:
    frame = np.arange(35, dtype=np.uint16).tobytes()

    voxels = stored(object_of([deflated(frame + bytes(1 << 28))], 16, (5, 7)), tmp_path / "a", DEFLATED_FRAMES)

    assert voxels.ravel().tolist() == list(range(35))


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_12_bit_jpeg_is_decoded_as_gdcm_decodes_it(name: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    assert reader.Read()
    expected = np.frombuffer(reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape"), "<u2")

    voxels = read_dicom([Path(path)]).volume.voxels

    np.testing.assert_array_equal(voxels.ravel(), expected)


def test_a_jpeg_stream_of_other_precision_than_the_header_is_refused(tmp_path: Path) -> None:
    stream = bytes(imagecodecs.jpeg_encode(np.zeros((8, 8), np.uint8)))
    dataset = object_of([stream], 16, (8, 8), BitsStored=12, HighBit=11)

    with pytest.raises(SourceRefused, match="has 8 bits a sample, and the header says 12 of 16"):
        stored(dataset, tmp_path / "a", JPEGExtended12Bit)


def test_a_progressive_jpeg_of_signed_samples_is_refused(tmp_path: Path) -> None:
    dataset = object_of([bytes(8)], 16, (8, 8), BitsStored=12, HighBit=11, PixelRepresentation=1)

    with pytest.raises(SourceRefused, match="is taken for unsigned grey images only"):
        stored(dataset, tmp_path / "a", FULL_PROGRESSION)


def test_the_precision_of_a_stream_is_that_of_its_frame_header() -> None:
    assert jpeg_precision(bytes(imagecodecs.jpeg_encode(np.zeros((8, 8), np.uint8)))) == 8


@pytest.mark.parametrize("stream", [b"", b"\xff\xd8", b"\xff\xd8\xff\xff\xff", b"\xff\xd8\xff\xc3\0\x0b\x0c"])
def test_a_stream_without_a_frame_header_is_refused(stream: bytes) -> None:
    with pytest.raises(SourceRefused, match="has no frame header"):
        jpeg_precision(stream)


def test_another_number_of_frames_than_the_header_says_is_refused(tmp_path: Path) -> None:
    dataset = object_of([deflated(bytes(70))] * 2, 16, (5, 7), NumberOfFrames=3)

    with pytest.raises(SourceRefused, match="the header says 3 frames, and there are only 2"):
        stored(dataset, tmp_path / "a", DEFLATED_FRAMES)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_more_pictures_than_frames_are_refused_where_no_offsets_tell_them_apart(tmp_path: Path, syntax: UID) -> None:
    samples = np.arange(64, dtype=np.uint16).reshape(8, 8)
    frame = {
        JPEG2000Lossless: bytes(imagecodecs.jpeg2k_encode(samples, codecformat="j2k", level=0)),
        JPEGLSLossless: bytes(imagecodecs.jpegls_encode(samples)),
        RLELossless: struct.pack("<16L", 2, 64, 66, *[0] * 13) + b"\xc1\0\xc1\1",
    }[syntax]
    dataset = object_of([frame], 16, (8, 8))
    stored(dataset, tmp_path / "a", syntax)
    dataset.PixelData = encapsulate([frame, frame], has_bot=False)

    with pytest.raises(SourceRefused, match="the header says 1 frames, and there are 2; correct Number of Frames"):
        stored(dataset, tmp_path / "b", syntax)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_the_sign_is_the_last_stored_bit_where_a_stream_of_more_bits_has_none(tmp_path: Path, syntax: UID) -> None:
    expected = np.arange(-2048, 2048, 64, dtype=np.int16).reshape(8, 8)
    words = expected.view(np.uint16) & 0xFFF
    frame = {
        JPEG2000Lossless: bytes(imagecodecs.jpeg2k_encode(words, codecformat="j2k", level=0)),
        JPEGLSLossless: bytes(imagecodecs.jpegls_encode(words)),
    }[syntax]
    dataset = object_of([frame], 16, (8, 8), BitsStored=12, HighBit=11, PixelRepresentation=1)

    np.testing.assert_array_equal(stored(dataset, tmp_path / "a", syntax), expected)


@pytest.mark.parametrize("places", [(1, 0), (0, 0)])
def test_a_table_of_offsets_that_reads_a_frame_in_the_place_of_another_is_refused(
    tmp_path: Path, places: tuple[int, int]
) -> None:
    frames = [bytes(imagecodecs.jpegls_encode(np.full((8, 8), value, np.uint16))) for value in (7, 9)]
    encoded, offsets, lengths = encapsulate_extended([frame + bytes(len(frame) % 2) for frame in frames])
    dataset = object_of(frames, 16, (8, 8), PixelData=encoded, ExtendedOffsetTableLengths=lengths)
    dataset.ExtendedOffsetTable = offsets
    stored(dataset, tmp_path / "a", JPEGLSLossless)
    dataset.ExtendedOffsetTable = np.frombuffer(offsets, "<u8")[list(places)].tobytes()

    with pytest.raises(SourceRefused, match="its Extended Offset Table does not say where its frames lie"):
        stored(dataset, tmp_path / "b", JPEGLSLossless)
