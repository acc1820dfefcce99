"""Parameters that come as text: from a query, or from a command line."""

from __future__ import annotations

import math
import re

from mist.errors import InvalidRequest


class BadQuery(InvalidRequest):
    """A parameter is unknown, given twice, or not of the form that it must have."""


def whole_number(name: str, text: str) -> int:
    """The number, 0 or more, that the parameter `name` holds; `BadQuery` where it holds none."""
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise BadQuery(f"{name} is a whole number of 0 or more, not {text!r}")
    return int(text)


def real_number(name: str, text: str) -> float:
    """The finite number that the parameter `name` holds; `BadQuery` where it holds none."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadQuery(f"{name} is a number, not {text!r}")
    return number
