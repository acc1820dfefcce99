from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mist.json_value import fields_of, flag, items, number, record, text, whole


@dataclass(frozen=True)
class Example:
    """One field of each type."""

    name: str
    count: int
    factor: float
    shown: bool
    width: float | None = None


GOOD = {"name": "a", "count": 1, "factor": 2, "shown": True, "width": None}


def test_an_object_with_the_fields_of_a_dataclass_is_one() -> None:
    assert record(Example, GOOD) == Example("a", 1, 2.0, shown=True)


def test_the_fields_of_a_dataclass_are_those_that_it_is_read_from() -> None:
    assert fields_of(Example("a", 1, 2.0, shown=True)) == GOOD


@pytest.mark.parametrize(
    "changed",
    [{"name": 1}, {"count": 1.0}, {"count": True}, {"factor": "1"}, {"shown": 1}, {"width": "wide"}, {"more": 1}],
    ids=str,
)
def test_a_field_of_another_type_or_name_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        record(Example, GOOD | changed)


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_field_is_refused_even_where_it_has_a_default(name: str) -> None:
    with pytest.raises(TypeError, match="fields"):
        record(Example, {key: value for key, value in GOOD.items() if key != name})


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_object_is_no_record(value: object) -> None:
    with pytest.raises(TypeError):
        record(Example, value)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (text, 1), (text, None), (whole, 1.0), (whole, True), (whole, "1"), (number, True), (number, "1"),
        (number, float("nan")), (number, float("inf")), (flag, 0), (flag, "true"), (items, "list"), (items, {}),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(read: Callable[[object], object], value: object) -> None:
    with pytest.raises(TypeError, match="is "):
        read(value)


def test_a_whole_number_is_a_number() -> None:
    assert number(3) == 3.0


def test_a_number_too_large_for_a_float_is_refused() -> None:
    with pytest.raises(OverflowError):
        number(10**400)
