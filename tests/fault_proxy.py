"""A proxy that fails on the wire, at a chosen request, between any HTTP client and a real store.

It forwards bytes as they are, each request over a connection of its own; the client's connection is kept. It signs
nothing: S3's signatures hold, because the client signs the proxy's own address, and that is what the store is told.

    python -m tests.fault_proxy PORT      # prints its own address

It is a process of its own, since a client that holds Python's lock while it waits would wait for ever for a thread.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tests.http_message import Message, read_answer, read_request


class WireFault(Enum):
    """What goes wrong with a request."""

    INTERNAL_ERROR = "500"
    """Answered 500; never forwarded."""
    SLOW_DOWN = "503"
    """Answered 503 SlowDown; never forwarded."""
    FULL = "507"
    """A write is answered 507, as by a full disk; never forwarded. Reads go on."""
    SILENCE = "silence"
    """Accepted and never answered; never forwarded."""
    RESET_BEFORE = "reset before"
    """The connection is reset before anything is forwarded."""
    RESET_IN_REQUEST = "reset in request"
    """Half of the request, body included, reaches the store; then both connections are reset."""
    LOST_ANSWER = "lost acknowledgement"
    """The store does all of it; the connection is reset before a byte of the answer."""
    RESET_IN_ANSWER = "reset in answer"
    """The connection is reset in the middle of the answer's body."""
    SHORT_ANSWER = "short read"
    """The connection is closed, in good order, in the middle of the answer's body."""
    CUT_ANSWER = "cut answer"
    """Half of the answer's body comes as if it were all of it: nothing in HTTP shows that something is missing."""


CONTROL = "/-/plan"
"""The path at which the proxy takes the next plan."""

ANSWERS = {
    WireFault.INTERNAL_ERROR: (b"500 Internal Server Error", b"InternalError"),
    WireFault.SLOW_DOWN: (b"503 Slow Down", b"SlowDown"),
    WireFault.FULL: (b"507 Insufficient Storage", b"StorageFull"),
}


@dataclass
class Plan:
    """Which requests fail, and how; and which came, for a test to read."""

    fault: WireFault | None = None
    first: int = 0
    """The first request that fails, counted from 0."""
    is_lasting: bool = False
    """Whether all requests after it fail as well."""
    requests: list[str] = field(default_factory=list)
    """Method and path of each request that came, in order."""

    def fault_of(self, method: str, path: str) -> WireFault | None:
        """What goes wrong with the request that comes now, which is noted down."""
        number = len(self.requests)
        self.requests.append(f"{method} {path}")
        is_hit = number == self.first or (self.is_lasting and number > self.first)
        is_spared = self.fault is WireFault.FULL and method in ("GET", "HEAD", "DELETE")
        return self.fault if is_hit and not is_spared else None


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def fault_proxy(port: int) -> Iterator[str]:
    """A proxy before the server at `port` of loopback, in a process of its own, until the end; gives its address."""
    command = [sys.executable, "-m", "tests.fault_proxy", str(port)]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as proxy:
        try:
            assert proxy.stdout is not None
            yield proxy.stdout.readline().strip()
        finally:
            proxy.terminate()


def exchange(address: str, plan: Plan) -> list[str]:
    """Let the proxy at `address` go by `plan` from now on; the requests that came since the last plan come back."""
    fault = None if plan.fault is None else plan.fault.value
    told = json.dumps({"fault": fault, "first": plan.first, "is_lasting": plan.is_lasting}).encode()
    with urllib.request.urlopen(f"{address}{CONTROL}", told, timeout=10) as answer:  # noqa: S310
        came: list[str] = json.load(answer)
        return came


class FaultProxy:
    """Serves connections, one request after the other on each."""

    def __init__(self, port: int) -> None:
        self.plan = Plan()
        self._upstream = port

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection until it ends."""
        with suppress(OSError, EOFError):
            while await self._serve_one(reader, writer):
                await writer.drain()
        writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; whether the connection goes on."""
        request = await read_request(reader, writer)
        method, path = request.head.split(b" ", 2)[:2]
        if path.decode() == CONTROL:
            writer.write(self._exchange(request.body))
            return True
        fault = self.plan.fault_of(method.decode(), path.decode())
        if fault in ANSWERS:
            writer.write(_refusal(*ANSWERS[fault]))
            return True
        if fault is WireFault.SILENCE:
            await reader.read()  # until the client leaves
            return False
        if fault in (WireFault.RESET_BEFORE, WireFault.RESET_IN_REQUEST):
            if fault is WireFault.RESET_IN_REQUEST:
                await self._forward_half(request)
            reset(writer)
            return False
        answer = await self._forward(request, of_head=method == b"HEAD")
        return _deliver(answer, fault, writer)

    async def _forward(self, request: Message, *, of_head: bool) -> Message:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        closing = request.without(b"connection").without(b"expect")
        writer.write(closing.head[:-2] + b"Connection: close\r\n\r\n" + closing.body)
        try:
            return await read_answer(reader, of_head=of_head)
        finally:
            writer.close()

    async def _forward_half(self, request: Message) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        whole = request.head + request.body
        writer.write(whole[: len(request.head) + len(request.body) // 2 if request.body else len(whole) // 2])
        await writer.drain()
        reset(writer)

    def _exchange(self, told: bytes) -> bytes:
        """Take the next plan; the answer to who gave it."""
        came, said = json.dumps(self.plan.requests).encode(), json.loads(told)
        fault = None if said["fault"] is None else WireFault(said["fault"])
        self.plan = Plan(fault, said["first"], said["is_lasting"])
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(came), came)


async def listen(port: int) -> None:
    """Stand before the server at `port` of loopback, for ever."""
    server = await asyncio.start_server(FaultProxy(port).accept, "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def _refusal(status: bytes, code: bytes) -> bytes:
    body = b"<Error><Code>%s</Code><Message>by the proxy</Message></Error>" % code
    return b"HTTP/1.1 %s\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def _deliver(answer: Message, fault: WireFault | None, writer: asyncio.StreamWriter) -> bool:
    """Give the answer to the client, or what of it the fault leaves; whether the connection goes on."""
    if fault is WireFault.LOST_ANSWER:
        reset(writer)
        return False
    kept = answer.cut() if fault is WireFault.CUT_ANSWER and answer.body else answer.without(b"connection")
    if fault not in (WireFault.RESET_IN_ANSWER, WireFault.SHORT_ANSWER):
        writer.write(kept.head + kept.body)
        return True
    whole = kept.head + kept.body
    writer.write(whole[: len(kept.head) + len(kept.body) // 2 if kept.body else len(whole) // 2])
    if fault is WireFault.RESET_IN_ANSWER:
        reset(writer)
    return False


if __name__ == "__main__":
    asyncio.run(listen(int(sys.argv[1])))
