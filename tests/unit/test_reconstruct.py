from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mist.blocks import BlockLayout
from mist.codec import BlockCorrupt, Table, block_spans, decode_blocks_into
from mist.errors import InvalidRequest
from mist.geometry import geometry_from_spacing
from mist.plan import make_plan
from mist.pyramid import Pyramid
from mist.reconstruct import MOST_VALUES_TOGETHER, Reconstruction, decompose
from mist.request import Box, Request
from mist.subbands import Coefficients
from mist.volume import Rescale, Volume
from mist.wavelet import MASK_WAVELET, WAVELETS
from tests.encoded_scan import encode_scan

VOXELS = np.random.default_rng(0).integers(-500, 500, (10, 70, 66)).astype(np.int16)
VOLUME = Volume(VOXELS, "zyx", geometry_from_spacing((1.5, 1, 1)).cropped((1, 2, 3)), Rescale(2.0, 1.0, "HU"))
SCAN = encode_scan(VOLUME, block_shape=(4, 16, 16))
COARSEST = SCAN.header.pyramid.coarsest


def reconstruction(request: Request | None = None) -> Reconstruction:
    return Reconstruction(SCAN.header, make_plan(SCAN.header, request or Request()))


def test_full_resolution_is_every_voxel_and_all_that_is_known_of_them() -> None:
    volume = SCAN.read(Request())
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    assert volume.voxels.dtype == VOXELS.dtype
    assert (volume.axes, volume.geometry, volume.rescale) == (VOLUME.axes, VOLUME.geometry, VOLUME.rescale)


def test_a_level_is_the_low_pass_band_of_the_transform() -> None:
    layout = SCAN.header.layout
    short = BlockLayout(Pyramid(layout.pyramid.shape, layout.pyramid.halved[:1]), 1, layout.block_shape)
    low = decompose(VOXELS[None].astype(np.int32), short, WAVELETS["13/7"])[1][""]
    np.testing.assert_array_equal(SCAN.read(Request(level=1)).voxels, np.clip(low[0], -500, 499))


def test_a_scan_of_one_level_is_its_own_low_pass_band() -> None:
    image = Volume(VOXELS[0, :20, :20], "yx", geometry_from_spacing((1, 1, 1)))
    scan = encode_scan(image)
    assert scan.header.pyramid.coarsest == 0
    np.testing.assert_array_equal(scan.read(Request()).voxels, image.voxels)


def test_refining_delivers_each_level_on_the_way() -> None:
    steps = reconstruction()
    for level in range(COARSEST, -1, -1):
        SCAN.refine(steps)
        assert steps.level == level
        volume = steps.volume()
        np.testing.assert_array_equal(volume.voxels, SCAN.read(Request(level=level)).voxels)
        assert volume.geometry == SCAN.header.pyramid.level_geometry(level, VOLUME.geometry)


@pytest.mark.parametrize("request_", [Request(), Request(region=Box((1, 37, 5), (7, 60, 33)))], ids=["whole", "region"])
def test_several_levels_at_once_give_what_they_give_one_by_one(request_: Request) -> None:
    steps, at_once = reconstruction(request_), reconstruction(request_)
    for _ in range(COARSEST, -1, -1):
        SCAN.refine(steps)
    SCAN.refine(at_once)
    SCAN.refine(at_once, levels=COARSEST)
    assert at_once.level == 0
    np.testing.assert_array_equal(at_once.volume().voxels, steps.volume().voxels)


def test_only_small_levels_are_refined_together() -> None:
    image = encode_scan(Volume(np.zeros((1400, 1300), np.int16), "yx", geometry_from_spacing((1, 1, 1)))).header
    levels, steps = image.layout.levels, Reconstruction(image, make_plan(image, Request()))
    assert sum(map(image.layout.level_values, levels[:4])) <= MOST_VALUES_TOGETHER
    assert sum(map(image.layout.level_values, levels[:5])) > MOST_VALUES_TOGETHER < image.layout.level_values(1)
    assert [steps.together(levels[coarsest:]) for coarsest in range(len(levels))] == [4, 3, 3, 2, 1, 1, 1]


def test_a_volume_stays_as_it_is_while_the_reconstruction_goes_on() -> None:
    steps = reconstruction()
    taken = []
    for _ in range(COARSEST, -1, -1):
        SCAN.refine(steps)
        taken.append((steps.volume().voxels, steps.volume().voxels.copy()))
    for volume, kept in taken:
        np.testing.assert_array_equal(volume, kept)


def test_a_level_on_the_way_to_a_region_lies_where_its_affine_says() -> None:
    steps = reconstruction(Request(region=Box((0, 40, 40), (10, 60, 60))))
    for level in range(COARSEST, -1, -1):
        SCAN.refine(steps)
        part, whole = steps.volume(), SCAN.read(Request(level=level))
        inverse = np.linalg.inv(whole.affine) @ part.affine
        start = np.rint(inverse[:3, 3]).astype(int)
        box = tuple(slice(a, a + n) for a, n in zip(start, part.voxels.shape, strict=True))
        np.testing.assert_array_equal(part.voxels, whole.voxels[box])


def test_before_the_first_level_there_is_no_volume() -> None:
    steps = reconstruction()
    assert steps.level == COARSEST + 1
    with pytest.raises(InvalidRequest, match="no level"):
        steps.volume()


def refusing(_chunk: slice, _out: Coefficients, _places: Table) -> None:
    raise BlockCorrupt("a block is missing")


def test_what_goes_wrong_with_a_block_is_raised_and_nothing_is_filled_in() -> None:
    with pytest.raises(BlockCorrupt, match="a block is missing"):
        reconstruction().refine(refusing)


def test_a_refusal_leaves_the_reconstruction_where_it_was() -> None:
    steps = reconstruction()
    with pytest.raises(BlockCorrupt):
        steps.refine(refusing)
    for _ in range(COARSEST, -1, -1):
        SCAN.refine(steps)
    np.testing.assert_array_equal(steps.volume().voxels, VOXELS)


def test_each_wanted_block_is_asked_for_once() -> None:
    steps = reconstruction()
    for level in SCAN.header.layout.levels:
        asked: list[int] = []

        def fill(chunk: slice, out: Coefficients, places: Table, level: int = level, asked: list[int] = asked) -> None:
            blocks = steps.wanted(level)[chunk]
            assert len(places) == len(blocks)
            asked += [block.number for block in blocks]
            out[:] = 0

        steps.refine(fill)
        assert asked == list(SCAN.header.layout.numbers(level))


def test_blocks_may_be_filled_in_any_order_and_by_several_threads() -> None:
    steps, layout = reconstruction(), SCAN.header.layout
    spans = block_spans(map(len, SCAN.blocks))

    with ThreadPoolExecutor(3) as pool:
        for level in layout.levels:
            wanted = spans[[block.number for block in steps.wanted(level)]]

            def fill(chunk: slice, out: Coefficients, places: Table, wanted: Table = wanted) -> None:
                decode_blocks_into(b"".join(SCAN.blocks), wanted[chunk], layout.block_shape, out, places)

            steps.refine(fill, lambda act, tasks: pool.map(act, tasks[::-1]))
    np.testing.assert_array_equal(steps.volume().voxels, VOXELS)


def test_a_region_is_made_without_the_blocks_beside_it() -> None:
    steps = reconstruction(Request(region=Box((0, 0, 0), (2, 8, 8))))
    assert 0 < len(steps.wanted(0)) < len(SCAN.header.layout.blocks(0)) / 2


def test_a_mask_at_a_level_is_every_other_voxel_again_and_again() -> None:
    labels = (VOXELS > 0).astype(np.uint8)
    scan = encode_scan(Volume(labels, "zyx", VOLUME.geometry), MASK_WAVELET)
    for level in range(scan.header.pyramid.coarsest + 1):
        z, y, x = scan.header.pyramid.steps(level)
        np.testing.assert_array_equal(scan.read(Request(level=level)).voxels, labels[::z, ::y, ::x])


def test_scans_that_are_rebuilt_by_turns_do_not_write_over_each_other() -> None:
    other = encode_scan(Volume(VOXELS[::-1] // 2, "zyx", VOLUME.geometry), block_shape=(4, 16, 16))
    ours, theirs = reconstruction(), Reconstruction(other.header, make_plan(other.header, Request()))
    for _ in range(COARSEST + 1):
        SCAN.refine(ours)
        other.refine(theirs)
    np.testing.assert_array_equal(ours.volume().voxels, VOXELS)
    np.testing.assert_array_equal(theirs.volume().voxels, VOXELS[::-1] // 2)


def test_a_volume_stays_as_it_was_when_its_memory_goes_to_the_next_scan() -> None:
    first = SCAN.read(Request())
    SCAN.read(Request(region=Box((0, 0, 0), (4, 30, 30))))
    encode_scan(Volume(np.zeros_like(VOXELS), "zyx", VOLUME.geometry), block_shape=(4, 16, 16)).read(Request())
    np.testing.assert_array_equal(first.voxels, VOXELS)
