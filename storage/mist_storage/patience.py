"""How long a request to a store may take, and how often it is made anew.

The rule: one answer for all clients (obstore, boto3), so that each gives up at the same time. Knows no
stores.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

from mist.errors import InvalidRequest

RETRY_TIMEOUT_S = 60.0
"""After this time a request is not made anew, in seconds."""

_CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """The limits of one request."""

    timeout_s: float = 120.0
    """The most seconds from its beginning to the last byte of its answer, for a large object over a slow line."""
    retries: int = 5
    """How often it is made anew after a lost connection or a 5xx: some six seconds in all, so that a store that is not
    there is reported while somebody is still looking."""

    @classmethod
    def of_environment(cls) -> Self:
        """As MIST_STORE_TIMEOUT_S and MIST_STORE_RETRIES say.

        Raises
        ------
        InvalidRequest
            One of them is no number, or out of range.
        """
        return cls(
            _number("MIST_STORE_TIMEOUT_S", cls().timeout_s, 0.1, 86_400.0),
            int(_number("MIST_STORE_RETRIES", cls().retries, 0, 100)),
        )

    @property
    def connect_timeout_s(self) -> float:
        """The most seconds until there is a connection."""
        return min(_CONNECT_TIMEOUT_S, self.timeout_s)


def _number(name: str, default: float, least: float, most: float) -> float:
    text = os.environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise InvalidRequest(f"{name} is a number from {least:g} to {most:g}, not {text!r}")
    return value
