"""Whatever is in a file that was ingested, it comes back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pydicom
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mist.kept_bytes import kept_of, restored_body, spans_of
from mist.kept_file import KeptFile, Layout
from mist.kept_wrapping import Wrapping
from tests.source_files import only_kept

SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)


@st.composite
def objects(draw: st.DrawFn) -> tuple[Dataset, pydicom.uid.UID]:
    """Uncompressed DICOM objects with any bits in their pixels, and how to write them."""
    rows, columns, frames = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(1, 3))
    colours, bits = draw(st.sampled_from([(1, 8), (1, 16), (1, 32), (3, 8), (3, 16)]))
    count = rows * columns * frames * colours * bits // 8
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CTImageStorage, "1.2.3", "OT"
    dataset.PatientComments = draw(st.text("abc \n", max_size=30))
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames, dataset.SamplesPerPixel = rows, columns, frames, colours
    kinds = ["RGB", "YBR_FULL"][: 1 + (bits == 8)] if colours == 3 else ["MONOCHROME1", "MONOCHROME2"]
    dataset.PhotometricInterpretation = draw(st.sampled_from(kinds))
    dataset.BitsAllocated, dataset.BitsStored = bits, draw(st.integers(1, bits))
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, draw(st.integers(0, int(colours == 1)))
    if colours == 3:
        dataset.PlanarConfiguration = draw(st.integers(0, 1))
    padding = draw(st.sampled_from([0, 2])) if count > 4 * frames else 0  # of a frame's size it would be one
    dataset.PixelData = draw(st.binary(min_size=count, max_size=count)) + bytes(count % 2 + padding)
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    return dataset, draw(st.sampled_from(SYNTAXES))


@given(objects(), st.binary(max_size=5))
def test_any_uncompressed_object_comes_back_byte_for_byte(case: tuple[Dataset, pydicom.uid.UID], after: bytes) -> None:
    dataset, syntax = case
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.dcm"
        dataset.save_as(path, enforce_file_format=True)
        path.write_bytes(path.read_bytes() + bytes(len(after)))
        found = only_kept(path)
        assert found.is_exact
        assert found.back == path.read_bytes()


@given(
    body=st.binary(max_size=200),
    places=st.lists(
        st.tuples(st.integers(-5, 210), st.integers(0, 3)), max_size=5, unique_by=lambda place: place[0] // 8
    ),
    seed=st.integers(0, 3),
)
def test_any_body_comes_back_wherever_voxels_are_sought_in_it(
    body: bytes, places: list[tuple[int, int]], seed: int
) -> None:
    sheets = np.random.default_rng(seed).integers(0, 2, (4, 2, 2)).astype(np.uint16)
    layout = Layout("<i2")
    apart = [(offset - offset % 8, sheet) for offset, sheet in sorted(places)]
    spans = spans_of(body, layout, sheets, apart)
    file = KeptFile("a", len(body), "", Wrapping.NONE, len(body), "", layout, spans)
    kept = kept_of(body, file, sheets)
    assert len(kept) == file.kept_bytes(4)
    assert restored_body(memoryview(kept), KeptFile.from_json(file.to_json()), sheets) == body
