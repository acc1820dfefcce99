"""A server process: listens, says where, and stops cleanly."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from mist.errors import StoreUnavailable
from mist.server.app import create_app
from mist.server.settings import ServerSettings
from mist_storage.address import Address, require_folder

ACCESS_LOG_FORMAT = '%a "%r" %s %b bytes %Tf s'
"""One line a request: who, what, status, bytes, seconds."""


def serve(
    root_url: str,
    host: str,
    port: int,
    settings: ServerSettings | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve the datasets below `root_url` until SIGINT or SIGTERM; requests in progress are finished first.

    Parameters
    ----------
    root_url, settings
        As of `mist.server.app.create_app`.
    host, port
        Where to listen; port 0 takes a free one.
    announce
        Called with the server's address, as `http://127.0.0.1:8080`, once it listens; prints it where not given.

    Raises
    ------
    InvalidRequest
        `root_url` is no address.
    DatasetNotFound
        It is a local folder that is not there.
    StoreUnavailable
        The port is taken, or the host is not of this machine.
    """
    require_folder(Address.parse(root_url))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("aiohttp.server").addFilter(without_traceback)
    asyncio.run(_serve(create_app(root_url, settings), host, port, settings or ServerSettings(), announce or _print))


def without_traceback(record: logging.LogRecord) -> bool:
    """A filter for aiohttp's log: what a stranger sends in place of HTTP is worth a line, not a traceback."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.msg, record.args, record.exc_info = f"{record.getMessage()}: not HTTP", (), None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


async def _serve(
    app: web.Application, host: str, port: int, settings: ServerSettings, announce: Callable[[str], None]
) -> None:
    runner = web.AppRunner(
        app,
        access_log=logging.getLogger("mist.server.access"),
        access_log_format=ACCESS_LOG_FORMAT,
        keepalive_timeout=settings.keepalive_timeout_s,
        shutdown_timeout=settings.shutdown_timeout_s,
    )
    await runner.setup()
    try:
        await _listen(runner, host, port)
        stopped = _stop_signal()
        announce(_address(runner))
        await stopped.wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise StoreUnavailable(f"cannot listen on {host} port {port}: {error.strerror}; choose another port") from None


def _stop_signal() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    return stopped


def _address(runner: web.AppRunner) -> str:
    host, port, *_ = runner.addresses[0]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _print(address: str) -> None:
    sys.stdout.write(f"serving on {address}\n")
    sys.stdout.flush()
