from __future__ import annotations

import json
from typing import Any

import pytest

from mist import errors
from mist.delivery.parameter import BadQuery
from mist.server.byte_range import RangeUnsatisfiable
from mist.server.problem import problem_of
from mist.server.reply import Reply
from mist.server.workers import ServerBusy

ROOT = "s3://secret-bucket/root"


def document(reply: Reply) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(b"".join(reply.body.pieces()))
    return parsed


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadQuery("x"), 400),
        (RangeUnsatisfiable("bytes=9-", 5), 416),
        (errors.InvalidRequest("x"), 422),
        (errors.DatasetNotFound("x"), 404),
        (errors.ScanNotFound("x"), 404),
        (errors.ObjectNotFound("x"), 404),
        (errors.ScanCorrupt("a", 2, "x"), 502),
        (errors.CatalogCorrupt("x"), 502),
        (errors.StoreUnavailable("x"), 503),
        (errors.StoreDenied("x"), 502),
        (errors.StoreFull("x"), 503),
        (ServerBusy("x"), 503),
        (TimeoutError(), 504),
        (errors.MistError("x"), 500),
        (KeyError("x"), 500),
        (MemoryError(), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_each_error_has_its_status(error: BaseException, status: int) -> None:
    reply = problem_of(error, "/v1/datasets", ROOT)
    assert (reply.status, document(reply)["status"]) == (status, status)


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    reply = problem_of(errors.ScanNotFound("no scan is called 'x'"), "/v1/datasets/a/scans/x", ROOT)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert document(reply) == {
        "type": "urn:problem-type:mist:scan-not-found",
        "title": "Scan not found",
        "status": 404,
        "detail": "no scan is called 'x'",
        "instance": "/v1/datasets/a/scans/x",
    }


def test_damage_names_the_scan_and_the_level() -> None:
    found = document(problem_of(errors.ScanCorrupt("ct", 2, "short"), "/", ROOT))
    assert (found["scan"], found["level"]) == ("ct", 2)


@pytest.mark.parametrize(
    "error",
    [
        errors.StoreUnavailable(f"{ROOT}/a: connection refused by 10.0.0.1"),
        errors.CatalogCorrupt(f"{ROOT}/catalog.parquet is damaged"),
        errors.ScanCorrupt("ct", 1, f"the object is missing: {ROOT}/scans/ct"),
        RuntimeError(f"Traceback: {ROOT}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_nothing_of_the_inside_is_told(error: BaseException) -> None:
    text = json.dumps(document(problem_of(error, "/", ROOT)))
    assert "secret" not in text
    assert "10.0.0.1" not in text


def test_a_range_that_cannot_be_met_tells_the_size() -> None:
    assert problem_of(RangeUnsatisfiable("bytes=9-", 5), "/", ROOT).headers["Content-Range"] == "bytes */5"
