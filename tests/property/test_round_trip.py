"""Whatever is stored comes back: bit for bit in full, and within its own range at every level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mist.geometry import geometry_of_indices
from mist.request import Request
from mist.volume import Volume
from mist.wavelet import MASK_WAVELET, WAVELETS
from tests.encoded_scan import EncodedScan, encode_scan
from tests.strategies import INTEGER_DTYPES, encoded_scans, volumes


@given(encoded_scans())
@settings(max_examples=200)
def test_every_volume_comes_back_bit_for_bit(stored: tuple[Volume, EncodedScan]) -> None:
    volume, scan = stored
    back = scan.read(Request())
    assert back.voxels.dtype == volume.voxels.dtype
    assert back.voxels.shape == volume.voxels.shape
    assert back.voxels.tobytes() == volume.voxels.tobytes()
    assert (back.axes, back.geometry, back.rescale) == (volume.axes, volume.geometry, volume.rescale)


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize("bits", range(1, 33))
def test_noise_of_every_number_of_bits_comes_back_signed_or_not(bits: int, wavelet: str) -> None:
    rng = np.random.default_rng(bits)
    for dtype, least in (("uint32", 0), ("int32", -(2 ** (bits - 1)))):
        samples = rng.integers(least, least + 2**bits, (9, 21, 30)).astype(dtype)
        scan = encode_scan(Volume(samples, "zyx", geometry_of_indices()), wavelet, ("yx", "zyx", "x"))
        np.testing.assert_array_equal(scan.read(Request()).voxels, samples)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4096), (4096, 1), (37, 4096), (513, 257), (2, 2), (1, 2)])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32"])
def test_images_of_odd_shapes_come_back_in_the_levels_and_blocks_that_mist_chooses(
    dtype: str, shape: tuple[int, ...]
) -> None:
    bounds = np.iinfo(dtype)
    samples = np.random.default_rng(0).integers(bounds.min, bounds.max, shape, endpoint=True).astype(dtype)
    scan = encode_scan(Volume(samples, "yx", geometry_of_indices()))
    np.testing.assert_array_equal(scan.read(Request()).voxels, samples)


@given(encoded_scans(volumes(INTEGER_DTYPES)))
@settings(max_examples=100)
def test_no_level_leaves_the_range_of_the_scan(stored: tuple[Volume, EncodedScan]) -> None:
    volume, scan = stored
    for level in range(scan.header.pyramid.coarsest + 1):
        voxels = scan.read(Request(level=level)).voxels
        assert voxels.dtype == volume.voxels.dtype
        assert volume.voxels.min() <= voxels.min()
        assert voxels.max() <= volume.voxels.max()


@pytest.mark.parametrize("dtype", INTEGER_DTYPES)
def test_black_beside_white_never_wraps_at_any_level(dtype: str) -> None:
    """Ringing overshoots on both sides of the edge; wrapped, it would be white in the black half."""
    bounds = np.iinfo(dtype)
    samples = np.full((96, 96), bounds.min, dtype)
    samples[:, 40:] = bounds.max
    scan = encode_scan(Volume(samples, "yx", geometry_of_indices()), halved=("yx",) * 5)
    middle = (int(bounds.min) + int(bounds.max)) // 2
    for level in range(6):
        columns = scan.read(Request(level=level)).voxels
        edge = -(-40 // 2**level)
        assert (columns[:, : max(0, edge - 1)] < middle).all()
        assert (columns[:, edge + 1 :] > middle).all()


@given(encoded_scans(wavelets=(MASK_WAVELET,)))
@settings(max_examples=100)
def test_a_mask_at_a_level_is_a_subsample_of_the_mask(stored: tuple[Volume, EncodedScan]) -> None:
    volume, scan = stored
    for level in range(scan.header.pyramid.coarsest + 1):
        steps = dict(zip("zyx", scan.header.pyramid.steps(level), strict=True))
        every = tuple(slice(None, None, steps.get(axis, 1)) for axis in volume.axes)
        assert scan.read(Request(level=level)).voxels.tobytes() == volume.voxels[every].tobytes()


@given(encoded_scans(), st.data())
@settings(max_examples=60)
def test_refining_ends_in_the_same_voxels_as_reading_at_once(
    stored: tuple[Volume, EncodedScan], data: st.DataObject
) -> None:
    _, scan = stored
    level = data.draw(st.integers(0, scan.header.pyramid.coarsest))
    budget = scan.header.levels[level].end_byte
    assert scan.read(Request(max_bytes=budget)).voxels.tobytes() == scan.read(Request(level=level)).voxels.tobytes()
