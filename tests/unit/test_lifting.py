from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mist.lifting import forward_columns, forward_rows, inverse_columns, inverse_rows
from mist.wavelet import WAVELETS, Phase
from tests.lifting_oracle import divide_to_nearest, split

BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.int32, np.int64])
EVERY_LENGTH = range(2, 41)


def table(name: str, sign: int) -> npt.NDArray[np.int64]:
    steps = WAVELETS[name].steps[::sign]
    rows = [(step.target is Phase.ODD, step.inner, step.outer, step.shift, sign) for step in steps]
    return np.array(rows, np.int64).reshape(-1, 5)


def lines(length: int, dtype: type[np.signedinteger], after: int) -> npt.NDArray[np.signedinteger]:
    return np.random.default_rng(length).integers(-(2**17), 2**18, (2, length, after)).astype(dtype)


def halves(rows: npt.NDArray[np.signedinteger]) -> tuple[npt.NDArray[np.signedinteger], npt.NDArray[np.signedinteger]]:
    before, length, after = rows.shape
    return np.empty((before, (length + 1) // 2, after), rows.dtype), np.empty((before, length // 2, after), rows.dtype)


@BOTH_DTYPES
@pytest.mark.parametrize("name", WAVELETS)
def test_rows_and_columns_are_lifted_alike_and_as_the_plain_oracle_does(
    name: str, dtype: type[np.signedinteger]
) -> None:
    for length in EVERY_LENGTH:
        rows = lines(length, dtype, after=1)
        by_rows, by_columns = halves(rows), halves(rows)
        forward_rows(rows[..., 0], by_rows[0][..., 0], by_rows[1][..., 0], table(name, 1))
        forward_columns(rows, *by_columns, table(name, 1))
        for one, other, expected in zip(
            by_rows, by_columns, split(rows[..., 0], WAVELETS[name], divide_to_nearest), strict=True
        ):
            np.testing.assert_array_equal(one[..., 0], expected)
            np.testing.assert_array_equal(other[..., 0], expected)


@BOTH_DTYPES
@pytest.mark.parametrize("name", WAVELETS)
def test_rows_are_given_back(name: str, dtype: type[np.signedinteger]) -> None:
    for length in EVERY_LENGTH:
        rows = lines(length, dtype, after=1)[..., 0]
        low, high = (half[..., 0] for half in halves(rows[..., None]))
        forward_rows(rows, low, high, table(name, 1))
        back = np.empty_like(rows)
        inverse_rows(low, high, back, table(name, -1))
        np.testing.assert_array_equal(back, rows)


@BOTH_DTYPES
@pytest.mark.parametrize("name", WAVELETS)
@pytest.mark.parametrize("after", [1, 7, 1023, 1024, 1025, 2049])
def test_columns_are_given_back_however_many_there_are(after: int, name: str, dtype: type[np.signedinteger]) -> None:
    for length in (2, 3, 9):
        rows = lines(length, dtype, after)
        low, high = halves(rows)
        forward_columns(rows, low, high, table(name, 1))
        back = np.empty_like(rows)
        inverse_columns(low, high, back, table(name, -1))
        np.testing.assert_array_equal(back, rows)


@BOTH_DTYPES
def test_an_overflow_wraps_and_is_still_inverted_exactly(dtype: type[np.signedinteger]) -> None:
    """Nothing in a stored scan overflows; hostile blocks may, and must not do anything undefined."""
    bounds = np.iinfo(dtype)
    rows = np.array([[bounds.min, bounds.max] * 8], dtype)[..., None]
    low, high = halves(rows)
    forward_columns(rows, low, high, table("13/7", 1))
    back = np.empty_like(rows)
    inverse_columns(low, high, back, table("13/7", -1))
    np.testing.assert_array_equal(back, rows)
