from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mist.halving import merge_slices, split_slices
from mist.lifting import BATCH
from mist.wavelet import WAVELETS, Phase
from tests.lifting_oracle import divide_to_nearest, split

Slices = npt.NDArray[np.signedinteger]

SHAPES = [(3, 5, 7), (2, 4, 6), (2, 1, 9), (2, 9, 1), (1, 1, 1), (1, 300, 50), (1, 6, BATCH + 3), (1, 37, BATCH // 4)]


def table(name: str, sign: int) -> npt.NDArray[np.int64]:
    steps = WAVELETS[name].steps[::sign]
    rows = [(step.target is Phase.ODD, step.inner, step.outer, step.shift, sign) for step in steps]
    return np.array(rows, np.int64).reshape(-1, 5)


def expected(slices: Slices, name: str) -> tuple[Slices, ...]:
    """The subbands `` x y yx by plain lifting along x, then y."""
    along_x = split(slices, WAVELETS[name], divide_to_nearest)
    along_y = [split(np.moveaxis(half, -2, -1), WAVELETS[name], divide_to_nearest) for half in along_x]
    (a, c), (b, d) = ([np.ascontiguousarray(np.moveaxis(half, -1, -2)) for half in halves] for halves in along_y)
    return a, b, c, d


def slices_of(shape: tuple[int, ...]) -> Slices:
    return np.random.default_rng(0).integers(-(2**17), 2**18, (2, *shape)).astype(np.int32)


@pytest.mark.parametrize("name", WAVELETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_slices_are_split_as_plain_lifting_does(shape: tuple[int, ...], name: str) -> None:
    whole = slices_of(shape)
    wanted = expected(whole, name)
    quarters = tuple(np.full_like(quarter, -1) for quarter in wanted)
    split_slices(quarters, whole, (0, 1), table(name, 1))
    for quarter, plain in zip(quarters, wanted, strict=True):
        np.testing.assert_array_equal(quarter, plain)


@pytest.mark.parametrize("name", WAVELETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_slices_are_merged_from_what_plain_lifting_makes_of_them(shape: tuple[int, ...], name: str) -> None:
    whole = slices_of(shape)
    merged = np.full_like(whole, -1)
    merge_slices(expected(whole, name), merged, (0, 1), table(name, -1))
    np.testing.assert_array_equal(merged, whole)


def test_only_the_slices_that_are_named_are_written() -> None:
    whole = slices_of((4, 6, 8))
    merged = np.full_like(whole, -1)
    merge_slices(expected(whole[:, 1::2], "13/7"), merged, (1, 2), table("13/7", -1))
    np.testing.assert_array_equal(merged[:, 1::2], whole[:, 1::2])
    assert (merged[:, 0::2] == -1).all()
