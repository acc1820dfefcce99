from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from mist.errors import SourceRefused
from mist.geometry import Space
from mist.ingest.deidentify.pictures import clean_tiff
from mist.ingest.tiff import read_tiff
from mist.volume import Volume

PLANES = np.arange(2 * 5 * 6 * 7, dtype=np.uint16).reshape(2, 5, 6, 7)
COLOURS = np.arange(4 * 6 * 7 * 3, dtype=np.uint16).reshape(4, 6, 7, 3).astype(np.uint8)
SIZES = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 2.0}
IN_MM = {f"{name}Unit": "mm" for name in SIZES}


def save(path: Path, samples: Any, axes: str, **said: Any) -> Path:  # noqa: ANN401 - what tifffile takes
    """An OME-TIFF file of those axes."""
    photometric = "rgb" if "S" in axes else "minisblack"
    tifffile.imwrite(path, samples, ome=True, photometric=photometric, metadata={"axes": axes, **said})
    return path


def save_imagej(path: Path, samples: Any, axes: str, **said: Any) -> Path:  # noqa: ANN401 - what tifffile takes
    tifffile.imwrite(path, samples, imagej=True, resolution=(2, 4), metadata={"axes": axes, **said})
    return path


def save_described(path: Path, description: str) -> Path:
    """A file of five pages of which OME-XML says so."""
    tifffile.imwrite(path, PLANES[0], metadata=None, description=description.encode())
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.tif"


@pytest.fixture
def ome_xml(tmp_path: Path) -> str:
    """What stands in a file of five slices."""
    with tifffile.TiffFile(save(tmp_path / "slices.tif", PLANES[0], "ZYX")) as tiff:
        return tiff.ome_metadata or ""


def volume_of(path: Path) -> Volume:
    return read_tiff(path, is_mask=False).volume


@pytest.mark.parametrize(
    ("samples", "axes", "expected"),
    [
        (PLANES[0], "ZYX", "zyx"),
        (PLANES[0], "TYX", "tyx"),
        (PLANES, "TZYX", "tzyx"),
        (PLANES[0, 0], "YX", "yx"),
        (COLOURS, "ZYXS", "zyxc"),
        (COLOURS[0], "YXS", "yxc"),
    ],
)
def test_pages_are_what_ome_xml_says(path: Path, samples: Any, axes: str, expected: str) -> None:  # noqa: ANN401
    volume = volume_of(save(path, samples, axes))
    assert volume.axes == expected
    np.testing.assert_array_equal(volume.voxels, samples)


@pytest.mark.parametrize(
    ("unit", "millimetres"), [("mm", 1.0), ("\u00b5m", 1e-3), ("nm", 1e-6), ("cm", 10.0), ("in", 25.4), (None, 1e-3)]
)
def test_distances_of_ome_xml_are_lengths_in_its_unit(path: Path, unit: str | None, millimetres: float) -> None:
    units = {} if unit is None else {f"{name}Unit": unit for name in SIZES}
    geometry = volume_of(save(path, PLANES[0], "ZYX", **SIZES, **units)).geometry
    assert geometry.space is Space.LOCAL
    assert geometry.spacing == pytest.approx((2.0 * millimetres, 0.25 * millimetres, 0.5 * millimetres))


def test_an_image_needs_no_distance_between_slices(path: Path) -> None:
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25}
    assert volume_of(save(path, PLANES[0, 0], "YX", **sizes, **IN_MM)).geometry.spacing == (1.0, 0.25, 0.5)


@pytest.mark.parametrize("left_out", SIZES)
def test_slices_without_one_of_the_distances_have_no_place(path: Path, left_out: str) -> None:
    sizes = {name: size for name, size in SIZES.items() if name != left_out}
    assert volume_of(save(path, PLANES[0], "ZYX", **sizes, **IN_MM)).geometry.space is Space.INDEX


def test_distances_in_pixels_are_none(path: Path) -> None:
    units = {f"{name}Unit": "pixel" for name in SIZES}
    assert volume_of(save(path, PLANES[0], "ZYX", **SIZES, **units)).geometry.space is Space.INDEX


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"PhysicalSizeX": -1}, r"PhysicalSizeX is -1 .*must be a positive length; correct it"),
        ({"PhysicalSizeX": 0}, r"PhysicalSizeX is 0 .*correct it"),
        ({"PhysicalSizeX": 1, "PhysicalSizeXUnit": "furlong"}, "in 'furlong', .*; save it in mm"),
    ],
)
def test_a_distance_that_is_no_length_is_refused(path: Path, said: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceRefused, match=message):
        volume_of(save(path, PLANES[0], "ZYX", **said))


@pytest.mark.parametrize(
    ("samples", "axes", "said"),
    [
        (PLANES[0], "CYX", "5 channels"),
        (PLANES, "ZTYX", "2 slices x 5 time points"),
        (PLANES, "CZYX", "2 channels x 5 slices"),
    ],
)
def test_pages_that_no_volume_has_are_refused(path: Path, samples: Any, axes: str, said: str) -> None:  # noqa: ANN401
    with pytest.raises(SourceRefused, match=rf"its pages are {said}; .*: save each other one as a file"):
        volume_of(save(path, samples, axes))


def test_several_images_in_one_file_are_refused(path: Path) -> None:
    with tifffile.TiffWriter(path, ome=True) as tiff:
        for _ in range(2):
            tiff.write(PLANES[0], metadata={"axes": "ZYX"})
    with pytest.raises(SourceRefused, match=r"2 images \(series, scenes\); save each one as a file"):
        volume_of(path)


def test_ome_xml_that_is_damaged_is_refused(path: Path, ome_xml: str) -> None:
    with pytest.raises(SourceRefused, match="its OME-XML is damaged"):
        volume_of(save_described(path, ome_xml.replace("</Image>", "")))


def test_ome_xml_that_names_other_files_is_refused_and_they_are_not_opened(path: Path, ome_xml: str) -> None:
    save(path.parent / "other.tif", PLANES[0], "ZYX")
    uuid = '<UUID FileName="other.tif">urn:uuid:00000000-0000-0000-0000-000000000001</UUID>'
    elsewhere = ome_xml.replace('PlaneCount="5"/>', f'PlaneCount="5">{uuid}</TiffData>')
    with pytest.raises(SourceRefused, match="or names other files"):
        volume_of(save_described(path, elsewhere))


def test_ome_xml_that_turns_the_pages_round_is_refused(path: Path, ome_xml: str) -> None:
    turned = "".join(f'<TiffData IFD="{4 - z}" FirstZ="{z}" PlaneCount="1"/>' for z in range(5))
    with pytest.raises(SourceRefused, match="another order than the file has them"):
        volume_of(save_described(path, ome_xml.replace('<TiffData IFD="0" PlaneCount="5"/>', turned)))


@pytest.mark.parametrize(("axes", "expected"), [("ZYX", "zyx"), ("TYX", "tyx")])
def test_pages_are_what_imagej_says(path: Path, axes: str, expected: str) -> None:
    volume = volume_of(save_imagej(path, PLANES[0], axes))
    assert (volume.axes, volume.geometry.space) == (expected, Space.INDEX)
    np.testing.assert_array_equal(volume.voxels, PLANES[0])


@pytest.mark.parametrize(("unit", "millimetres"), [("mm", 1.0), ("um", 1e-3), ("\\u00B5m", 1e-3), ("inch", 25.4)])
def test_distances_of_imagej_are_lengths_in_its_unit(path: Path, unit: str, millimetres: float) -> None:
    geometry = volume_of(save_imagej(path, PLANES[0], "ZYX", spacing=3.0, unit=unit)).geometry
    assert geometry.space is Space.LOCAL
    assert geometry.spacing == pytest.approx((3.0 * millimetres, 0.25 * millimetres, 0.5 * millimetres))


def test_channels_of_imagej_are_refused(path: Path) -> None:
    with pytest.raises(SourceRefused, match="5 slices x 2 channels"):
        volume_of(save_imagej(path, np.moveaxis(PLANES, 0, 1), "ZCYX"))


def test_planes_behind_the_one_page_of_a_file_are_not_left_out(path: Path) -> None:
    tifffile.imwrite(path, PLANES[0], imagej=True, truncate=True, metadata={"axes": "ZYX"})
    with pytest.raises(SourceRefused, match="it describes 5 planes, and has 1 pages; save it anew, a page a plane"):
        volume_of(path)


def test_pages_of_which_nothing_is_said_are_frames_without_a_place(path: Path) -> None:
    tifffile.imwrite(path, PLANES[0], metadata=None, resolution=(72, 72), resolutionunit="INCH")
    volume = volume_of(path)
    assert (volume.axes, volume.geometry.space) == ("tyx", Space.INDEX)


def test_pages_that_were_written_one_by_one_are_frames(path: Path) -> None:
    with tifffile.TiffWriter(path) as tiff:
        for plane in PLANES[0]:
            tiff.write(plane)
    assert volume_of(path).axes == "tyx"


@pytest.mark.parametrize(
    ("samples", "axes", "planar"),
    [
        (PLANES[0], "ZYX", None),
        (PLANES[0].astype(np.float32), "TYX", None),
        (PLANES, "TZYX", None),
        (PLANES[0, 0], "YX", None),
        (COLOURS, "ZYXS", None),
        (np.moveaxis(COLOURS, -1, 1), "ZSYX", "separate"),
    ],
)
def test_de_identified_pages_are_what_they_were_and_where(path: Path, samples: Any, axes: str, planar: Any) -> None:  # noqa: ANN401
    photometric = "rgb" if "S" in axes else "minisblack"
    said = {"axes": axes, "Name": "CNRY", **SIZES, **IN_MM}
    tifffile.imwrite(path, samples, ome=True, photometric=photometric, planarconfig=planar, metadata=said)
    clean = clean_tiff(path.read_bytes())
    path.with_name("clean.tif").write_bytes(clean)

    before, after = volume_of(path), volume_of(path.with_name("clean.tif"))

    assert (after.axes, after.geometry) == (before.axes, before.geometry)
    np.testing.assert_array_equal(after.voxels, before.voxels)
    assert b"CNRY" not in clean
    assert clean == clean_tiff(path.read_bytes())


@pytest.mark.parametrize(
    ("axes", "said"), [("CYX", {"Name": "CNRY"}), ("ZYX", {"PhysicalSizeX": 1, "PhysicalSizeXUnit": "CNRY"})]
)
def test_what_is_refused_of_a_file_that_still_identifies_is_not_quoted(
    path: Path, axes: str, said: dict[str, Any]
) -> None:
    with pytest.raises(SourceRefused, match="says of its pages") as refused:
        clean_tiff(save(path, PLANES[0], axes, **said).read_bytes())
    assert "CNRY" not in str(refused.value)
