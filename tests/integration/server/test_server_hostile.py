"""Requests that make no sense, or mean harm."""

from __future__ import annotations

import logging
import socket
import time
from urllib.parse import quote, urlsplit

import pytest

from mist.server.settings import ServerSettings
from tests.server_answers import SMALL, blocks_path, problem
from tests.server_dataset import RunningServer, SmallDataset, running_server

HOSTILE_PATHS = [
    "/",
    "/v1",
    "/v1/datasets/",
    "/v1/datasets/..",
    "/v1/datasets/%2e%2e",
    "/v1/datasets/..%2f..%2fetc",
    "/v1/datasets/%00",
    "/v1/datasets/small%00",
    "/v1/datasets/small@",
    "/v1/datasets/small@-1",
    "/v1/datasets/small@999",
    "/v1/datasets/small@99999999999999999999999",
    "/v1/datasets/@1",
    "/v1/datasets/%ff%fe",
    "/v1/datasets/" + "a" * 5000,
    f"{SMALL}/scans/..",
    f"{SMALL}/scans/%2e%2e%2f%2e%2e",
    f"{SMALL}/scans/ct%00",
    f"{SMALL}/scans/ct/",
    f"{SMALL}/scans/ct/image/",
    f"{SMALL}/scans/%F0%9F%92%89/image",
    f"{SMALL}/store/",
    f"{SMALL}/store/catalog",
    f"{SMALL}/store/catalog/_delta_log/00000000000000000000.json",
    f"{SMALL}/store/../small/catalog.parquet",
    f"{SMALL}/store/..%2f..%2fetc/passwd",
    f"{SMALL}/store//etc/passwd",
    f"{SMALL}/store/catalog.parquet/",
    f"{SMALL}/store/catalog.parquet%00",
    f"{SMALL}/store/./catalog.parquet",
    f"{SMALL}/store/scans",
    f"{SMALL}/store/scans/ct",
    f"{SMALL}/store/scans/ct/DIGEST",
    f"{SMALL}/store/scans/ct/DIGEST/",
    f"{SMALL}/store/scans/ct/DIGEST/c",
    f"{SMALL}/store/scans/ct/DIGEST/c/0/0/0/1",
    f"{SMALL}/store/scans/ct/DIGEST/c/0/0/0/0/",
    f"{SMALL}/store/scans/ct/DIGEST/c//0/0/0/0",
    f"{SMALL}/store/scans/ct/DIGEST/../DIGEST/zarr.json",
    f"{SMALL}/store/scans/ct/DIGEST/zarr.json%0a",
    f"{SMALL}/store/scans/ct/" + "0" * 48 + "/zarr.json",
    f"{SMALL}/store/scans/cine/DIGEST/zarr.json",
    f"{SMALL}/store/scans%2fct%2fDIGEST%2fzarr.json",
    f"{SMALL}/store/scans\\ct\\DIGEST\\zarr.json",
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_a_path_that_leads_nowhere_is_refused(server: RunningServer, small: SmallDataset, path: str) -> None:
    answer = server.ask(path.replace("DIGEST", small.rows["ct"].digest))
    assert problem(answer, answer.status)
    assert answer.status in (400, 404, 422)


HOSTILE_QUERIES = [
    f"{name}={quote(value)}"
    for name, values in {
        "level": ["", "-1", "99", "1.5", "1e9", "٣", "0" * 20, "nan", "0x1", "' OR 1=1"],
        "size": ["0", "", "x", "0x0", "99999", "65536x65536", "65537", "1x", "-5", "1e3"],
        "spacing": ["0", "-1", "nan", "inf", "1e-320", "1e-300", "5e-324", "1e308", "1e-3", "", "1,2"],
        "max_bytes": ["0", "1", "-1", "", "9" * 30],
        "slice": ["18", "-1", "", "999999999999999", "1.0"],
        "frame": ["0", "-1", ""],
        "region": [
            "",
            ":",
            "::",
            "0:0,:,:",
            "5:1,:,:",
            "-1:2,:,:",
            "0:99,:,:",
            "a:b,:,:",
            ":,:",
            ":,:,:,:",
            "0:" + "9" * 18,
        ],
        "window": ["", "none", "1", "1,0", "1,-5", "nan,1", "1,nan", "1,2,3", "None"],
        "format": ["", "PNG", "gif", "../png", "npy\x00", "nii", "dcm"],
        "levl": ["1"],
        "": ["1"],
        "level[]": ["1"],
    }.items()
    for value in values
]


@pytest.mark.parametrize(
    "query", [*HOSTILE_QUERIES, "level=1&level=1", "level=1&size=2", "size=64&spacing=1", "format=npy&levl"]
)
def test_a_query_that_makes_no_sense_is_refused(server: RunningServer, query: str) -> None:
    answer = server.ask(f"{SMALL}/scans/ct/image?{query}")
    assert problem(answer, answer.status)
    assert answer.status in (400, 422)


@pytest.mark.parametrize(
    "where",
    [
        "",
        "age",
        "age >",
        "nothing = 1",
        "age = 'x'",
        "1 = 1; DROP TABLE catalog",
        "age IN (SELECT age FROM catalog)",
        "EXISTS (SELECT * FROM read_csv('/etc/passwd'))",
        "greatest()",
        "lpad(modality, 4000000000) = 'a'",
        "NOT " * 1000 + "true",
        "(" * 1300 + "1" + ")" * 1300,
        "+".join("1" * 1500) + " > 0",
        "-- x",
        "\x00",
        "age = 99999999999999999999999999 ^",
    ],
    ids=lambda where: where[:30].replace("\0", "NUL") or "nothing",
)
def test_a_condition_that_is_none_is_refused(server: RunningServer, where: str) -> None:
    problem(server.ask(f"{SMALL}/scans?where={quote(where)}"), 422)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=-1", "limit=x", "cursor=%00", "cursor=a", "cursor=%C3%A9", "page=2"]
)
def test_a_page_that_makes_no_sense_is_refused(server: RunningServer, query: str) -> None:
    answer = server.ask(f"{SMALL}/scans?{query}")
    problem(answer, answer.status)
    assert answer.status in (400, 422)


def test_an_unknown_parameter_is_named_with_those_that_are_known(server: RunningServer) -> None:
    detail = problem(server.ask(f"{SMALL}/scans/ct/image?levl=2"), 400)
    assert "'levl'" in detail
    assert "level, size, spacing" in detail


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(server: RunningServer, small: SmallDataset, method: str) -> None:
    answer = server.ask(blocks_path(small, "ct"), method)
    problem(answer, 405)
    assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/\x00 HTTP/1.1",
        b"GET / HTTP/9",
        b"\x16\x03\x01\x02",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1",
        b"G\xffT / HTTP/1.1",
    ],
)
def test_what_is_no_http_gets_a_400(server: RunningServer, line: bytes) -> None:
    host = urlsplit(server.url)
    with socket.create_connection((str(host.hostname), host.port or 0), timeout=10) as connection:
        connection.sendall(line + b"\r\nHost: x\r\n\r\n")
        assert b" 400 " in connection.recv(200).split(b"\r\n", 1)[0]


def test_a_client_that_leaves_is_no_error(noise: SmallDataset, caplog: pytest.LogCaptureFixture) -> None:
    request = f"GET {blocks_path(noise, 'noise')} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with caplog.at_level(logging.WARNING), running_server(str(noise.root)) as running:
        host = urlsplit(running.url)
        for _ in range(5):
            with socket.create_connection((str(host.hostname), host.port or 0), timeout=10) as connection:
                connection.sendall(request)
                connection.recv(1000)
        assert running.ask("/healthz").status == 200
    assert caplog.records == []


def test_an_answer_that_takes_too_long_is_given_up(small: SmallDataset) -> None:
    with running_server(str(small.root), ServerSettings(request_timeout_s=1e-6)) as running:
        started = time.monotonic()
        problem(running.ask(f"{SMALL}/scans/ct/image"), 504)
        assert time.monotonic() - started < 10
