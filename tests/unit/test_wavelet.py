from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import pywt

from mist.errors import InvalidRequest
from mist.subbands import band_names
from mist.wavelet import WAVELETS, forward, inverse, wavelet_named
from tests.lifting_oracle import divide_exactly, divide_to_nearest, filters, split

LENGTHS = range(1, 41)
LIFTED = ("13/7", "5/3")

Integers = npt.NDArray[np.int64]


def noise(*shape: int, seed: int = 0) -> Integers:
    return np.random.default_rng(seed).integers(-(2**15), 2**15, shape)


def as_lines(signal: Integers) -> Integers:
    return np.ascontiguousarray(signal.reshape(1, 1, 1, -1))


def wavelet_13_7() -> pywt.Wavelet:
    """A PyWavelets filter bank of 14 taps whose low-pass output k belongs to signal sample 2 (k - 3)."""
    low, high = filters(WAVELETS["13/7"])
    dec_lo, dec_hi = np.zeros(14), np.zeros(14)
    for offset, weight in low.items():
        dec_lo[7 - offset] = weight * math.sqrt(2)
    for offset, weight in high.items():
        dec_hi[7 - offset] = weight / math.sqrt(2)
    signs = (-1.0) ** np.arange(14)
    return pywt.Wavelet("13/7", filter_bank=(dec_lo, dec_hi, signs * dec_hi, -signs * dec_lo))


# Outputs of the filter bank before the first, and the factors from its normalisation (both filters of norm about one)
# to lifting's (the low-pass filter keeps a constant as it is).
BANKS = {
    "5/3": (pywt.Wavelet("bior2.2"), 1, 1 / math.sqrt(2), -math.sqrt(2)),
    "13/7": (wavelet_13_7(), 3, 1 / math.sqrt(2), math.sqrt(2)),
}


@pytest.mark.parametrize("name", LIFTED)
@pytest.mark.parametrize("length", LENGTHS[1:])
def test_without_rounding_lifting_is_the_filter_bank_of_pywavelets(name: str, length: int) -> None:
    bank, offset, low_factor, high_factor = BANKS[name]
    signal = noise(length, seed=length).astype(np.float64)
    low, high = split(signal, WAVELETS[name], divide_exactly)
    approximation, detail = pywt.dwt(signal, bank, mode="reflect")
    np.testing.assert_allclose(low, low_factor * approximation[offset : offset + len(low)], atol=1e-9)
    np.testing.assert_allclose(high, high_factor * detail[offset : offset + len(high)], atol=1e-9)


def test_the_filter_bank_derived_from_13_7_reconstructs_perfectly() -> None:
    signal = noise(50).astype(np.float64)
    back = pywt.idwt(*pywt.dwt(signal, wavelet_13_7(), mode="reflect"), wavelet_13_7(), mode="reflect")
    np.testing.assert_allclose(back, signal, atol=1e-9)


def test_13_7_has_the_filters_of_the_interpolating_4_4_wavelet() -> None:
    low, high = filters(WAVELETS["13/7"])
    assert [16 * high.get(offset, 0) for offset in range(-2, 5)] == [1, 0, -9, 16, -9, 0, 1]
    assert [512 * low.get(offset, 0) for offset in range(-6, 7)] == [
        -1,
        0,
        18,
        -16,
        -63,
        144,
        348,
        144,
        -63,
        -16,
        18,
        0,
        -1,
    ]


@pytest.mark.parametrize("name", WAVELETS)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("axis", "zyx")
def test_the_compiled_loops_equal_plain_integer_lifting_at_every_length(
    axis: str, dtype: type[np.signedinteger], name: str
) -> None:
    position = 1 + "zyx".index(axis)
    for length in LENGTHS:
        shape = [2, 3, 4, 5]
        shape[position] = length
        volume = noise(*shape, seed=length).astype(dtype)
        bands = forward(volume, axis, WAVELETS[name])
        low, high = split(np.moveaxis(volume, position, -1), WAVELETS[name], divide_to_nearest)
        np.testing.assert_array_equal(bands[""], np.moveaxis(low, -1, position))
        np.testing.assert_array_equal(bands[axis], np.moveaxis(high, -1, position))


@pytest.mark.parametrize("name", WAVELETS)
@pytest.mark.parametrize("shape", [(1, 1, 37, 1), (2, 37, 1, 1), (1, 2, 9, 2500), (1, 3, 2, 1024), (1, 4, 1, 1025)])
def test_the_compiled_loops_equal_plain_lifting_on_narrow_and_on_wide_arrays(shape: tuple[int, ...], name: str) -> None:
    volume = noise(*shape)
    for axis in "zyx":
        position = 1 + "zyx".index(axis)
        low, high = split(np.moveaxis(volume, position, -1), WAVELETS[name], divide_to_nearest)
        bands = forward(volume, axis, WAVELETS[name])
        np.testing.assert_array_equal(bands[""], np.moveaxis(low, -1, position))
        np.testing.assert_array_equal(bands[axis], np.moveaxis(high, -1, position))


@pytest.mark.parametrize("name", WAVELETS)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("axes", ["z", "y", "x", "zy", "zx", "yx", "zyx"])
def test_the_inverse_gives_back_every_bit(axes: str, dtype: type[np.signedinteger], name: str) -> None:
    for length in LENGTHS[1:]:
        volume = noise(2, length, length // 2 + 2, 42 - length, seed=length).astype(dtype)
        back = inverse(forward(volume, axes, WAVELETS[name]), axes, WAVELETS[name])
        np.testing.assert_array_equal(back, volume)
        assert back.dtype == dtype


@pytest.mark.parametrize("name", WAVELETS)
@pytest.mark.parametrize("axis", "zyx")
def test_a_signal_of_one_sample_is_its_own_low_pass(axis: str, name: str) -> None:
    position = 1 + "zyx".index(axis)
    shape = [2, 3, 4, 5]
    shape[position] = 1
    volume = noise(*shape)
    bands = forward(volume, axis, WAVELETS[name])
    np.testing.assert_array_equal(bands[""], volume)
    assert bands[axis].size == 0
    np.testing.assert_array_equal(inverse(bands, axis, WAVELETS[name]), volume)


def test_several_axes_are_the_axes_one_after_the_other_from_the_last() -> None:
    volume = noise(1, 9, 8, 7)
    bands = forward(volume, "zyx", WAVELETS["13/7"])
    x_high = forward(volume, "x", WAVELETS["13/7"])["x"]
    y_low = forward(x_high, "y", WAVELETS["13/7"])[""]
    np.testing.assert_array_equal(bands["zx"], forward(y_low, "z", WAVELETS["13/7"])["z"])


@pytest.mark.parametrize("length", LENGTHS[1:])
def test_5_3_is_the_reversible_transform_of_jpeg_2000(length: int) -> None:
    """ISO/IEC 15444-1 Annex F, equations F-9 and F-10, on the signal extended as in F.3.7."""
    signal = noise(length, seed=length)
    period = 2 * (length - 1)
    x = {i: int(signal[min(i % period, period - i % period)]) for i in range(-4, length + 5)}
    y = {n: x[n] - (x[n - 1] + x[n + 1]) // 2 for n in range(-3, length + 4, 2)}
    even = [x[n] + (y[n - 1] + y[n + 1] + 2) // 4 for n in range(0, length, 2)]
    bands = forward(as_lines(signal), "x", WAVELETS["5/3"])
    assert bands[""].ravel().tolist() == even
    assert bands["x"].ravel().tolist() == [y[n] for n in range(1, length, 2)]


@pytest.mark.parametrize("name", WAVELETS)
def test_the_margin_is_how_far_a_coefficient_reaches_and_no_further(name: str) -> None:
    """Of 40 pairs of samples, those that a change of pair 20 of either band changes."""
    changed = set()
    for band in ("", "x"):
        bands = {key: np.zeros((1, 1, 1, 40), np.int64) for key in ("", "x")}
        bands[band][..., 20] = 10_000
        changed |= set(np.flatnonzero(inverse(bands, "x", WAVELETS[name])) // 2)
    assert max(abs(pair - 20) for pair in changed) == WAVELETS[name].margin


def test_lazy_low_pass_is_every_other_sample() -> None:
    volume = noise(2, 5, 6, 7)
    np.testing.assert_array_equal(forward(volume, "zyx", WAVELETS["lazy"])[""], volume[:, ::2, ::2, ::2])


@pytest.mark.parametrize("name", LIFTED)
def test_a_constant_has_no_details(name: str) -> None:
    bands = forward(np.full((1, 5, 6, 7), 1234, np.int32), "zyx", WAVELETS[name])
    assert (bands.pop("") == 1234).all()
    assert not any(band.any() for band in bands.values())


def test_the_forward_transform_leaves_its_input_as_it_is() -> None:
    volume = noise(1, 6, 7, 8)
    before = volume.copy()
    forward(volume, "zyx", WAVELETS["13/7"])
    np.testing.assert_array_equal(volume, before)


def test_an_array_that_is_not_contiguous_is_transformed_alike() -> None:
    volume = noise(1, 8, 12, 10).transpose(0, 2, 1, 3)[:, ::2]
    bands, expected = (forward(v, "zyx", WAVELETS["13/7"]) for v in (volume, volume.copy()))
    assert all(np.array_equal(bands[name], expected[name]) for name in expected)


def test_subbands_that_are_not_contiguous_are_merged_alike_and_left_as_they_are() -> None:
    volume = noise(1, 8, 12, 10)
    bands = forward(volume, "zyx", WAVELETS["13/7"])
    wide = {name: np.repeat(band, 2, axis=3) for name, band in bands.items()}
    kept = {name: band.copy() for name, band in wide.items()}
    views = {name: band[..., ::2] for name, band in wide.items()}
    np.testing.assert_array_equal(inverse(views, "zyx", WAVELETS["13/7"]), volume)
    assert all(np.array_equal(wide[name], band) for name, band in kept.items())


@pytest.mark.parametrize("axes", ["x", "yx", "zyx"])
def test_the_bands_of_a_halving_are_the_low_pass_and_those_named(axes: str) -> None:
    bands = forward(noise(1, 4, 4, 4), axes, WAVELETS["5/3"])
    assert set(bands) == {"", *band_names(axes)}


def test_bands_are_named_in_the_order_in_which_they_are_stored() -> None:
    assert band_names("zyx") == ("x", "y", "yx", "z", "zx", "zy", "zyx")


def test_an_unknown_wavelet_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(InvalidRequest, match="13/7, 5/3, lazy"):
        wavelet_named("9/7")
