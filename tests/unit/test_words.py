from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis.extra import numpy as stn

from mist.words import LOWER_RANGE, UPPER_RANGE, Planes, joined, split


@given(stn.arrays(np.int64, (2, 1, 3, 4)))
def test_integers_that_were_split_are_joined_again(planes: Planes) -> None:
    np.testing.assert_array_equal(joined(split(planes)), planes, strict=True)


@given(stn.arrays(np.int64, (3, 1, 2, 2)))
def test_each_word_is_within_its_range(planes: Planes) -> None:
    words = split(planes)
    for part, (least, greatest) in zip(np.split(words, 2), (UPPER_RANGE, LOWER_RANGE), strict=True):
        assert least <= part.min()
        assert part.max() <= greatest


def test_words_beyond_their_range_are_clamped() -> None:
    beyond = np.array([2**40, -(2**40), 2**33, -1]).reshape(4, 1, 1, 1)
    top, bottom = joined(beyond).ravel().tolist()
    assert (top, bottom) == (2**63 - 1, -(2**63))
