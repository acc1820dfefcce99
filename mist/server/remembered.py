"""A value that is made when first asked for and made anew when it has grown old."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")

Clock = Callable[[], float]
"""Seconds since some moment, such as `time.monotonic`."""


class Remembered(Generic[Value]):
    """What `make` returns, for `max_age_s` seconds; `make` is handed the value before, None at first.

    Safe to use from several threads. While one makes it anew, the others get the value before. A failure is not
    remembered: it goes to the caller, and the next one tries again.
    """

    def __init__(self, make: Callable[[Value | None], Value], max_age_s: float, clock: Clock) -> None:
        self._make = make
        self._max_age_s = max_age_s
        self._clock = clock
        self._value: Value | None = None
        self._expires = float("-inf")
        self._lock = threading.Lock()

    def get(self) -> Value:
        """The value, at most as old as is allowed."""
        held = self._value
        if held is not None and not self._claim():
            return held
        try:
            made = self._value = self._make(held)
        except BaseException:
            self._expires = float("-inf")
            raise
        self._expires = self._clock() + self._max_age_s
        return made

    def _claim(self) -> bool:
        """Whether the value is too old; if so, it is for the caller, and for nobody else, to make it anew."""
        with self._lock:
            old = self._clock() >= self._expires
            if old:
                self._expires = float("inf")
            return old
