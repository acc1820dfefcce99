from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mist.geometry import geometry_from_spacing
from mist.plan import make_plan
from mist.request import Box, Request
from mist.resample import resample
from mist.volume import Volume
from mist.wavelet import MASK_WAVELET
from tests.encoded_scan import encode_scan


def volume(voxels: npt.NDArray[np.integer], axes: str = "yx") -> Volume:
    return Volume(voxels, axes, geometry_from_spacing((2, 1, 1)))


def checkerboard(side: int = 96, cell: int = 1) -> npt.NDArray[np.uint8]:
    rows, columns = np.indices((side, side)) // cell
    return (255 * ((rows + columns) % 2)).astype(np.uint8)


def test_a_plan_without_a_grid_resamples_nothing() -> None:
    header = encode_scan(volume(checkerboard())).header
    crop = np.zeros((1, 1, 96, 96), np.int32)
    assert resample(crop, make_plan(header, Request()), header) is crop


@pytest.mark.parametrize(
    "request_", [Request(size=31), Request(size=200), Request(size=(7, 90)), Request(spacing_mm=1.3)]
)
def test_a_constant_stays_constant_to_the_edges(request_: Request) -> None:
    delivered = encode_scan(volume(np.full((96, 80), 77, np.uint16))).read(request_)
    assert (delivered.voxels == 77).all()


def test_fine_texture_becomes_grey_and_not_moire() -> None:
    delivered = encode_scan(volume(checkerboard()), halved=()).read(Request(size=37)).voxels.astype(int)
    assert np.abs(delivered[3:-3, 3:-3] - 127).max() <= 4


def test_sharp_edges_ring_but_never_leave_the_range_of_the_scan() -> None:
    image = (checkerboard(64, 16) // 2 + 50).astype(np.uint8)
    delivered = encode_scan(volume(image)).read(Request(size=150)).voxels
    assert (delivered.min(), delivered.max()) == (image.min(), image.max())


@pytest.mark.parametrize("size", [10, 33, 64, 100])
def test_a_mask_is_resampled_by_nearest_neighbour_and_has_no_new_labels(size: int) -> None:
    labels = np.random.default_rng(0).choice([0, 7, 200], (64, 64)).astype(np.uint8)
    delivered = encode_scan(volume(labels), MASK_WAVELET, halved=()).read(Request(size=size)).voxels
    nearest = np.floor((np.arange(size) + 0.5) * 64 / size).astype(int)
    assert set(np.unique(delivered)) <= {0, 7, 200}
    assert (delivered == labels[np.ix_(nearest, nearest)]).mean() > 0.99  # ties may go either way


def test_each_channel_and_frame_is_resampled_alone() -> None:
    loop = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3)).astype(np.uint8)
    whole = encode_scan(volume(loop, "tyxc")).read(Request(size=25)).voxels
    one = encode_scan(volume(np.ascontiguousarray(loop[1, ..., 2]))).read(Request(size=25)).voxels
    np.testing.assert_allclose(whole[1, ..., 2].astype(int), one.astype(int), atol=1)


def test_a_sized_region_has_the_size() -> None:
    delivered = encode_scan(volume(checkerboard())).read(Request(size=20, region=Box((0, 10, 30), (1, 50, 90))))
    assert delivered.voxels.shape == (20, 30)
