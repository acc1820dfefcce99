from __future__ import annotations

import numpy as np
import pytest

from mist.blocks import BlockLayout
from mist.codec import decode_block
from mist.errors import InvalidRequest
from mist.geometry import geometry_from_spacing
from mist.plan import make_plan
from mist.pyramid import Pyramid
from mist.reconstruct import Decoded, Reconstruction, decompose
from mist.request import Box, Request
from mist.volume import Rescale, Volume
from mist.wavelet import MASK_WAVELET, WAVELETS
from tests.encoded_scan import encode_scan

VOXELS = np.random.default_rng(0).integers(-500, 500, (10, 70, 66)).astype(np.int16)
VOLUME = Volume(VOXELS, "zyx", geometry_from_spacing((1.5, 1, 1)).cropped((1, 2, 3)), Rescale(2.0, 1.0, "HU"))
SCAN = encode_scan(VOLUME, block_shape=(4, 16, 16))
COARSEST = SCAN.header.pyramid.coarsest


def reconstruction(request: Request | None = None) -> Reconstruction:
    return Reconstruction(SCAN.header, make_plan(SCAN.header, request or Request()))


def decoded(numbers: range | list[int]) -> Decoded:
    layout, dtype = SCAN.header.layout, SCAN.header.coefficients
    blocks = {block.number: block for level in layout.levels for block in layout.blocks(level)}
    return [(blocks[n], decode_block(SCAN.blocks[n], dtype, layout.block_shape)) for n in numbers]


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
        SCAN.refine(steps, level)
        assert steps.level == level
        volume = steps.volume()
        np.testing.assert_array_equal(volume.voxels, SCAN.read(Request(level=level)).voxels)
        assert volume.geometry == SCAN.header.pyramid.level_geometry(level, VOLUME.geometry)


def test_a_level_on_the_way_to_a_region_lies_where_its_affine_says() -> None:
    steps = reconstruction(Request(region=Box((0, 40, 40), (10, 60, 60))))
    for level in range(COARSEST, -1, -1):
        SCAN.refine(steps, level)
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


def test_a_missing_block_is_refused_by_number_and_never_filled_in() -> None:
    numbers = list(SCAN.header.layout.numbers(COARSEST))
    with pytest.raises(InvalidRequest, match=rf"\[{numbers[-1]}\] of level {COARSEST} are missing"):
        reconstruction().refine(decoded(numbers[:-1]))


def test_no_blocks_at_all_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="missing"):
        reconstruction().refine([])


def test_a_block_given_twice_is_refused() -> None:
    numbers = list(SCAN.header.layout.numbers(COARSEST))
    with pytest.raises(InvalidRequest, match="given twice"):
        reconstruction().refine(decoded([*numbers, numbers[0]]))


def test_a_block_of_another_level_is_refused() -> None:
    numbers = list(SCAN.header.layout.numbers(COARSEST))
    with pytest.raises(InvalidRequest, match="not wanted"):
        reconstruction().refine(decoded([*numbers, SCAN.header.layout.numbers(0)[0]]))


def test_a_refusal_leaves_the_reconstruction_where_it_was() -> None:
    steps = reconstruction()
    with pytest.raises(InvalidRequest):
        steps.refine([])
    for level in range(COARSEST, -1, -1):
        SCAN.refine(steps, level)
    np.testing.assert_array_equal(steps.volume().voxels, VOXELS)


def test_blocks_may_come_in_any_order() -> None:
    steps = reconstruction()
    for level in range(COARSEST, -1, -1):
        steps.refine(decoded(list(SCAN.header.layout.numbers(level))[::-1]))
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
