from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mist.lifting import BATCH, REACH, lift, lift_rows
from mist.wavelet import WAVELETS, Phase, Step, Wavelet
from tests.lifting_oracle import divide_to_nearest, split

BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.int32, np.int64])
EVERY_LENGTH = range(2, 41)

Lines = npt.NDArray[np.signedinteger]
Halves = tuple[Lines, Lines]

MANY_STEPS = Wavelet(
    "many",
    (
        Step(Phase.EVEN, 3, 1, 3),
        Step(Phase.EVEN, -5, 2, 6),
        Step(Phase.ODD, 7, -2, 1),
        Step(Phase.ODD, 1, 0, 2),
        Step(Phase.EVEN, 2, -1, 7),
    ),
)
"""More steps than any stored wavelet, several in a row of one phase, and other shifts."""

EVERY_WAVELET = pytest.mark.parametrize("wavelet", [*WAVELETS.values(), MANY_STEPS], ids=lambda wavelet: wavelet.name)


def table(wavelet: Wavelet, sign: int) -> npt.NDArray[np.int64]:
    steps = wavelet.steps[::sign]
    rows = [(step.target is Phase.ODD, step.inner, step.outer, step.shift, sign) for step in steps]
    return np.array(rows, np.int64).reshape(-1, 5)


def noise(length: int, width: int, dtype: type[np.signedinteger]) -> Lines:
    return np.random.default_rng(length).integers(-(2**17), 2**18, (2, length, width)).astype(dtype)


def halves(lines: Lines) -> Halves:
    """The even and the odd lines of (signals, lines, width), not yet lifted."""
    return lines[:, 0::2].copy(), lines[:, 1::2].copy()


def expected(lines: Lines, wavelet: Wavelet) -> Halves:
    low, high = split(np.moveaxis(lines, 1, -1), wavelet, divide_to_nearest)
    return np.moveaxis(low, -1, 1), np.moveaxis(high, -1, 1)


def as_rows(half: Lines, columns: int) -> Lines:
    """(rows, samples, 1) as `lift_rows` takes them, in so many columns, with nonsense in those to spare."""
    rows = np.full((half.shape[0], columns + 2 * REACH), -12345, half.dtype)
    rows[:, REACH : REACH + half.shape[1]] = half[..., 0]
    return rows


@BOTH_DTYPES
@EVERY_WAVELET
def test_lines_are_lifted_as_the_plain_oracle_does_and_given_back(
    wavelet: Wavelet, dtype: type[np.signedinteger]
) -> None:
    for length in EVERY_LENGTH:
        lines = noise(length, 3, dtype)
        low, high = halves(lines)
        lift(low, high, table(wavelet, 1))
        np.testing.assert_array_equal(low, expected(lines, wavelet)[0])
        np.testing.assert_array_equal(high, expected(lines, wavelet)[1])
        lift(low, high, table(wavelet, -1))
        np.testing.assert_array_equal(low, lines[:, 0::2])
        np.testing.assert_array_equal(high, lines[:, 1::2])


@EVERY_WAVELET
@pytest.mark.parametrize("width", [1, 7, BATCH // 5, BATCH // 2, BATCH - 1, BATCH, BATCH + 1])
def test_lines_of_any_width_are_lifted_alike_however_many_are_lifted_at_a_time(width: int, wavelet: Wavelet) -> None:
    for length in (2, 3, 9, 30):
        lines = noise(length, width, np.int32)
        low, high = halves(lines)
        lift(low, high, table(wavelet, 1))
        np.testing.assert_array_equal(low, expected(lines, wavelet)[0])
        np.testing.assert_array_equal(high, expected(lines, wavelet)[1])


@BOTH_DTYPES
@EVERY_WAVELET
def test_rows_are_lifted_as_the_plain_oracle_does_and_given_back(
    wavelet: Wavelet, dtype: type[np.signedinteger]
) -> None:
    for length in EVERY_LENGTH:
        lines = noise(length, 1, dtype)
        evens, odds = (length + 1) // 2, length // 2
        even, odd = (as_rows(half, evens) for half in halves(lines))
        lift_rows(even, odd, evens, odds, table(wavelet, 1))
        low, high = expected(lines, wavelet)
        np.testing.assert_array_equal(even[:, REACH : REACH + evens], low[..., 0])
        np.testing.assert_array_equal(odd[:, REACH : REACH + odds], high[..., 0])
        lift_rows(even, odd, evens, odds, table(wavelet, -1))
        np.testing.assert_array_equal(even[:, REACH : REACH + evens], lines[:, 0::2, 0])
        np.testing.assert_array_equal(odd[:, REACH : REACH + odds], lines[:, 1::2, 0])


def test_a_signal_of_one_line_is_left_as_it_is() -> None:
    low, high = halves(noise(1, 5, np.int32))
    kept = low.copy()
    lift(low, high, table(WAVELETS["13/7"], 1))
    np.testing.assert_array_equal(low, kept)


def test_halves_without_columns_have_nothing_to_lift() -> None:
    low, high = np.empty((1, 4, 0), np.int32), np.empty((1, 3, 0), np.int32)
    lift(low, high, table(WAVELETS["13/7"], 1))
    assert low.size == high.size == 0


@BOTH_DTYPES
def test_an_overflow_wraps_and_is_still_inverted_exactly(dtype: type[np.signedinteger]) -> None:
    """Nothing in a stored scan overflows; hostile blocks may, and must not do anything undefined."""
    bounds = np.iinfo(dtype)
    lines = np.array([[bounds.min, bounds.max] * 8], dtype)[..., None]
    low, high = halves(lines)
    lift(low, high, table(WAVELETS["13/7"], 1))
    lift(low, high, table(WAVELETS["13/7"], -1))
    np.testing.assert_array_equal(low, lines[:, 0::2])
    np.testing.assert_array_equal(high, lines[:, 1::2])
