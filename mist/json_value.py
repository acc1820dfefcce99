"""JSON from outside as the types that are meant.

The rule: nothing is converted that could be meant otherwise: `"3"` and `3.0` are no whole number, `true` is no number,
a string is no list. Knows types, not what they stand for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TypeVar

Record = TypeVar("Record")


def text(value: object) -> str:
    """`value`, a string."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def flag(value: object) -> bool:
    """`value`, true or false."""
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def whole(value: object) -> int:
    """`value`, a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def number(value: object) -> float:
    """`value`, a finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a finite number")
    return float(value)


def items(value: object) -> list[object]:
    """`value`, a list."""
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value


def record(kind: Callable[..., Record], value: object) -> Record:
    """`value`, an object that has the fields of the dataclass `kind`, and no others, as that dataclass.

    Raises
    ------
    TypeError, ValueError, OverflowError
        It has not, or a field is of another type.
    """
    readers = {field.name: _READERS.get(str(field.type), text) for field in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(value, Mapping) or set(value) != set(readers):
        raise TypeError(f"{value!r} has not the fields {', '.join(readers)}")
    return kind(**{name: read(value[name]) for name, read in readers.items()})


def fields_of(value: object) -> dict[str, object]:
    """The fields of a dataclass by name, for `record`; `asdict` would copy each of them, in several times the time."""
    return {field.name: getattr(value, field.name) for field in fields(value)}  # type: ignore[arg-type]


def _number_or_none(value: object) -> float | None:
    return None if value is None else number(value)


def _whole_numbers(value: object) -> tuple[int, ...]:
    return tuple(map(whole, items(value)))


_READERS: dict[str, Callable[[object], object]] = {
    "bool": flag,
    "int": whole,
    "float": number,
    "float | None": _number_or_none,
    "tuple[int, ...]": _whole_numbers,
}
"""How a field is read, by its annotation; any other is a string or an enumeration of strings."""
