from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from mist.errors import SourceRefused
from mist.ingest.dicom import read_dicom
from mist.volume import Rescale, Volume

INDICES = np.arange(12, dtype=np.uint8).reshape(3, 4)
SHADES = np.random.default_rng(0).integers(0, 1 << 16, (3, 12))
"""A palette of 16-bit colours: red, green, blue."""


def image(**attributes: object) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = SecondaryCaptureImageStorage, "1.2.3", "US"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 3, 4, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = INDICES.tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def palette(shades: npt.ArrayLike, first: int = 0, bits: int = 16, order: str = "<") -> dict[str, object]:
    told: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, entries in zip(("Red", "Green", "Blue"), np.asarray(shades), strict=True):
        told[f"{colour}PaletteColorLookupTableDescriptor"] = [len(entries), first, bits]
        data = entries.astype("u1") if bits == 8 else entries.astype(f"{order}u2")
        told[f"{colour}PaletteColorLookupTableData"] = data.tobytes()
    return told


def modality_lut(
    entries: npt.NDArray[np.integer], first: int = 0, order: str = "<", kind: str = "OD"
) -> dict[str, object]:
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [len(entries), first, 16], kind
    item.add_new("LUTData", "OW", entries.astype(f"{order}u2").tobytes())
    return {"ModalityLUTSequence": [item]}


def stored(dataset: Dataset, path: Path, syntax: UID = ExplicitVRLittleEndian) -> Volume:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, enforce_file_format=True)
    return read_dicom([path]).volume


def test_a_palette_of_16_bits_becomes_its_colours(tmp_path: Path) -> None:
    volume = stored(image(**palette(SHADES)), tmp_path / "a")

    assert (volume.axes, volume.voxels.dtype.name) == ("yxc", "uint16")
    np.testing.assert_array_equal(volume.voxels, SHADES.T.reshape(3, 4, 3))
    dataset = pydicom.dcmread(tmp_path / "a")
    np.testing.assert_array_equal(volume.voxels, apply_color_lut(dataset.pixel_array, dataset))


@pytest.mark.parametrize("factor", [256, 257])
def test_a_palette_of_8_bit_colours_in_16_becomes_them(tmp_path: Path, factor: int) -> None:
    volume = stored(image(**palette(SHADES // 256 * factor)), tmp_path / "a")

    assert volume.voxels.dtype == np.uint8
    np.testing.assert_array_equal(volume.voxels, (SHADES // 256).T.reshape(3, 4, 3))


def test_a_palette_of_8_bits_becomes_its_colours(tmp_path: Path) -> None:
    volume = stored(image(**palette(SHADES // 256, bits=8)), tmp_path / "a")

    np.testing.assert_array_equal(volume.voxels, (SHADES // 256).T.reshape(3, 4, 3))


def test_a_big_endian_palette_is_read_in_its_byte_order(tmp_path: Path) -> None:
    volume = stored(image(**palette(SHADES, order=">")), tmp_path / "a", ExplicitVRBigEndian)

    np.testing.assert_array_equal(volume.voxels, SHADES.T.reshape(3, 4, 3))


def test_indices_beyond_a_palette_have_its_first_and_last_colour(tmp_path: Path) -> None:
    volume = stored(image(**palette(SHADES[:, :5], first=3)), tmp_path / "a")

    np.testing.assert_array_equal(volume.voxels, SHADES.T[np.clip(INDICES.astype(int) - 3, 0, 4)])


def test_labels_that_have_a_palette_stay_labels(tmp_path: Path) -> None:
    volume = stored(image(**palette(SHADES), Modality="SEG"), tmp_path / "a")

    np.testing.assert_array_equal(volume.voxels, INDICES)


def test_a_real_palette_gives_the_colours_of_pydicom() -> None:
    path = get_testdata_file("examples_palette.dcm", download=False)
    assert isinstance(path, str)
    dataset = pydicom.dcmread(path)

    voxels = read_dicom([Path(path)]).volume.voxels

    np.testing.assert_array_equal(voxels, apply_color_lut(dataset.pixel_array, dataset) >> 8)


def test_a_segmented_palette_gives_the_colours_of_pydicom(tmp_path: Path) -> None:
    told: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    segments = np.array([0, 2, 0, 500, 1, 10, 60000], "<u2")  # two discrete entries, then a line of ten
    for colour in ("Red", "Green", "Blue"):
        told[f"{colour}PaletteColorLookupTableDescriptor"] = [12, 0, 16]
        told[f"Segmented{colour}PaletteColorLookupTableData"] = segments.tobytes()

    volume = stored(image(**told), tmp_path / "a")

    dataset = pydicom.dcmread(tmp_path / "a")
    assert volume.axes == "yxc"
    np.testing.assert_array_equal(volume.voxels, apply_color_lut(dataset.pixel_array, dataset))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"GreenPaletteColorLookupTableData": b"\0\0"}, "has 1 entries, and its descriptor says 12"),
        ({"GreenPaletteColorLookupTableDescriptor": [12, 0, 13]}, "says 13 bits an entry"),
        ({"GreenPaletteColorLookupTableDescriptor": None}, "its lookup table the image means nothing"),
    ],
)
def test_a_broken_palette_is_refused(tmp_path: Path, changed: dict[str, object], reason: str) -> None:
    with pytest.raises(SourceRefused, match=reason):
        stored(image(**{**palette(SHADES), **changed}), tmp_path / "a")


def test_a_modality_lut_gives_true_values_and_their_unit(tmp_path: Path) -> None:
    entries = np.random.default_rng(1).permutation(1 << 16)[:12]

    volume = stored(image(**modality_lut(entries)), tmp_path / "a")

    dataset = pydicom.dcmread(tmp_path / "a")
    assert volume.rescale == Rescale(unit="OD")
    np.testing.assert_array_equal(volume.voxels, entries[INDICES])
    np.testing.assert_array_equal(volume.voxels, apply_modality_lut(dataset.pixel_array, dataset))


def test_a_big_endian_modality_lut_is_read_in_its_byte_order(tmp_path: Path) -> None:
    lut = modality_lut(np.arange(12) * 300, order=">", kind="US")

    volume = stored(image(**lut), tmp_path / "a", ExplicitVRBigEndian)

    assert volume.rescale == Rescale()
    np.testing.assert_array_equal(volume.voxels, INDICES.astype(int) * 300)


def test_a_modality_lut_from_a_signed_value_on_is_taken(tmp_path: Path) -> None:
    pixels = (INDICES.astype("i2") - 6).tobytes()
    signed = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1, "PixelData": pixels}

    volume = stored(image(**modality_lut(np.arange(12) * 300, first=-6), **signed), tmp_path / "a")

    np.testing.assert_array_equal(volume.voxels, INDICES.astype(int) * 300)


def test_a_modality_lut_that_would_lose_stored_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="gives 12 different stored values only 6 true ones"):
        stored(image(**modality_lut(np.arange(12) // 2)), tmp_path / "a")


def test_a_modality_lut_beside_a_rescale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="several maps to true values"):
        stored(image(**modality_lut(np.arange(12)), RescaleSlope=1, RescaleIntercept=0), tmp_path / "a")
