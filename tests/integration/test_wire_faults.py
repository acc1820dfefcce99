"""Faults on the wire between real clients and a real S3 server; `tests.fuzz.wire_faults` tries all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from mist.errors import StoreError, StoreUnavailable
from mist_storage.dataset import open_dataset
from tests.aws_environment import environment
from tests.fault_proxy import Plan, WireFault, exchange
from tests.fuzz.wire_faults import (
    DONE,
    FAILED,
    Case,
    Wire,
    fresh_url,
    outcome,
    prepared,
    requests_of,
    run,
    sample,
    wired,
)
from tests.wire_acts import ACTS

ENTRY = "PUT catalog/_delta_log/N.json"
"""The request that makes a version."""


@pytest.fixture(scope="module")
def wire(seaweedfs: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """The S3 server, and a proxy before it."""
    with wired(seaweedfs, tmp_path_factory.mktemp("wire")) as made:
        yield made


@pytest.mark.parametrize("act", ["ingest", "re-ingest", "read", "read published"])
def test_a_fault_ends_in_what_was_asked_for_or_in_an_error_and_then_in_it_when_repeated(wire: Wire, act: str) -> None:
    chosen = sample(wire, act)
    assert {case.fault for case in chosen} == set(WireFault)
    assert {case.operation for case in chosen} == set(requests_of(wire, act))
    assert [(case, result) for case, result in run(wire, chosen) if result.startswith(FAILED)] == []


@pytest.mark.parametrize("fault", [WireFault.LOST_ANSWER, WireFault.RESET_IN_ANSWER, WireFault.SHORT_ANSWER])
@pytest.mark.parametrize("is_lasting", [False, True], ids=["once", "for good"])
def test_a_commit_whose_acknowledgement_is_lost_is_made_once(wire: Wire, fault: WireFault, *, is_lasting: bool) -> None:
    number = requests_of(wire, "ingest").index(ENTRY)
    result = outcome(wire, Case("ingest", fault, number, is_lasting, ENTRY))
    assert not result.startswith(FAILED), result
    assert is_lasting or result == DONE


@pytest.mark.parametrize("act", ["rm", "gc", "publish"])
@pytest.mark.parametrize("fault", [WireFault.SLOW_DOWN, WireFault.SHORT_ANSWER])
def test_an_administrator_is_told_of_a_store_that_goes_on_failing_and_can_finish_later(
    wire: Wire, act: str, fault: WireFault
) -> None:
    number = len(requests_of(wire, act)) // 2
    result = outcome(wire, Case(act, fault, number, is_lasting=True, operation=""))
    assert result == "error, done when repeated: StoreUnavailable"


def test_a_full_store_is_called_full(wire: Wire) -> None:
    url = fresh_url(wire, "ingest")
    exchange(wire.proxy, Plan(WireFault.FULL, 0, is_lasting=True))
    with environment(wire.through_proxy), pytest.raises(StoreError, match="the store is full"):
        ACTS["ingest"](wire.source).do(url)


def test_other_threads_go_on_while_a_silent_store_is_waited_for(wire: Wire) -> None:
    url = prepared(wire, "read")
    asked = requests_of(wire, "read")
    exchange(wire.proxy, Plan(WireFault.SILENCE, asked.index("GET catalog/rows"), is_lasting=True))
    ticks, is_over = [time.monotonic()], threading.Event()

    def tick() -> None:
        while not is_over.wait(0.01):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    with environment(wire.through_proxy), pytest.raises(StoreUnavailable):
        open_dataset(url)
    is_over.set()
    thread.join()
    longest = max(later - earlier for earlier, later in pairwise(ticks))
    assert longest < (ticks[-1] - ticks[0]) / 2
