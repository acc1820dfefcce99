"""Errors as `application/problem+json` (RFC 9457): the one table from an error's type to a status.

The rule: the caller's fault is a 4xx and names the remedy; damaged bytes, a failing store and our own defects are
5xx, and tell nothing of the inside: no address of the store, no traceback.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from mist.delivery.parameter import BadQuery
from mist.errors import (
    CatalogCorrupt,
    DatasetNotFound,
    InvalidRequest,
    MistError,
    ObjectNotFound,
    ScanCorrupt,
    ScanNotFound,
    StoreDenied,
    StoreError,
    StoreUnavailable,
)
from mist.server.byte_range import RangeUnsatisfiable
from mist.server.reply import MemoryBody, Reply
from mist.server.workers import ServerBusy


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """What is said of every error of one type."""

    status: int
    title: str
    detail: str | None = None
    """Said in place of the error's own message, where that tells of the inside."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header fields that go with the status."""


_SOON = {"Retry-After": "2"}
_STORE = "the server's object store failed; the server's log has the reason"

_CATALOG = "the dataset's catalog is damaged; the server's log names the object and the remedy"

KINDS: Mapping[type[BaseException], ProblemKind] = {
    BadQuery: ProblemKind(400, "Malformed query"),
    RangeUnsatisfiable: ProblemKind(416, "Range not satisfiable"),
    InvalidRequest: ProblemKind(422, "Request cannot be met"),
    DatasetNotFound: ProblemKind(404, "Dataset not found"),
    ScanNotFound: ProblemKind(404, "Scan not found"),
    ObjectNotFound: ProblemKind(404, "Object not found"),
    ScanCorrupt: ProblemKind(502, "Stored scan is damaged"),
    CatalogCorrupt: ProblemKind(502, "Stored catalog is damaged", _CATALOG),
    StoreUnavailable: ProblemKind(503, "Store unavailable", _STORE, _SOON),
    StoreDenied: ProblemKind(502, "Store refused the server's credentials", _STORE),
    StoreError: ProblemKind(503, "Store failed", _STORE, _SOON),
    ServerBusy: ProblemKind(503, "Server busy", None, _SOON),
    TimeoutError: ProblemKind(504, "Took too long", "the answer was not ready in time; ask for a smaller one", _SOON),
    MistError: ProblemKind(500, "Internal error", "the server's log has the reason"),
}
"""What each type of error becomes. The most specific type that an error has is taken."""

_UNKNOWN = ProblemKind(500, "Internal error", "an unforeseen error; the server's log has the reason")


def kind_of(error: BaseException) -> ProblemKind:
    """What is said of `error`."""
    return next((KINDS[kind] for kind in type(error).__mro__ if kind in KINDS), _UNKNOWN)


def problem_of(error: BaseException, path: str, root_url: str) -> Reply:
    """The answer that reports `error`, met while answering for `path`, without any word of where the store lies."""
    kind = kind_of(error)
    detail = kind.detail or str(error).replace(root_url, "")
    document = {**_document(kind.status, kind.title, detail, path), **_details(error)}
    return _reply(kind.status, document, {**kind.headers, **_range_header(error)})


def problem_of_status(status: int, path: str, headers: Mapping[str, str]) -> Reply:
    """The answer for a `status` that the HTTP library decided on: no such route, no such method."""
    title = HTTPStatus(status).phrase
    return _reply(status, _document(status, title, f"{title}: {path}", path), headers)


def _document(status: int, title: str, detail: str, path: str) -> dict[str, object]:
    name = title.lower().replace("'", "").replace(" ", "-")
    return {
        "type": f"urn:problem-type:mist:{name}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": path,
    }


def _details(error: BaseException) -> dict[str, object]:
    return {"scan": error.scan_id, "level": error.level} if isinstance(error, ScanCorrupt) else {}


def _range_header(error: BaseException) -> dict[str, str]:
    return {"Content-Range": f"bytes */{error.size}"} if isinstance(error, RangeUnsatisfiable) else {}


def _reply(status: int, document: Mapping[str, object], headers: Mapping[str, str]) -> Reply:
    data = json.dumps(document, ensure_ascii=True).encode()
    own = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    return Reply(status, {**headers, **own}, MemoryBody((data,)))
