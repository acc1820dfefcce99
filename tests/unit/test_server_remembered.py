from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from mist.server.remembered import Remembered


@dataclass
class Counter:
    """A clock that is set by hand and a value that tells how often it was made."""

    now: float = 0.0
    made: list[int | None] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def make(self, before: int | None) -> int:
        self.made.append(before)
        return len(self.made)


def test_a_value_is_made_once_while_it_is_young() -> None:
    counter = Counter()
    remembered = Remembered(counter.make, 3.0, counter.clock)
    assert [remembered.get(), remembered.get()] == [1, 1]


def test_an_old_value_is_made_anew_from_the_one_before() -> None:
    counter = Counter()
    remembered = Remembered(counter.make, 3.0, counter.clock)
    remembered.get()
    counter.now = 3.0
    assert (remembered.get(), counter.made) == (2, [None, 1])


def test_a_failure_is_not_remembered() -> None:
    counter = Counter()

    def make(before: int | None) -> int:
        if len(counter.made) == 1:
            counter.made.append(before)
            raise OSError("away")
        return counter.make(before)

    remembered = Remembered(make, 3.0, counter.clock)
    remembered.get()
    counter.now = 5.0
    with pytest.raises(OSError, match="away"):
        remembered.get()
    assert remembered.get() == 3


def test_others_get_the_value_before_while_one_makes_it_anew() -> None:
    counter, started, go_on = Counter(), threading.Event(), threading.Event()

    def make(before: int | None) -> int:
        if before is not None:
            started.set()
            assert go_on.wait(10)
        return counter.make(before)

    remembered = Remembered(make, 3.0, counter.clock)
    remembered.get()
    counter.now = 3.0
    thread = threading.Thread(target=remembered.get)
    thread.start()
    assert started.wait(10)
    assert remembered.get() == 1
    go_on.set()
    thread.join()
    assert remembered.get() == 2
