from __future__ import annotations

import numpy as np
import pytest

from mist.blocks import (
    IMAGE_BLOCK,
    LINE_BLOCK,
    LOW_PASS,
    VOLUME_BLOCK,
    Block,
    BlockLayout,
    block_shape_for,
    scatter,
)
from mist.errors import InvalidRequest
from mist.pyramid import Pyramid, Triple
from mist.reconstruct import decompose
from mist.wavelet import WAVELETS

LAYOUT = BlockLayout(Pyramid((5, 13, 11), ("yx", "zyx")), planes=2, block_shape=(2, 4, 4))


def voxels() -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.random.default_rng(0).integers(-99, 99, (2, 5, 13, 11)).astype(np.int32)


def test_the_coarsest_level_stores_the_low_pass_band_and_the_others_their_details() -> None:
    assert [LAYOUT.bands(level) for level in LAYOUT.levels] == [
        (LOW_PASS,),
        ("x", "y", "yx", "z", "zx", "zy", "zyx"),
        ("x", "y", "yx"),
    ]


def test_bands_have_the_shapes_that_the_transform_gives_them() -> None:
    stored = decompose(voxels(), LAYOUT, WAVELETS["13/7"])
    for level in LAYOUT.levels:
        for band in LAYOUT.bands(level):
            assert stored[level][band].shape == (2, *LAYOUT.band_shape(level, band))


def test_numbers_follow_the_levels_from_the_coarsest() -> None:
    numbers = [number for level in LAYOUT.levels for number in LAYOUT.numbers(level)]
    assert numbers == list(range(LAYOUT.count))


def test_blocks_are_numbered_in_order() -> None:
    for level in LAYOUT.levels:
        assert [block.number for block in LAYOUT.blocks(level)] == list(LAYOUT.numbers(level))


def test_within_a_level_blocks_go_by_plane_then_position_then_band() -> None:
    order = [
        (block.plane, *(a // n for a, n in zip(block.start, LAYOUT.block_shape, strict=True)), at)
        for block in LAYOUT.blocks(0)
        for at in [LAYOUT.bands(0).index(block.band)]
    ]
    assert order == sorted(order)


def test_scattering_into_a_window_writes_what_lies_in_it() -> None:
    band = np.full((1, 1, 3, 3), -1, np.int32)
    block = Block(0, 0, LOW_PASS, 0, (0, 4, 4), (1, 8, 8))
    scatter(block, np.arange(16, dtype=np.int32).reshape(1, 4, 4), band, (0, 5, 2))
    np.testing.assert_array_equal(band[0, 0], [[-1, -1, 4], [-1, -1, 8], [-1, -1, 12]])


def test_scattering_a_block_beside_the_window_writes_nothing() -> None:
    band = np.full((1, 1, 3, 3), -1, np.int32)
    scatter(Block(0, 0, LOW_PASS, 0, (0, 4, 4), (1, 8, 8)), np.zeros((1, 4, 4), np.int32), band, (0, 0, 0))
    assert (band == -1).all()


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        ("zyx", (300, 512, 512), VOLUME_BLOCK),
        ("yx", (1, 2000, 2000), (1, 128, 128)),
        ("tyxc", (1, 2048, 2048), IMAGE_BLOCK),
        ("x", (1, 1, 102_400), LINE_BLOCK),
        ("x", (1, 1, 100_000), (1, 1, 4000)),
        ("zyx", (20, 192, 137), (8, 64, 48)),
        ("zyx", (17, 129, 65), (8, 44, 36)),
        ("yx", (1, 20, 50), (1, 20, 50)),
        ("zyx", (1, 1, 1), (1, 1, 1)),
    ],
)
def test_blocks_cut_a_scan_evenly_and_are_as_small_as_it(axes: str, shape: Triple, expected: Triple) -> None:
    assert block_shape_for(axes, Pyramid(shape, ())) == expected


@pytest.mark.parametrize(
    ("planes", "block_shape"), [(0, (1, 1, 1)), (1, (0, 1, 1)), (1, (1, 1, -1)), (1, (1, 2048, 1024))]
)
def test_a_layout_that_cannot_be_is_refused(planes: int, block_shape: Triple) -> None:
    with pytest.raises(InvalidRequest, match="blocks"):
        BlockLayout(Pyramid((8, 8, 8), ()), planes, block_shape)
