from __future__ import annotations

import numpy as np
import pytest

from mist.blocks import Block
from mist.errors import InvalidRequest
from mist.geometry import geometry_from_spacing, geometry_of_indices
from mist.plan import Plan, make_plan
from mist.pyramid import Triple
from mist.request import Box, Request
from mist.scan import ScanHeader
from mist.volume import Volume
from mist.windows import levels_part
from tests.encoded_scan import encode_scan


def header(
    axes: str = "zyx",
    shape: tuple[int, ...] = (20, 96, 130),
    spacing: tuple[float, float, float] = (2, 1, 1),
    wavelet: str = "13/7",
    block_shape: Triple | None = None,
) -> ScanHeader:
    geometry = geometry_from_spacing(spacing).cropped((3, 4, 5))
    return encode_scan(Volume(np.zeros(shape, np.uint8), axes, geometry), wavelet, block_shape=block_shape).header


SCAN = header()
IMAGE = header("yx", (150, 200), (1, 0.5, 0.25))


def test_nothing_asked_is_all_of_level_0() -> None:
    plan = make_plan(SCAN, Request())
    assert (plan.level, plan.crop, plan.grid, plan.geometry) == (0, Box.whole((20, 96, 130)), None, SCAN.geometry)


def test_a_level_is_delivered_as_it_is() -> None:
    plan = make_plan(SCAN, Request(level=2))
    assert plan.grid is None
    assert plan.crop.shape == SCAN.pyramid.level_shape(2)
    assert plan.geometry == SCAN.pyramid.level_geometry(2, SCAN.geometry)


@pytest.mark.parametrize("level", [-1, SCAN.pyramid.coarsest + 1, 10**9])
def test_a_level_that_the_scan_lacks_is_refused(level: int) -> None:
    with pytest.raises(InvalidRequest, match=f"levels 0 to {SCAN.pyramid.coarsest}"):
        make_plan(SCAN, Request(level=level))


@pytest.mark.parametrize("level", range(SCAN.pyramid.coarsest + 1))
def test_a_byte_budget_buys_the_finest_level_that_fits_to_the_byte(level: int) -> None:
    end = SCAN.levels[level].end_byte
    assert make_plan(SCAN, Request(max_bytes=end)).level == level
    assert make_plan(SCAN, Request(max_bytes=end + 1)).level == level
    if level < SCAN.pyramid.coarsest:
        assert make_plan(SCAN, Request(max_bytes=end - 1)).level == level + 1


@pytest.mark.parametrize("max_bytes", [0, -1, SCAN.levels[-1].end_byte - 1])
def test_a_byte_budget_that_buys_nothing_is_refused(max_bytes: int) -> None:
    with pytest.raises(InvalidRequest, match="max_bytes"):
        make_plan(SCAN, Request(max_bytes=max_bytes))


@pytest.mark.parametrize(("size", "shape"), [(75, (75, 100)), (76, (76, 101)), (1, (1, 1)), (300, (300, 400))])
def test_a_size_is_that_of_the_shorter_side_and_keeps_the_aspect(size: int, shape: tuple[int, int]) -> None:
    grid = make_plan(IMAGE, Request(size=size)).grid
    assert grid is not None
    assert grid.shape == (1, *shape)


def test_a_height_and_width_are_exact() -> None:
    grid = make_plan(IMAGE, Request(size=(31, 77))).grid
    assert grid is not None
    assert grid.shape == (1, 31, 77)


@pytest.mark.parametrize(("size", "level"), [(150, 0), (76, 0), (75, 1), (38, 1), (37, 2), (1, 4), (1000, 0)])
def test_a_size_is_made_from_the_least_level_that_is_as_large(size: int, level: int) -> None:
    assert make_plan(IMAGE, Request(size=size)).level == level


def test_a_size_that_is_the_scans_own_is_not_resampled() -> None:
    plan = make_plan(IMAGE, Request(size=150))
    assert (plan.grid, plan.level, plan.geometry) == (None, 0, IMAGE.geometry)


def test_a_sized_grid_shares_the_outer_edges_of_the_region() -> None:
    region = Box((0, 10, 20), (1, 60, 120))
    geometry = make_plan(IMAGE, Request(size=(20, 30), region=region)).geometry
    corners = ((-0.5, -0.5), (19.5, 29.5))
    expected = ((9.5, 19.5), (59.5, 119.5))
    for corner, source in zip(corners, expected, strict=True):
        np.testing.assert_allclose(geometry.positions((0, *corner)), IMAGE.geometry.positions((0, *source)), atol=1e-9)


def test_slices_of_a_sized_volume_are_those_of_its_level() -> None:
    plan = make_plan(SCAN, Request(size=24))
    assert plan.level == 2
    assert plan.grid is not None
    assert plan.grid.shape[0] == SCAN.pyramid.level_shape(2)[0]
    assert plan.grid.scale[0] == SCAN.pyramid.steps(2)[0]


def test_a_line_has_a_size_of_one_number() -> None:
    line = header("x", (500,))
    for size in (100, (1, 100)):
        grid = make_plan(line, Request(size=size)).grid
        assert grid is not None
        assert grid.shape == (1, 1, 100)


def test_a_line_has_no_rows_to_ask_for() -> None:
    with pytest.raises(InvalidRequest, match="no rows"):
        make_plan(header("x", (500,)), Request(size=(5, 100)))


@pytest.mark.parametrize("spacing_mm", [0.3, 1.0, 1.7, 2.0, 5.0, 20.0])
def test_a_spacing_is_exact_along_every_axis(spacing_mm: float) -> None:
    geometry = make_plan(SCAN, Request(spacing_mm=spacing_mm)).geometry
    np.testing.assert_allclose(geometry.spacing, spacing_mm, rtol=1e-12)


@pytest.mark.parametrize("spacing_mm", [0.3, 1.7, 2.0, 5.0])
def test_a_spaced_grid_lies_in_the_middle_of_the_region_and_within_it(spacing_mm: float) -> None:
    grid = make_plan(SCAN, Request(spacing_mm=spacing_mm)).grid
    assert grid is not None
    for count, scale, offset, length in zip(grid.shape, grid.scale, grid.offset, SCAN.shape, strict=True):
        first, last = offset - scale / 2, offset + (count - 0.5) * scale
        assert first + last == pytest.approx(length - 1)
        assert -0.5 - 1e-6 <= first < -0.5 + scale / 2


@pytest.mark.parametrize(("spacing_mm", "level"), [(0.5, 0), (1.9, 0), (2, 1), (3.9, 1), (4, 2), (8.0, 3)])
def test_a_spacing_is_made_from_the_coarsest_level_that_is_as_fine(spacing_mm: float, level: int) -> None:
    scan = header(shape=(20, 300, 300), spacing=(4, 1, 1))
    assert make_plan(scan, Request(spacing_mm=spacing_mm)).level == level


def test_the_spacing_of_an_image_without_millimetres_is_refused() -> None:
    scan = encode_scan(Volume(np.zeros((9, 9), np.uint8), "yx", geometry_of_indices())).header
    with pytest.raises(InvalidRequest, match="no spacing"):
        make_plan(scan, Request(spacing_mm=1.0))


def test_a_spacing_wider_than_the_scan_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="more than the 40 mm"):
        make_plan(SCAN, Request(spacing_mm=41))


@pytest.mark.parametrize(
    "request_", [Request(size=2**16), Request(size=(2**16, 2**16)), Request(spacing_mm=1e-12), Request(spacing_mm=0.01)]
)
def test_more_voxels_than_can_be_resampled_to_are_refused_before_anything_is_read(request_: Request) -> None:
    with pytest.raises(InvalidRequest, match="voxels"):
        make_plan(SCAN, request_)


@pytest.mark.parametrize("stop", [(21, 1, 1), (1, 97, 1), (1, 1, 131)])
def test_a_region_that_reaches_out_of_the_scan_is_refused(stop: Triple) -> None:
    with pytest.raises(InvalidRequest, match="reaches out"):
        make_plan(SCAN, Request(region=Box((0, 0, 0), stop)))


def test_a_region_at_a_level_is_the_voxels_of_the_level_within_it() -> None:
    plan = make_plan(SCAN, Request(level=2, region=Box((0, 5, 8), (20, 17, 16))))
    assert (plan.crop.start[1:], plan.crop.stop[1:]) == ((2, 2), (5, 4))  # rows 8, 12, 16; columns 8, 12


def test_a_region_between_the_voxels_of_a_level_is_the_one_before_it() -> None:
    plan = make_plan(SCAN, Request(level=2, region=Box((0, 5, 9), (20, 7, 11))))
    assert (plan.crop.start[1:], plan.crop.stop[1:]) == ((1, 2), (2, 3))  # row 4, column 8


def test_the_voxels_of_a_region_lie_where_they_lie_in_the_whole() -> None:
    plan = make_plan(SCAN, Request(level=1, region=Box((4, 10, 21), (20, 50, 60))))
    whole = SCAN.pyramid.level_geometry(1, SCAN.geometry)
    np.testing.assert_allclose(plan.geometry.positions((0, 0, 0)), whole.positions(plan.crop.start), atol=1e-9)


def needed_blocks(scan: ScanHeader, plan: Plan, level: int) -> list[Block]:
    return list(levels_part(scan.layout, ((level, plan.windows[level]),), scan.lifting.margin).blocks)


def test_the_whole_of_a_level_takes_all_blocks_up_to_it() -> None:
    for level in SCAN.layout.levels:
        plan = make_plan(SCAN, Request(level=level))
        for coarser in range(level, SCAN.pyramid.coarsest + 1):
            assert needed_blocks(SCAN, plan, coarser) == list(SCAN.layout.blocks(coarser))


def test_a_small_region_takes_few_blocks() -> None:
    scan = header("yx", (1024, 1024), (1, 1, 1), block_shape=(1, 32, 32))
    plan = make_plan(scan, Request(region=Box((0, 500, 500), (1, 510, 510))))
    assert len(needed_blocks(scan, plan, 0)) <= 12
    assert len(scan.layout.blocks(0)) == 3 * 16**2


def test_a_lazy_region_takes_no_block_beside_it() -> None:
    scan = header("yx", (128, 128), (1, 1, 1), "lazy", block_shape=(1, 16, 16))
    plan = make_plan(scan, Request(region=Box((0, 32, 32), (1, 64, 64))))
    assert {block.start for block in needed_blocks(scan, plan, 0)} == {(0, 16, 16)}
