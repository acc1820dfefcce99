from __future__ import annotations

import pytest

from mist.delivery.parameter import BadQuery, real_number, whole_number
from mist.server.asked import Asked


def asked(*query: tuple[str, str]) -> Asked:
    return Asked("GET", "/x", {}, query, {})


def test_parameters_come_by_name() -> None:
    assert asked(("level", "2"), ("format", "npy")).parameters("level", "format") == {"level": "2", "format": "npy"}


def test_an_unknown_parameter_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(BadQuery, match=r"'levl'.*level, size"):
        asked(("levl", "2")).parameters("level", "size")


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(BadQuery, match="'level' is given 2 times"):
        asked(("level", "2"), ("level", "2")).parameters("level")


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", " 1", "0x1", "१", "1" * 16])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(BadQuery, match="level is a whole number"):
        whole_number("level", text)


@pytest.mark.parametrize("text", ["", "nan", "inf", "-inf", "1e999", "one", "1,2"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(BadQuery, match="spacing is a number"):
        real_number("spacing", text)
