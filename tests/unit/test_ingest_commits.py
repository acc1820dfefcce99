from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from mist.errors import StoreFull
from mist.ingest.commits import AddRows, Commit, Stopped, committing
from mist_storage.catalog_row import CatalogRow
from tests.stored_scan import catalog_row, stored, tiny

DEADLINE_S = 60


class Log:
    """Takes rows as a catalog does; the commits from number `fails_from` on find no room."""

    def __init__(self, fails_from: int = 1000) -> None:
        self.calls = 0
        self.batches: list[int] = []
        self._fails_from = fails_from

    def __call__(self, rows: list[CatalogRow]) -> int:
        self.calls += 1
        if len(self.batches) >= self._fails_from:
            raise StoreFull("the store is full")
        self.batches.append(len(rows))
        return len(self.batches)


def stop(log: Commit | None, row: CatalogRow, rows: int, end: BaseException) -> list[Stopped]:
    """What is told of work that committed `rows` in batches of four and was then ended by `end`."""
    told: list[Stopped] = []
    with pytest.raises(type(end)), committing(log, 4, told.append) as add:
        work(add, row, rows, end)
    return told


def work(add: AddRows, row: CatalogRow, rows: int, end: BaseException) -> None:
    for _ in range(rows):
        add([row])
    raise end


@pytest.fixture(scope="module")
def row() -> CatalogRow:
    return catalog_row(stored(tiny()).stored, {})


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(), StoreFull(), ValueError()], ids=repr)
def test_what_is_done_when_the_work_is_ended_is_one_last_commit(row: CatalogRow, end: BaseException) -> None:
    log = Log()
    assert stop(log, row, 6, end) == [Stopped(rows=6)]
    assert log.batches == [4, 2]


def test_nothing_is_committed_where_nothing_is_done(row: CatalogRow) -> None:
    log = Log()
    assert stop(log, row, 0, KeyboardInterrupt()) == [Stopped(rows=0)]
    assert log.batches == []


def test_a_last_commit_that_fails_is_told_beside_what_ended_the_work(row: CatalogRow) -> None:
    assert stop(Log(fails_from=1), row, 6, KeyboardInterrupt()) == [Stopped(4, "the store is full")]


def test_where_committing_is_what_failed_it_is_not_tried_again(row: CatalogRow) -> None:
    log, told = Log(fails_from=1), list[Stopped]()
    with pytest.raises(StoreFull), committing(log, 4, told.append) as add:
        work(add, row, 8, KeyboardInterrupt())
    assert (log.calls, told) == (2, [Stopped(4, "the store is full")])


class Interrupted:
    """Takes rows as a catalog does, and has the main thread interrupted so many times before it comes to its end."""

    def __init__(self, log: Log, times: int) -> None:
        self.let_go = threading.Event()
        self._log = log
        self._times = times
        self._heard = threading.Semaphore(0)

    def __call__(self, rows: list[CatalogRow]) -> int:
        for _ in range(self._times):
            assert any(self._interrupts() for _ in range(DEADLINE_S))
        assert self.let_go.wait(DEADLINE_S)
        return self._log(rows)

    def _interrupts(self) -> bool:
        """Whether the main thread has heard a signal; one that comes just before it begins to wait does not wake it."""
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return self._heard.acquire(timeout=1)

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """Raise as Ctrl-C does; the commit may end after the first time unless there is a second one."""
        self._heard.release()
        if self._times == 1:
            self.let_go.set()
        raise KeyboardInterrupt


@pytest.fixture
def restored() -> Iterator[None]:
    """What Ctrl-C does is after the test what it was before."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("restored")
def test_a_commit_that_is_interrupted_comes_to_its_end_once(row: CatalogRow) -> None:
    log, told = Log(), list[Stopped]()
    commit = Interrupted(log, times=1)
    signal.signal(signal.SIGINT, commit.handle)
    with pytest.raises(KeyboardInterrupt), committing(commit, 1, told.append) as add:
        add([row])
    assert told == [Stopped(rows=1)]
    assert log.batches == [1]


@pytest.mark.usefixtures("restored")
def test_a_second_interrupt_waits_for_no_commit(row: CatalogRow) -> None:
    log, told = Log(), list[Stopped]()
    commit = Interrupted(log, times=2)
    signal.signal(signal.SIGINT, commit.handle)
    with pytest.raises(KeyboardInterrupt), committing(commit, 1, told.append) as add:
        add([row])
    assert (log.batches, told) == ([], [])
    commit.let_go.set()


def test_a_dry_run_commits_and_tells_nothing(row: CatalogRow) -> None:
    assert stop(None, row, 6, KeyboardInterrupt()) == []
