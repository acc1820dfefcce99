"""Which samples are lifted in 32 bits, and that these hold whatever lifting makes of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mist.subbands import Coefficients
from mist.wavelet import WAVELETS, Wavelet, coefficient_dtype, forward, inverse
from tests.lifting_oracle import filters

LIFTED = ("13/7", "5/3")
MOST_LEVELS = 12
LEAST, GREATEST = -(2**17), 2**18 - 1  # what is still lifted in int32

Integers = npt.NDArray[np.int64]


def iterated(wavelet: Wavelet, levels: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The low-pass and the high-pass filter that lead from the signal to level `levels`."""
    low, high = (np.array([taps.get(o, 0.0) for o in range(min(taps), max(taps) + 1)]) for taps in filters(wavelet))
    product = detail = np.ones(1)
    for level in range(levels):
        step = 2**level
        last = [np.zeros((len(taps) - 1) * step + 1) for taps in (low, high)]
        for spread, taps in zip(last, (low, high), strict=True):
            spread[::step] = taps
        product, detail = np.convolve(product, last[0]), np.convolve(product, last[1])
    return product, detail


@pytest.mark.parametrize("name", LIFTED)
def test_int32_holds_every_sum_of_lifting_samples_of_18_bits(name: str) -> None:
    """The worst case of a linear form is the sum of its weights' magnitudes; rounding adds less than 2^8 in all.

    A step adds 20 times its source to its target at most. The bound is for all levels together along three axes, the
    last of which is being lifted.
    """
    low, high = (max(np.abs(iterated(WAVELETS[name], k)[i]).sum() for k in range(1, MOST_LEVELS)) for i in (0, 1))
    greatest = 2**18 * max(low, high) ** 3 + 2**8
    weights = max(2 * (abs(step.inner) + abs(step.outer)) for step in WAVELETS[name].steps)
    assert greatest * (weights + 1) < 2**31


def both_dtypes(samples: Integers) -> list[Coefficients]:
    return [samples.astype(np.int32), samples.astype(np.int64)]


@pytest.mark.parametrize("name", LIFTED)
@pytest.mark.parametrize("band", [0, 1])
@pytest.mark.parametrize("levels", [1, 2, 5, 8])
def test_the_worst_signs_over_many_levels_are_lifted_alike_in_32_and_64_bits(name: str, levels: int, band: int) -> None:
    taps = iterated(WAVELETS[name], levels)[band]
    signs = np.where(np.resize(taps, 3 * len(taps)) < 0, LEAST, GREATEST)
    for shift in (0, 2 ** (levels - 1), 1):
        lines = both_dtypes(np.roll(signs, shift).reshape(1, 1, 1, -1))
        for _ in range(levels):
            narrow, wide = (forward(line, "x", WAVELETS[name]) for line in lines)
            assert all(np.array_equal(narrow[key], wide[key]) for key in ("", "x"))
            lines = [narrow[""], wide[""]]


@pytest.mark.parametrize("name", LIFTED)
@pytest.mark.parametrize("band", [0, 1])
def test_the_worst_signs_along_three_axes_are_lifted_alike_in_32_and_64_bits(name: str, band: int) -> None:
    taps = np.resize(iterated(WAVELETS[name], 2)[band], 48)
    signs = np.sign(np.einsum("i,j,k->ijk", taps, taps, taps))[None]
    volumes = both_dtypes(np.where(signs < 0, LEAST, GREATEST))
    for _ in range(3):
        narrow, wide = (forward(volume, "zyx", WAVELETS[name]) for volume in volumes)
        assert all(np.array_equal(narrow[key], wide[key]) for key in wide)
        low = narrow[""].copy()
        np.testing.assert_array_equal(inverse(narrow, "zyx", WAVELETS[name]), volumes[1])
        volumes = [low, wide[""]]


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0, 2**18 - 1, np.int32),
        (0, 2**18, np.int64),
        (-(2**17), 2**17 - 1, np.int32),
        (-(2**17) - 1, 0, np.int64),
        (0, 2**32 - 1, np.int64),
        (-(2**31), 2**31 - 1, np.int64),
    ],
)
def test_samples_of_18_bits_are_lifted_in_int32_and_larger_ones_in_int64(
    low: int, high: int, dtype: type[np.signedinteger]
) -> None:
    assert coefficient_dtype(low, high) == dtype
