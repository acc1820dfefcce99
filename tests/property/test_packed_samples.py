"""Integers that are all multiples of a step: they come back bit for bit, in the bytes that they take in units of it."""

from __future__ import annotations

from math import gcd

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mist.geometry import geometry_of_indices
from mist.request import Request
from mist.samples import FEWEST_STEPS, Coding
from mist.volume import Volume
from mist.wavelet import WAVELETS
from tests.encoded_scan import EncodedScan, encode_scan
from tests.strategies import INTEGER_DTYPES

Samples = npt.NDArray[np.integer]


@st.composite
def multiples(draw: st.DrawFn) -> tuple[Samples, int]:
    """Samples (y, x) of any integer dtype that are multiples of a step, and the step."""
    dtype = draw(st.sampled_from(INTEGER_DTYPES))
    least, greatest = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    step = draw(st.integers(1, greatest))
    counts = st.integers(-(-least // step), greatest // step)
    first, last = sorted((draw(counts), draw(counts)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    return (rng.integers(first, last, shape, endpoint=True) * step).astype(dtype), step


def encoded(samples: Samples, wavelet: str = "13/7") -> EncodedScan:
    return encode_scan(Volume(samples, "yx", geometry_of_indices()), wavelet)


@given(multiples(), st.sampled_from(sorted(WAVELETS)))
@settings(max_examples=150)
def test_multiples_of_a_step_come_back_and_every_level_holds_such(drawn: tuple[Samples, int], wavelet: str) -> None:
    samples, step = drawn
    scan = encoded(samples, wavelet)
    back = scan.read(Request()).voxels
    assert back.dtype == samples.dtype
    np.testing.assert_array_equal(back, samples)
    if scan.header.samples.coding is Coding.SCALED:
        slope = int(scan.header.samples.slope)
        assert slope % step == 0
        coarsest = scan.read(Request(level=scan.header.pyramid.coarsest)).voxels.astype(np.int64)
        assert not (coarsest % slope).any()
        assert samples.min() <= coarsest.min() <= coarsest.max() <= samples.max()


@given(multiples())
def test_a_step_is_taken_exactly_where_there_are_enough_of_them(drawn: tuple[Samples, int]) -> None:
    samples, _ = drawn
    step = gcd(*samples.ravel().tolist())
    span = int(samples.max()) - int(samples.min())
    packed = encoded(samples).header.samples.coding is Coding.SCALED
    assert packed == (step >= 2 and span >= FEWEST_STEPS * step)


@pytest.mark.parametrize("wavelet", sorted(WAVELETS))
@pytest.mark.parametrize(("dtype", "step"), [("uint16", 16), ("int16", 7), ("int32", 1000), ("uint32", 2**20)])
def test_an_image_of_multiples_takes_the_bytes_of_the_image_in_units(dtype: str, step: int, wavelet: str) -> None:
    counts = np.rint(500 + np.random.default_rng(0).normal(0, 100, (90, 130))).astype(dtype)
    assert encoded(counts * np.dtype(dtype).type(step), wavelet).blocks == encoded(counts, wavelet).blocks


def test_twelve_bits_shifted_to_the_left_take_far_fewer_bytes_than_sixteen_bits_of_noise() -> None:
    counts = np.random.default_rng(0).integers(0, 4096, (128, 128)).astype(np.uint16) << 4
    packed = encoded(counts).header.levels[0].end_byte
    counts[0, 0] += 1
    assert packed < 0.8 * encoded(counts).header.levels[0].end_byte
