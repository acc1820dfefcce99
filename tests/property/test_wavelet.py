"""Any array, halved along any axes: the subbands are those of plain lifting, and they give the array back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mist.geometry import SPATIAL_AXES
from mist.subbands import band_names
from mist.wavelet import WAVELETS, Wavelet, forward, inverse
from tests.lifting_oracle import divide_to_nearest, split

AXES = ("x", "y", "z", "yx", "zx", "zy", "zyx")

Array = npt.NDArray[np.signedinteger]

lengths = st.one_of(st.integers(1, 9), st.integers(10, 70))
shapes = st.tuples(st.integers(1, 3), lengths, lengths, lengths).filter(lambda shape: np.prod(shape) <= 50_000)


def plain_bands(volume: Array, axes: str, wavelet: Wavelet) -> dict[str, Array]:
    """The subbands by the formulas of docs/format.md, one axis after the other from the last."""
    bands = {"": volume}
    for axis in reversed(axes):
        at = 1 + SPATIAL_AXES.index(axis)
        for name, band in list(bands.items()):
            low, high = split(np.moveaxis(band, at, -1), wavelet, divide_to_nearest)
            bands[name], bands[axis + name] = np.moveaxis(low, -1, at), np.moveaxis(high, -1, at)
    return bands


@pytest.mark.parametrize("name", WAVELETS)
@pytest.mark.parametrize("axes", AXES)
@given(shapes, st.sampled_from(["int32", "int64"]), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_a_halving_is_that_of_plain_lifting_and_is_undone_exactly(
    axes: str, name: str, shape: tuple[int, ...], dtype: str, seed: int
) -> None:
    volume: Array = np.random.default_rng(seed).integers(-(2**17), 2**18, shape).astype(dtype)
    bands = forward(volume, axes, WAVELETS[name])
    plain = plain_bands(volume, axes, WAVELETS[name])
    assert set(bands) == set(plain) == {"", *band_names(axes)}
    for key, band in bands.items():
        np.testing.assert_array_equal(band, plain[key])
        assert band.dtype == volume.dtype
    np.testing.assert_array_equal(inverse(bands, axes, WAVELETS[name]), volume)
