"""The application: routes, and the one way from a request to a thread and back to the socket.

The rule: this module alone knows aiohttp. It turns a request into `Asked`, has a worker thread make the `Reply`, and
sends that. What makes replies is plain, synchronous code.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from aiohttp import web

from mist.delivery.piece import Piece
from mist.errors import ObjectNotFound
from mist.server.asked import Asked
from mist.server.dataset_pages import describe_dataset, list_datasets
from mist.server.image_page import scan_image
from mist.server.problem import kind_of, problem_of, problem_of_status
from mist.server.reply import REVALIDATE, Body, MemoryBody, Reply, json_reply
from mist.server.scan_pages import describe_scan, list_scans
from mist.server.settings import ServerSettings
from mist.server.shelf import Shelf
from mist.server.stored_objects import stored_object
from mist.server.workers import Workers

Answer = Callable[[Shelf, Asked], Reply]
"""Makes the reply to a request; runs in a worker thread."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LARGEST_REQUEST_BYTES = 64 << 10
"""No route takes a body; this is what one may send in vain."""

_ALWAYS = {"Server": "mist", "X-Content-Type-Options": "nosniff"}
_log = logging.getLogger("mist.server")


class Door:
    """Answers requests from one shelf of datasets."""

    def __init__(self, root_url: str, settings: ServerSettings) -> None:
        self._settings = settings
        self._shelf = Shelf(root_url, settings)
        self._workers = Workers(settings.worker_threads, settings.max_waiting)

    def handler(self, answer: Answer) -> Handler:
        """The handler of a route whose replies `answer` makes."""

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._send(request, await self._reply(answer, request))

        return handle

    async def close(self, _: web.Application) -> None:
        """Let go of the threads."""
        self._workers.close()

    async def _reply(self, answer: Answer, request: web.Request) -> Reply:
        path = request.rel_url.raw_path
        try:
            asked = _asked(request)
            self._workers.check_room()
            async with asyncio.timeout(self._settings.request_timeout_s):
                return await self._workers.run(answer, self._shelf, asked)
        except Exception as error:  # noqa: BLE001 - the last line of defence: what it is decides the table of problems
            _log_failure(request, error)
            return problem_of(error, path, self._shelf.root.address.url)

    async def _send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        response = web.StreamResponse(status=reply.status, headers={**_ALWAYS, **reply.headers})
        if reply.status != 304:  # whose length would have to be that of the 200: RFC 9110 8.6
            response.content_length = reply.body.length
        try:
            await response.prepare(request)
            if request.method != "HEAD":
                await self._send_body(response, reply.body)
            await response.write_eof()
        except ConnectionError:
            _log.debug("%s: the client left before the end", request.rel_url.raw_path)
        except Exception as error:  # noqa: BLE001 - too late for a status: only a cut connection tells the client
            _log_failure(request, error)
            _cut(request)
        return response

    async def _send_body(self, response: web.StreamResponse, body: Body) -> None:
        async for piece in self._pieces(body):
            async with asyncio.timeout(self._settings.write_timeout_s):
                await response.write(piece)

    async def _pieces(self, body: Body) -> AsyncIterator[Piece]:
        """The body's pieces; a thread gets those that are to be read from a store."""
        pieces = body.pieces()
        if isinstance(body, MemoryBody):
            for piece in pieces:
                yield piece
            return
        while (piece := await self._workers.run(next, pieces, b"")) != b"":
            yield piece


def create_app(root_url: str, settings: ServerSettings | None = None) -> web.Application:
    """The application that serves every dataset below `root_url`.

    Parameters
    ----------
    root_url
        `file://`, `s3://`, `https://`, `memory://`, or a path of a local folder: a folder of datasets, or a dataset.
    settings
        Limits and sizes.

    Raises
    ------
    InvalidRequest
        `root_url` is no address.
    """
    door = Door(root_url, settings or ServerSettings())
    limit = (settings or ServerSettings()).max_response_bytes
    app = web.Application(client_max_size=LARGEST_REQUEST_BYTES, middlewares=[_problems])
    routes: dict[str, Answer] = {
        "/readyz": _readiness,
        "/v1/datasets": list_datasets,
        "/v1/datasets/{dataset}": describe_dataset,
        "/v1/datasets/{dataset}/scans": list_scans,
        "/v1/datasets/{dataset}/scans/{scan}": describe_scan,
        "/v1/datasets/{dataset}/scans/{scan}/image": partial(scan_image, max_response_bytes=limit),
        "/v1/datasets/{dataset}/store/{key:.+}": stored_object,
    }
    app.router.add_get("/healthz", _health)
    for path, answer in routes.items():
        app.router.add_get(path, door.handler(answer))  # HEAD comes with it
    app.on_cleanup.append(door.close)
    return app


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What aiohttp itself refuses (no such route, no such method) as a problem."""
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        kept = {name: refusal.headers[name] for name in ("Allow",) if name in refusal.headers}
        reply = problem_of_status(refusal.status, request.rel_url.raw_path, kept)
        body = b"".join(reply.body.pieces())
        return web.Response(status=reply.status, headers={**_ALWAYS, **reply.headers}, body=body)


async def _health(_: web.Request) -> web.Response:
    """That the process is up: answered without a thread, a store or a catalog."""
    return web.json_response({"status": "up"}, headers={**_ALWAYS, "Cache-Control": "no-store"})


def _readiness(shelf: Shelf, asked: Asked) -> Reply:
    """That the store answers."""
    shelf.root.probe()
    return json_reply(asked, {"status": "ready"}, REVALIDATE)


def _asked(request: web.Request) -> Asked:
    path = request.rel_url.raw_path
    if "%2f" in path.lower() or "%00" in path:
        raise ObjectNotFound(f"nothing has an encoded slash or an encoded zero in its address: {path}")
    return Asked(request.method, path, dict(request.match_info), tuple(request.query.items()), request.headers)


def _log_failure(request: web.Request, error: Exception) -> None:
    """One line for what is expected to happen, a traceback for what is not; nothing for the caller's own faults."""
    kind = kind_of(error)
    if kind.status >= 500:
        is_unforeseen = kind.status == 500
        _log.error(
            "%s: %s: %s", request.rel_url, type(error).__name__, error, exc_info=error if is_unforeseen else None
        )


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
