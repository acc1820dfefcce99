from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from mist.delivery.image_plan import plan_image
from mist.delivery.image_request import parse_image_request
from mist.delivery.parameter import BadQuery
from mist.errors import InvalidRequest
from mist.geometry import geometry_from_spacing
from mist.scan import ScanHeader
from mist.volume import Volume
from mist_storage.scan_reader import BytesReader, ScanReader
from mist_storage.scan_writer import EncodedScan, encode_scan

PLENTY = 1 << 40


@dataclass
class Scans:
    """Scans that are encoded when first asked for."""

    made: dict[str, EncodedScan] = field(default_factory=dict)

    def get(self, axes: str, *shape: int) -> EncodedScan:
        if axes not in self.made:
            voxels = np.random.default_rng(3).integers(-900, 900, shape, np.int16)
            self.made[axes] = encode_scan(Volume(voxels, axes, geometry_from_spacing((2.0, 0.7, 0.7))))
        return self.made[axes]


@pytest.fixture(scope="module")
def ct() -> EncodedScan:
    return Scans().get("zyx", 21, 90, 70)


@pytest.fixture(scope="module")
def cine() -> EncodedScan:
    return Scans().get("tyx", 5, 60, 50)


def delivered(scan: EncodedScan, **parameters: str) -> Volume:
    plan = plan_image(scan.header, parse_image_request(parameters, scan.header), PLENTY)
    reader = ScanReader(BytesReader(scan.blocks), "scan", "digest", scan.header)
    volume = plan.delivered(reader.read(plan.request))
    assert volume.voxels.shape == plan.shape
    return volume


def refuse(header: ScanHeader, match: str, **parameters: str) -> None:
    with pytest.raises(InvalidRequest, match=match):
        plan_image(header, parse_image_request(parameters, header), PLENTY)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"level": "1"},
        {"level": "2"},
        {"size": "33"},
        {"size": "40x20"},
        {"size": "200"},
        {"spacing": "1.9"},
        {"max_bytes": "30000"},
        {"level": "1", "region": "3:17,5:80,:"},
        {"size": "20", "region": "4:20,10:70,8:60"},
        {"spacing": "3.1", "region": "4:20,10:70,8:60"},
    ],
    ids=str,
)
def test_each_slice_is_the_slice_of_the_whole_volume(ct: EncodedScan, parameters: dict[str, str]) -> None:
    whole = delivered(ct, format="npy", **parameters)
    for z in (0, whole.voxels.shape[0] // 2, whole.voxels.shape[0] - 1):
        part = delivered(ct, format="npy", slice=str(z), **parameters)
        assert part.axes == "yx"
        assert np.array_equal(part.voxels, whole.voxels[z])
        assert np.allclose(part.geometry.positions([0, 4, 5]), whole.geometry.positions([z, 4, 5]), atol=1e-9)


def test_a_picture_shows_the_middle_slice(ct: EncodedScan) -> None:
    assert np.array_equal(delivered(ct, format="png").voxels, delivered(ct, format="npy").voxels[10])


def test_a_picture_shows_the_middle_frame(cine: EncodedScan) -> None:
    assert np.array_equal(delivered(cine, format="png").voxels, delivered(cine, format="npy").voxels[2])


def test_a_frame_is_one_of_the_scan(cine: EncodedScan) -> None:
    assert np.array_equal(delivered(cine, format="npy", frame="4").voxels, delivered(cine, format="npy").voxels[4])


def test_what_is_no_picture_is_delivered_whole(ct: EncodedScan) -> None:
    assert delivered(ct, format="npy").voxels.shape == (21, 90, 70)


def test_one_slice_is_planned_as_a_region(ct: EncodedScan) -> None:
    plan = plan_image(ct.header, parse_image_request({"slice": "7"}, ct.header), PLENTY)
    assert plan.plan.crop.shape == (1, 90, 70)


def test_a_slice_beyond_the_last_one_is_refused(ct: EncodedScan) -> None:
    refuse(ct.header, "slice must be 0 to 20", slice="21")


def test_a_frame_of_a_scan_without_frames_is_refused(ct: EncodedScan) -> None:
    refuse(ct.header, "without t; leave frame out", frame="0")


def test_a_slice_of_a_scan_without_slices_is_refused(cine: EncodedScan) -> None:
    refuse(cine.header, "without z; leave slice out", slice="0")


def test_two_resolutions_are_refused(ct: EncodedScan) -> None:
    refuse(ct.header, "level and size", level="1", size="64")


@pytest.mark.parametrize("window", ["40", "a,b", "1,2,3", "nan,4", "1,inf", ""])
def test_a_window_that_is_none_is_refused(ct: EncodedScan, window: str) -> None:
    with pytest.raises(BadQuery, match="window"):
        parse_image_request({"window": window}, ct.header)


def test_a_window_without_width_is_refused(ct: EncodedScan) -> None:
    refuse(ct.header, "width must be above 0", window="40,0")


@pytest.mark.parametrize("size", ["", "x", "12x", "-4", "1e3", "64X64", "1000000x1000000x1"])
def test_a_size_that_is_none_is_refused(ct: EncodedScan, size: str) -> None:
    with pytest.raises(BadQuery, match="size is N, or HEIGHTxWIDTH"):
        parse_image_request({"size": size}, ct.header)


@pytest.mark.parametrize(
    "parameters",
    [{"format": "npy"}, {"format": "npy", "size": "1000x1000", "slice": "0"}, {"format": "npy", "spacing": "0.2"}],
    ids=str,
)
def test_an_answer_above_the_limit_is_refused_with_its_size(ct: EncodedScan, parameters: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match=r"takes \d+ bytes, more than this server's 20000"):
        plan_image(ct.header, parse_image_request(parameters, ct.header), 20_000)


def test_a_slice_may_be_had_of_a_volume_above_the_limit(ct: EncodedScan) -> None:
    plan = plan_image(ct.header, parse_image_request({"format": "npy", "slice": "0"}, ct.header), 20_000)
    assert plan.shape == (90, 70)
