from __future__ import annotations

import asyncio
import threading

import pytest

from mist.server.workers import ServerBusy, Workers


def test_work_runs_in_another_thread() -> None:
    async def thread_of_work() -> int:
        workers = Workers(1, 1)
        found = await workers.run(threading.get_ident)
        workers.close()
        return found

    assert asyncio.run(thread_of_work()) != threading.get_ident()


def test_what_work_raises_comes_back() -> None:
    async def fail() -> None:
        workers = Workers(1, 1)
        try:
            await workers.run(int, "x")
        finally:
            workers.close()

    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(fail())


def test_there_is_room_until_threads_and_queue_are_full() -> None:
    async def fill() -> None:
        workers, gate = Workers(1, 1), threading.Event()
        calls = [asyncio.ensure_future(workers.run(gate.wait, 10)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ServerBusy, match="2 requests"):
            workers.check_room()
        gate.set()
        assert all(await asyncio.gather(*calls))
        workers.close()

    asyncio.run(fill())


def test_there_is_room_again_when_the_work_is_done() -> None:
    async def work_twice() -> None:
        workers = Workers(1, 1)
        await asyncio.gather(workers.run(abs, -1), workers.run(abs, -2))
        await asyncio.sleep(0)
        workers.check_room()
        workers.close()

    asyncio.run(work_twice())
