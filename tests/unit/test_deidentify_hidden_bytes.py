"""Places where no decoder looks: bytes there go, and what a decoder gives stays."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import imagecodecs
import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom.uid import RLELossless

from mist.ingest.deidentify.lookup_tables import entries_only
from mist.ingest.deidentify.native_samples import Form
from mist.ingest.deidentify.nifti import clean_nifti
from mist.ingest.deidentify.pictures import clean_picture
from mist.ingest.deidentify.plain_frames import plain_frame
from mist.ingest.dicom_decoders import DEFLATED_FRAMES, ENCAPSULATED_UNCOMPRESSED

NAME = b"Doe^John"
SAMPLES = np.arange(12, dtype="<u2").reshape(3, 4) * 300
FORM = Form(12, 16, 12, is_signed=False)


def _run_lengths(samples: bytes) -> bytes:
    """A frame of 16-bit samples with a name in its header, between its segments, in the last run and behind it."""
    planes = np.frombuffer(samples, np.uint8).reshape(-1, 2)[:, ::-1].T
    segments = [b"\x80" + bytes(imagecodecs.packbits_encode(plane.tobytes() + NAME)) + NAME for plane in planes]
    starts = (64, 64 + len(segments[0]))
    return struct.pack("<3L", 2, *starts) + NAME + bytes(44) + b"".join(segments)


@pytest.mark.parametrize("unused", [0, 0x8000])
def test_run_lengths_hold_samples_and_nothing_else(unused: int) -> None:
    clean = plain_frame(_run_lengths((SAMPLES | unused).tobytes()), FORM, (3, 4), RLELossless)
    count, *starts = struct.unpack_from("<3L", clean)
    planes = [imagecodecs.packbits_decode(clean[a:b])[:12] for a, b in zip(starts, [starts[1], None], strict=True)]
    assert count == 2
    assert NAME not in clean
    assert np.array_equal(np.array([list(plane) for plane in planes]).T @ [256, 1], SAMPLES.ravel())
    assert plain_frame(clean, FORM, (3, 4), RLELossless) == clean


@pytest.mark.parametrize("shape", [(3, 5), (6, 4)])
def test_run_lengths_of_fewer_samples_than_there_should_be_are_an_error(shape: tuple[int, int]) -> None:
    form = Form(shape[0] * shape[1], 16, 16, is_signed=False)
    with pytest.raises(ValueError, match="fewer samples"):
        plain_frame(_run_lengths(SAMPLES.tobytes())[:80], form, shape, RLELossless)


def test_run_lengths_of_another_number_of_segments_are_an_error() -> None:
    with pytest.raises(ValueError, match="another number of segments"):
        plain_frame(_run_lengths(SAMPLES.tobytes()), Form(12, 8, 8, is_signed=False), (3, 4), RLELossless)


def test_wrapped_and_deflated_frames_hold_samples_and_nothing_else() -> None:
    hidden = (SAMPLES | 0x8000).tobytes() + NAME
    packer = zlib.compressobj(wbits=-15)
    deflated = packer.compress(hidden) + packer.flush() + NAME
    clean = plain_frame(deflated, FORM, (3, 4), DEFLATED_FRAMES)
    assert plain_frame(hidden, FORM, (3, 4), ENCAPSULATED_UNCOMPRESSED) == SAMPLES.tobytes()
    assert (zlib.decompress(clean, wbits=-15), NAME in clean) == (SAMPLES.tobytes(), False)


@pytest.mark.parametrize(
    ("count", "bits", "stored", "left"),
    [
        (4, 16, b"12345678" + NAME, b"12345678"),
        (4, 8, b"12345678" + NAME, b"12345678"),
        (4, 8, b"1234Do", b"1234"),
        (3, 8, b"123D", b"123\0"),
        (3, 8, b"123", b"123"),
        (4, 16, b"1234", b"1234"),
    ],
)
def test_a_table_ends_with_its_last_entry(count: int, bits: int, stored: bytes, left: bytes) -> None:
    assert entries_only(stored, struct.pack("<3H", count, 0, bits), is_little_endian=True) == left


def test_a_table_that_nothing_describes_is_none() -> None:
    assert entries_only(NAME, b"", is_little_endian=True) is None


def _png(mode: str, **options: object) -> tuple[bytes, Image.Image]:
    """A picture with a name behind its samples, within their zlib stream."""
    picture = Image.fromarray(np.arange(35 * 3, dtype=np.uint8).reshape(7, 5, 3)).convert(mode)
    stream = io.BytesIO()
    picture.save(stream, "PNG", **options)
    data = stream.getvalue()
    start = data.index(b"IDAT")
    length = int.from_bytes(data[start - 4 : start])
    samples = zlib.compress(zlib.decompress(data[start + 4 : start + 4 + length]) + NAME, 0)
    chunk = b"IDAT" + samples
    whole = struct.pack(">I", len(samples)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[: start - 4] + whole + data[start + 8 + length :], picture


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_samples_of_a_png_end_with_the_last_row(mode: str) -> None:
    hidden, picture = _png(mode)
    clean = clean_picture(hidden)
    assert (NAME in hidden, NAME in clean) == (True, False)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(clean))), np.asarray(picture))


def test_a_png_without_anything_behind_keeps_its_samples_as_they_are_encoded() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.arange(200, dtype=np.uint8).reshape(10, 20)).save(stream, "PNG")
    assert clean_picture(stream.getvalue()) == stream.getvalue()


def test_advice_on_colours_goes_from_a_png_of_true_colours() -> None:
    hidden, _ = _png("RGB")
    chunk = b"PLTE" + b"a name"
    advice = struct.pack(">I", 6) + chunk + struct.pack(">I", zlib.crc32(chunk))
    assert b"a name" not in clean_picture(hidden[:33] + advice + hidden[33:])


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_of_a_nifti_header_that_mean_nothing_go_and_geometry_stays(kind: type, order: str) -> None:
    header = kind.header_class(endianness=order)  # type: ignore[attr-defined]
    picture = kind(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.diag([2.0, 3.0, 4.0, 1.0]), header)
    picture.set_qform(None, code=0)
    fields = picture.header
    fields["dim"][5:], fields["pixdim"][5:] = 77, 77
    unused = ["glmax", "glmin", "quatern_b", "qoffset_x", "intent_p1", "slice_duration", "scl_inter"]
    for name in (name for name in unused if name in fields):
        fields[name] = 77
    data = bytearray(picture.to_bytes())
    if kind is nib.Nifti1Image:
        struct.pack_into(f"{order}f", data, 116, 77)  # scl_inter, which nibabel writes itself
    else:
        struct.pack_into(f"{order}d", data, 184, 77)
    found = kind.from_bytes(clean_nifti(gzip.compress(bytes(data))))  # type: ignore[attr-defined]
    assert not any((np.asarray(found.header[name]) == 77).any() for name in found.header)
    assert np.array_equal(found.affine, picture.affine)
    assert np.array_equal(np.asarray(found.dataobj), np.asarray(picture.dataobj))
    assert found.header["pixdim"][:4].tolist() == picture.header["pixdim"][:4].tolist()


def test_a_qform_that_counts_stays_also_of_a_flat_image() -> None:
    picture = nib.Nifti1Image(np.zeros((2, 3), np.int16), None)
    affine = np.array([[0, -2.0, 0, 5], [3.0, 0, 0, 6], [0, 0, 4.0, 7], [0, 0, 0, 1]])
    picture.set_qform(affine, code=1)
    found = nib.Nifti1Image.from_bytes(clean_nifti(picture.to_bytes()))
    assert np.allclose(found.get_qform(), affine, atol=1e-5)
