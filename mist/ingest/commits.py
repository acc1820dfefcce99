"""Rows of an ingest, committed by and by.

The rule: what is done is committed, however the ingest ends: in full batches while it goes on, and at once where an
error or a signal ends it, unless committing is what failed. A commit that has begun is never cut short by a first
signal; a second one does not wait for it. Knows rows, not how they came about.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

from mist.ingest.refusal import cause
from mist_storage.catalog_row import CatalogRow

COMMIT_ROWS = 256
"""Rows in one commit: an ingest that is killed loses at most so many scans, and ten thousand scans make forty
versions."""

COMMIT_SECONDS = 60.0
"""Rows wait no longer for a commit than this, and for the next scan to be done: an hour of large scans is not lost."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What an ingest that did not come to its end has committed."""

    rows: int
    """How many rows, in this run."""
    fault: str = ""
    """Why rows that were done are not committed; empty where none is left."""


Commit = Callable[[list[CatalogRow]], int]
"""What commits rows to a dataset, all or none."""

AddRows = Callable[[Sequence[CatalogRow]], None]
"""What takes rows of the dataset that are to be committed."""

OnStopped = Callable[[Stopped], None]
"""What is told of an ingest that did not come to its end, before what ended it is raised."""


class Commits:
    """Commits rows to a dataset in batches, in a thread of its own: no signal reaches it, and no process waits for it.

    Parameters
    ----------
    commit
        What commits.
    batch_rows
        Rows of one commit; there are fewer after `COMMIT_SECONDS`.
    """

    def __init__(self, commit: Commit, batch_rows: int) -> None:
        self._commit = commit
        self._batch_rows = batch_rows
        self._pending: list[CatalogRow] = []
        self._since = time.monotonic()
        self._rows = 0
        self._failure: BaseException | None = None
        self._batches: SimpleQueue[tuple[list[CatalogRow], Future[None]] | None] = SimpleQueue()
        threading.Thread(target=self._carry_out, name="commits", daemon=True).start()

    def add(self, rows: Sequence[CatalogRow]) -> None:
        """Commit `rows` in time.

        Raises
        ------
        StoreError
            The store failed.
        """
        self._pending += rows
        is_due = len(self._pending) >= self._batch_rows or time.monotonic() - self._since >= COMMIT_SECONDS
        if self._pending and is_due:
            self.flush()

    def flush(self) -> None:
        """Commit what waits for it, after what is being committed.

        Raises
        ------
        StoreError
            The store failed, now or at an earlier commit.
        """
        rows, self._pending = self._pending, []
        done: Future[None] = Future()
        self._batches.put((rows, done))
        done.result()
        self._since = time.monotonic()

    def settle(self) -> Stopped:
        """Commit what is done, unless a commit has failed before; what became of it."""
        try:
            self.flush()
        except Exception as error:  # noqa: BLE001 - what ended the ingest is raised, and this is told beside it
            return Stopped(self._rows, cause(error))
        return Stopped(self._rows)

    def end(self) -> None:
        """End the thread, once what it was given is committed."""
        self._batches.put(None)

    def _carry_out(self) -> None:
        for rows, done in iter(self._batches.get, None):
            try:
                self._commit_batch(rows)
            except BaseException as error:  # noqa: BLE001 - raised where the commit is waited for
                self._failure = error
                done.set_exception(error)
            else:
                done.set_result(None)

    def _commit_batch(self, rows: list[CatalogRow]) -> None:
        if self._failure is not None:
            raise self._failure
        if rows:
            self._commit(rows)
            self._rows += len(rows)


@contextmanager
def committing(commit: Commit | None, batch_rows: int, on_stopped: OnStopped | None) -> Iterator[AddRows]:
    """What takes rows, all of which are committed at the end: that of the work, or an error or a signal.

    Parameters
    ----------
    commit
        What commits; None where nothing is to be committed.
    batch_rows
        Rows of one commit; there are fewer after `COMMIT_SECONDS`.
    on_stopped
        Told of what is committed where the work does not come to its end.

    Raises
    ------
    StoreError
        The store failed.
    """
    if commit is None:
        yield lambda _: None
        return
    commits = Commits(commit, batch_rows)
    try:
        yield commits.add
        commits.flush()
    except BaseException:  # Ctrl-C, and what `mist ingest` makes of other signals
        stopped = commits.settle()
        if on_stopped is not None:
            on_stopped(stopped)
        raise
    finally:
        commits.end()
