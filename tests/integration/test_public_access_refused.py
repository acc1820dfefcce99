"""An S3 server that forbids public buckets, one whose buckets are open to all, and one whose answers are cut short."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mist.errors import StoreDenied, StoreUnavailable
from mist_storage.bucket_policy import NO_POLICY, opened, public_statement
from mist_storage.buckets import anyone_may_list, anyone_may_write, bucket_policy, cors_rules, set_bucket_policy

BLOCKED = (
    "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:PutBucketPolicy on resource: "
    "arn:aws:s3:::bucket because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public "
    "Access"
)


class Server(BaseHTTPRequestHandler):
    """Answers every request as it is told, and notes it down."""

    protocol_version = "HTTP/1.1"
    status = 200
    code = ""
    body = b""
    requests: list[tuple[str, str, bool]] = []  # noqa: RUF012 - one server for all requests

    def answer(self) -> None:
        """Answer any method."""
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.requests.append((self.command, self.path, "Authorization" in self.headers))
        error = f"<Error><Code>{self.code}</Code><Message>{BLOCKED}</Message></Error>".encode()
        body = error if self.status >= 400 and self.code else self.body
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_DELETE = do_GET = answer  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    """What the environment names as the S3 server."""
    Server.status, Server.code, Server.body, Server.requests = 200, "", b"", []
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{web.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield Server
        web.shutdown()
        thread.join()


def test_a_policy_that_block_public_access_prevents_is_denied_with_what_to_do(server: type[Server]) -> None:
    server.status, server.code = 403, "AccessDenied"
    policy = opened(NO_POLICY, public_statement("bucket", "cxr", ["k"], "us-east-1"))
    with pytest.raises(StoreDenied) as failure:
        set_bucket_policy("bucket", policy)
    message = str(failure.value)
    assert message.startswith("s3://bucket: the policy was refused: ")
    assert (
        "s3:PutBucketPolicy; on AWS, S3 Block Public Access (BlockPublicPolicy and RestrictPublicBuckets) must"
        in message
    )
    assert "\n" not in message


def test_trying_to_write_asks_without_credentials_to_replace_what_is_not_there(server: type[Server]) -> None:
    server.status, server.code = 403, "AccessDenied"
    assert not anyone_may_write("bucket", "cxr/probe")
    assert server.requests == [("PUT", "/bucket/cxr/probe", False)]


@pytest.mark.parametrize(("status", "code"), [(412, "PreconditionFailed"), (404, "NoSuchKey"), (200, "")])
def test_a_write_that_would_be_permitted_is_seen_and_what_it_left_is_removed(
    server: type[Server], status: int, code: str
) -> None:
    server.status, server.code = status, code
    assert anyone_may_write("bucket", "cxr/probe")
    removed = [("DELETE", "/bucket/cxr/probe", True)] if status == 200 else []
    assert server.requests[1:] == removed


@pytest.mark.parametrize("ask", [bucket_policy, cors_rules])
@pytest.mark.parametrize(
    ("status", "body"), [(404, b""), (200, b""), (200, b'{"Vers'), (200, b"<CORSConfiguration><COR")]
)
def test_an_answer_that_was_cut_short_is_not_taken_for_a_bucket_where_nothing_is_set(
    server: type[Server],
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[str], object],
    status: int,
    body: bytes,
) -> None:
    server.status, server.body = status, body
    monkeypatch.setenv("MIST_STORE_RETRIES", "0")
    with pytest.raises(StoreUnavailable):
        ask("bucket")


def test_a_store_that_fails_says_nothing_of_what_is_permitted(
    server: type[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIST_STORE_RETRIES", "0")
    server.status, server.code = 500, "InternalError"
    with pytest.raises(StoreUnavailable):
        anyone_may_list("bucket", "cxr")
