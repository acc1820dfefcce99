from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest

from mist.errors import InvalidRequest
from mist.samples import FEWEST_STEPS, Coding, SampleMap, from_integers, to_integers
from mist.volume import Voxels

INTEGER_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32")

Floats = npt.NDArray[np.floating]


def assert_comes_back(samples: Voxels) -> SampleMap:
    integers, sample_map = to_integers(samples)
    back = from_integers(integers.astype(np.int64), sample_map)
    assert back.dtype == samples.dtype
    assert back.tobytes() == samples.tobytes()
    return sample_map


def floats(*values: float) -> npt.NDArray[np.float32]:
    return np.array(values, np.float32)


@pytest.mark.parametrize("dtype", INTEGER_DTYPES)
def test_integers_are_held_as_they_are_to_both_ends_of_their_range(dtype: str) -> None:
    bounds = np.iinfo(dtype)
    sample_map = assert_comes_back(np.array([bounds.min, bounds.max, 0, 1], dtype))
    assert sample_map == SampleMap(dtype, Coding.INTEGER, 1.0, bounds.min, bounds.max)


@pytest.mark.parametrize(
    ("dtype", "step", "counts"),
    [
        ("uint16", 16, (0, 4095)),
        ("uint16", 257, (0, 255)),
        ("uint16", 5, (7, 13107)),
        ("int16", 16, (-2048, 2047)),
        ("int16", 100, (-300, -5)),
        ("uint32", 2, (0, 2**31 - 1)),
        ("uint32", 2**24, (0, 255)),
        ("int32", 2, (-(2**30), 2**30 - 1)),
        ("int32", 2**20, (-2048, 2047)),
    ],
)
def test_integers_that_are_multiples_of_a_step_are_held_in_units_of_it(
    dtype: str, step: int, counts: tuple[int, int]
) -> None:
    drawn = np.random.default_rng(0).integers(*counts, (3, 40, 50), endpoint=True)
    drawn.flat[:4] = [*counts, counts[0] + 1, counts[1]]
    integers, sample_map = to_integers((drawn * step).astype(dtype))
    np.testing.assert_array_equal(integers, drawn)
    assert sample_map == SampleMap(dtype, Coding.SCALED, float(step), *counts)
    assert_comes_back((drawn * step).astype(dtype))


def test_one_sample_that_is_no_multiple_of_the_step_is_seen_wherever_it_lies() -> None:
    samples = np.random.default_rng(0).integers(0, 4096, 50_000).astype(np.uint16) << 4
    for place in (0, 1, 4095, 4097, 31_337, 49_999):
        changed = samples.copy()
        changed[place] += 8
        assert assert_comes_back(changed).slope == 8
        changed[place] += 1
        assert assert_comes_back(changed).coding is Coding.INTEGER


@pytest.mark.parametrize("dtype", INTEGER_DTYPES)
@pytest.mark.parametrize("value", [0, 1, 96])
def test_a_constant_image_of_integers_is_held_as_it_is(dtype: str, value: int) -> None:
    assert assert_comes_back(np.full((5, 7), value, dtype)).coding is Coding.INTEGER


def test_the_least_int32_alone_is_held_as_it_is() -> None:
    assert assert_comes_back(np.array([-(2**31), 0], np.int32)).coding is Coding.INTEGER


def test_few_steps_are_not_packed_so_that_reduced_levels_stay_smooth() -> None:
    for count, coding in ((FEWEST_STEPS - 1, Coding.INTEGER), (FEWEST_STEPS, Coding.SCALED)):
        assert assert_comes_back(np.arange(count + 1, dtype=np.uint16) * 255).coding is coding


def test_a_reduced_level_of_packed_integers_holds_multiples_of_the_step_within_the_range() -> None:
    _, sample_map = to_integers(np.arange(-100, 200, dtype=np.int16) * 16)
    delivered = from_integers(np.array([-(2**40), -101, -3, 0, 7, 200, 2**40]), sample_map)
    assert delivered.dtype == np.int16
    assert delivered.tolist() == [-1600, -1600, -48, 0, 112, 199 * 16, 199 * 16]


def test_a_step_is_sought_in_images_that_are_not_contiguous() -> None:
    samples = (np.arange(6000, dtype=np.uint16).reshape(50, 120) << 3)[::2, ::3]
    assert assert_comes_back(samples).slope == 24


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("slope", [1.0, 0.1, 1 / 3, 0.0123, 1e-7, 250.0, 2.0**-20])
def test_floats_that_are_integers_times_a_slope_are_held_as_those_integers(slope: float, dtype: str) -> None:
    counts = np.random.default_rng(0).integers(-4096, 4096, 20_000)
    integers, sample_map = to_integers((counts * slope).astype(dtype))
    assert sample_map.coding is Coding.SCALED
    np.testing.assert_array_equal(integers, counts)
    assert_comes_back((counts * slope).astype(dtype))


def test_float64_multiples_of_a_tenth_without_any_power_of_two_among_them_are_scaled() -> None:
    counts = np.array([n for n in range(3, 3000) if n & (n - 1)])
    assert assert_comes_back(counts * 0.1).coding is Coding.SCALED


@pytest.mark.parametrize("slope", [0.0123, 1 / 3])
def test_a_float_image_rescaled_in_float32_comes_back(slope: float) -> None:
    counts = np.random.default_rng(1).integers(0, 4096, 5000).astype(np.float32)
    assert_comes_back(counts * np.float32(slope) - np.float32(1024))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 5e-39, 3e38])
def test_a_constant_float_image_is_scaled(value: float, dtype: str) -> None:
    assert assert_comes_back(np.full(7, value, dtype)).coding is Coding.SCALED


def test_great_counts_with_a_great_slope_are_scaled() -> None:
    assert assert_comes_back(np.array([0.0, 5e9, 1e10])).slope == 5e9


@pytest.mark.parametrize(
    "samples",
    [
        floats(0.0, -0.0, 1.0),
        floats(np.nan, 1.0),
        floats(np.inf, -np.inf, 0.0),
        floats(1e-45, -1e-45, 1.0, 3e38),
        floats(3.4028235e38, -3.4028235e38, 1.1754944e-38),
        np.random.default_rng(0).normal(size=5000).astype(np.float32),
    ],
    ids=["negative zero", "nan", "infinities", "denormals", "extremes", "noise"],
)
def test_float32_that_no_slope_explains_is_held_by_its_ordered_bits(samples: npt.NDArray[np.float32]) -> None:
    assert assert_comes_back(samples).coding is Coding.ORDERED_BITS


def test_every_kind_of_nan_keeps_its_bits() -> None:
    patterns = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF, 0x7FFFFFFF], np.uint32)
    assert_comes_back(patterns.view(np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ordered_bits_sort_as_the_floats_do(dtype: str) -> None:
    samples = np.sort(np.append(np.random.default_rng(0).normal(size=999), [0.0, 1e-45, -1e-45, -np.inf, np.inf]))
    integers, sample_map = to_integers(samples.astype(dtype))
    assert sample_map.coding is Coding.ORDERED_BITS
    assert (integers[1:] >= integers[:-1]).all()


def test_denormals_that_are_multiples_of_one_another_are_scaled() -> None:
    assert assert_comes_back(np.array([5e-324, 1e-323, 1e-320])).coding is Coding.SCALED


@pytest.mark.parametrize(
    "samples",
    [
        np.array([0.1, 0.2, np.pi]),
        np.array([np.nan, 1.0]),
        np.array([np.inf]),
        np.array([-0.0, 1.0]),
        np.array([5e-324, 1e308]),
        np.array([np.finfo(np.float64).max, 1.0]),
        np.array([2.0**31, 1.0]),
        np.random.default_rng(0).normal(size=1000),
    ],
    ids=["pi", "nan", "infinity", "negative zero", "far apart", "greatest", "33 bits", "noise"],
)
def test_float64_that_no_slope_explains_is_held_by_its_ordered_bits(samples: npt.NDArray[np.float64]) -> None:
    assert assert_comes_back(samples).is_wide


def test_a_million_different_floats_do_not_take_long_to_understand() -> None:
    samples = np.random.default_rng(0).normal(size=1_000_000).astype(np.float32)
    started = time.process_time()
    assert to_integers(samples)[1].coding is Coding.ORDERED_BITS
    assert time.process_time() - started < 5


@pytest.mark.parametrize("dtype", INTEGER_DTYPES)
def test_integers_beyond_the_range_of_the_scan_are_clamped_and_never_wrap(dtype: str) -> None:
    bounds = np.iinfo(dtype)
    sample_map = SampleMap(dtype, Coding.INTEGER, 1.0, bounds.min + 1, bounds.max - 1)
    delivered = from_integers(np.array([-(2**40), bounds.min, 3, bounds.max, 2**40]), sample_map)
    assert delivered.tolist() == [bounds.min + 1, bounds.min + 1, 3, bounds.max - 1, bounds.max - 1]


def test_ordered_bits_beyond_the_range_of_the_scan_are_clamped() -> None:
    integers, sample_map = to_integers(floats(-1.5, np.pi, 1e30))
    beyond = np.append(integers.astype(np.int64), [-(2**33), 2**33])
    assert from_integers(beyond, sample_map).tolist() == floats(-1.5, np.pi, 1e30, -1.5, 1e30).tolist()


def test_the_shape_of_the_samples_is_kept() -> None:
    integers, sample_map = to_integers(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    assert integers.shape == from_integers(integers, sample_map).shape == (2, 3, 4)


def test_samples_that_are_not_contiguous_are_held_alike() -> None:
    samples = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    np.testing.assert_array_equal(to_integers(samples[:, ::2])[0], to_integers(samples[:, ::2].copy())[0])


@pytest.mark.parametrize(
    ("dtype", "coding", "slope", "low", "high"),
    [
        ("int64", Coding.INTEGER, 1.0, 0, 1),
        ("uint8", Coding.INTEGER, 1.0, 1, 0),
        ("uint8", Coding.INTEGER, 1.0, -1, 0),
        ("uint8", Coding.INTEGER, 1.0, 0, 256),
        ("uint8", Coding.SCALED, 0.5, 0, 1),
        ("uint8", Coding.SCALED, -1.0, -1, 0),
        ("uint8", Coding.SCALED, 1.0, 0, 1),
        ("uint8", Coding.SCALED, 2.5, 0, 1),
        ("uint8", Coding.SCALED, 2.0, 0, 128),
        ("int16", Coding.SCALED, 16.0, -2049, 0),
        ("uint16", Coding.SCALED, 65536.0, 0, 0),
        ("uint16", Coding.SCALED, 1e300, 0, 0),
        ("uint32", Coding.SCALED, 2.0, 0, 2**31),
        ("uint8", Coding.ORDERED_BITS, 1.0, 0, 1),
        ("float32", Coding.INTEGER, 1.0, 0, 1),
        ("float64", Coding.ORDERED_BITS, 1.0, 0, 2**63),
        ("float32", Coding.SCALED, 0.0, 0, 1),
        ("float32", Coding.SCALED, np.nan, 0, 1),
        ("float32", Coding.SCALED, 1.0, 0, 2**31),
    ],
)
def test_a_map_that_contradicts_itself_is_refused(
    dtype: str, coding: Coding, slope: float, low: int, high: int
) -> None:
    with pytest.raises(InvalidRequest, match="samples"):
        SampleMap(dtype, coding, slope, low, high)
