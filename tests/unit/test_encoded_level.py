from __future__ import annotations

import numpy as np
import pytest

from mist.blocks import BlockLayout, scatter
from mist.codec import decode_block, encode_block
from mist.encoded_level import encoded_level, level_parts
from mist.errors import InvalidRequest
from mist.pyramid import Pyramid
from mist.reconstruct import decompose
from mist.subbands import Bands, Coefficients
from mist.wavelet import WAVELETS

LAYOUT = BlockLayout(Pyramid((5, 13, 11), ("yx", "zyx")), planes=2, block_shape=(2, 4, 4))


def stored() -> dict[int, Bands]:
    voxels = np.random.default_rng(0).integers(-99, 99, (2, 5, 13, 11)).astype(np.int32)
    return decompose(voxels, LAYOUT, WAVELETS["13/7"])


def decoded(block: memoryview) -> Coefficients:
    return decode_block(block, np.dtype(np.int32), LAYOUT.block_shape)


def test_a_block_that_reaches_over_the_end_is_padded_with_zeros() -> None:
    for level, bands in stored().items():
        for block, data in zip(LAYOUT.blocks(level), encoded_level(LAYOUT, level, bands), strict=True):
            padding = np.ones(LAYOUT.block_shape, bool)
            padding[tuple(slice(0, b - a) for a, b in zip(block.start, block.stop, strict=True))] = False
            assert not decoded(data)[padding].any()


def test_what_was_encoded_is_scattered_back() -> None:
    for level, bands in stored().items():
        back = {name: np.full_like(band, -1) for name, band in bands.items()}
        for block, data in zip(LAYOUT.blocks(level), encoded_level(LAYOUT, level, bands), strict=True):
            scatter(block, decoded(data), back[block.band], (0, 0, 0))
        assert all(np.array_equal(back[name], band) for name, band in bands.items())


def test_a_block_has_the_bytes_that_it_has_alone() -> None:
    for level, bands in stored().items():
        for data in encoded_level(LAYOUT, level, bands):
            assert encode_block(decoded(data)) == data


def test_many_blocks_are_encoded_a_few_at_a_time() -> None:
    layout = BlockLayout(Pyramid((64, 128, 128), ()), planes=1, block_shape=(8, 64, 64))
    assert [len(parts) for parts in level_parts(layout, 0)] == [8, 8, 8, 8]


def test_a_coefficient_that_is_too_large_is_refused() -> None:
    bands = stored()[0]
    bands["yx"][1, 3, 2, 1] = 2**30
    with pytest.raises(InvalidRequest, match="coefficients of int32 must be below 1073741824"):
        list(encoded_level(LAYOUT, 0, bands))
