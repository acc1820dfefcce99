"""HTTP/1.1 messages, as far as it takes to know where one ends (RFC 9112 6.3)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """A request or an answer."""

    head: bytes
    """The first line and the header, with the empty line."""
    body: bytes

    def header(self, name: bytes) -> bytes:
        """The value of a header; empty where there is none."""
        found = re.search(rb"(?im)^" + name + rb": *(.*?) *\r$", self.head)
        return found[1] if found else b""

    def without(self, name: bytes) -> Message:
        """The message without a header."""
        return Message(re.sub(rb"(?im)^" + name + rb":.*\r\n", b"", self.head), self.body)

    def cut(self) -> Message:
        """Half of the body, and a header that says that this is all."""
        half = self.body[: len(self.body) // 2]
        plain = self.without(b"transfer-encoding").without(b"content-length").without(b"etag").head[:-2]
        return Message(plain + b"Content-Length: %d\r\n\r\n" % len(half), half)


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Message:
    """The next request; a client that waits for leave to send the body gets it. `EOFError` where it has left."""
    message = Message(await reader.readuntil(b"\r\n\r\n"), b"")
    if message.header(b"expect"):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return Message(message.head, await _body(reader, message, unsaid=0))


async def read_answer(reader: asyncio.StreamReader, *, of_head: bool) -> Message:
    """The answer to a request, `of_head` to a HEAD, on a connection that the server closes after it."""
    message = Message(await reader.readuntil(b"\r\n\r\n"), b"")
    if of_head or re.match(rb"HTTP/1.1 (1..|204|304)", message.head):
        return message
    return Message(message.head, await _body(reader, message, unsaid=-1))


async def _body(reader: asyncio.StreamReader, message: Message, unsaid: int) -> bytes:
    """The body, of `unsaid` bytes where its length is not said; -1 is until the connection ends."""
    if b"chunked" in message.header(b"transfer-encoding").lower():
        return await _chunks(reader)
    length = message.header(b"content-length")
    return await (reader.readexactly(int(length)) if length else reader.read(unsaid))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """A chunked body, as it is on the wire."""
    body, size = b"", -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        body += line + await reader.readexactly(size + 2)
    return body
