from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from mist.errors import InvalidRequest
from mist.ingest.memory_gate import MemoryGate, parse_size, usual_memory


def enter(gate: MemoryGate, needed: int, entered: list[int]) -> tuple[threading.Thread, threading.Event]:
    """Somebody who needs memory, and what lets them go."""
    leave = threading.Event()

    def work() -> None:
        with gate.entered(needed):
            entered.append(needed)
            leave.wait(30)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, leave


def test_work_that_fits_together_is_let_in_together() -> None:
    gate = MemoryGate(10)
    with gate.entered(4) as first, gate.entered(6) as second:
        assert first
        assert second


def test_work_waits_until_there_is_memory_and_in_order() -> None:
    gate, entered = MemoryGate(10), list[int]()
    with ExitStack() as stack:
        stack.enter_context(gate.entered(6))
        large, leave_large = enter(gate, 8, entered)
        while gate.waiting < 1:
            pass
        small, leave_small = enter(gate, 2, entered)  # would fit at once, and may not pass the large one
        while gate.waiting < 2:
            pass
        assert entered == []
    leave_large.set()
    large.join(30)
    leave_small.set()
    small.join(30)
    assert entered == [8, 2]


def test_work_that_never_fits_is_let_in_alone_and_told_so() -> None:
    gate = MemoryGate(10)
    with gate.entered(11) as fits:
        assert not fits
    with gate.entered(10) as fits:
        assert fits


def test_memory_is_given_back_when_work_fails() -> None:
    gate = MemoryGate(10)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), gate.entered(10):
            raise ZeroDivisionError
    with gate.entered(10) as fits:
        assert fits


@pytest.mark.parametrize(
    ("text", "size"), [("1000", 1000), ("4k", 4096), ("1.5M", 3 << 19), ("2 GiB", 2 << 30), ("1tb", 1 << 40)]
)
def test_sizes_are_read_in_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1G", "0", "4X", "1e9"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="a size is a number with K, M, G or T"):
        parse_size(text)


def test_the_usual_memory_is_a_part_of_what_there_is() -> None:
    assert 0 < usual_memory() < 1 << 50
