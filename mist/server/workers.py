"""The one place where work leaves the event loop: a bounded pool of threads.

The rule: handlers are async and do nothing but wait; whatever reads a store or computes is a plain function that runs
here. A queue that grows without end helps nobody, so beyond a limit the caller is told to come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from mist.errors import MistError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class ServerBusy(MistError, RuntimeError):
    """Too many requests wait already."""


class Workers:
    """`threads` threads, for which at most `max_waiting` calls may wait."""

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._limit = threads + max_waiting
        self._unfinished = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mist-worker")

    def check_room(self) -> None:
        """Refuse a new request where too many wait already; asked once, before any of its work is handed over.

        Raises
        ------
        ServerBusy
            Too many calls wait already.
        """
        if self._unfinished >= self._limit:
            raise ServerBusy(f"{self._unfinished} requests are being answered or wait already; come back in a moment")

    async def run(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """What `function` returns, called in a thread. Cancelled while it runs, it goes on to its end, unheard."""
        loop = asyncio.get_running_loop()
        self._unfinished += 1
        call = self._pool.submit(function, *args, **kwargs)
        call.add_done_callback(lambda _: loop.call_soon_threadsafe(self._finished))
        return await asyncio.wrap_future(call)

    def close(self) -> None:
        """Take no more calls, drop those that wait, and do not wait for those that run."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _finished(self) -> None:
        self._unfinished -= 1
