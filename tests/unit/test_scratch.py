from __future__ import annotations

import numpy as np

from mist.scratch import LARGEST_KEPT_BYTES, Scratch, scratch_for

INT32 = np.dtype(np.int32)


class Owner:
    """Whatever needs memory for a while."""


def test_memory_of_a_name_is_used_again_if_it_is_large_enough() -> None:
    scratch = Scratch()
    first = scratch.empty("a", (4, 5), INT32)
    assert np.shares_memory(first, scratch.empty("a", (2, 3), INT32))
    assert not np.shares_memory(first, scratch.empty("a", (40, 50), INT32))


def test_two_names_never_share_memory() -> None:
    scratch = Scratch()
    assert not np.shares_memory(scratch.empty("a", (4, 5), INT32), scratch.empty("b", (4, 5), INT32))


def test_an_array_without_elements_has_its_shape() -> None:
    assert Scratch().empty("a", (3, 0, 5), INT32).shape == (3, 0, 5)


def test_large_arrays_are_not_kept() -> None:
    scratch = Scratch()
    first = scratch.empty("a", (LARGEST_KEPT_BYTES + 1,), np.dtype(np.int8))
    assert not np.shares_memory(first, scratch.empty("a", (1,), np.dtype(np.int8)))


def test_owners_at_one_time_have_different_memory_and_the_next_one_takes_over() -> None:
    one, two = Owner(), Owner()
    first, second = scratch_for(one), scratch_for(two)
    assert first is not second
    del one
    assert scratch_for(Owner()) is first
