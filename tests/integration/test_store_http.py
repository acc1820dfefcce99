"""A store on a web server, which gives objects and ranges and nothing else."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import numpy as np
import pytest

from mist.errors import InvalidRequest, MistError, ObjectNotFound, StoreDenied, StoreError, StoreFull, StoreUnavailable
from mist.request import Request
from mist_storage.catalog import Catalog, published_bytes
from mist_storage.dataset import open_dataset
from mist_storage.label_columns import table_of
from mist_storage.store import ObjectStore, open_store
from tests.stored_scan import catalog_row, stored, tiny

BASE = "/v1/data sets/ü/store"


class Site(BaseHTTPRequestHandler):
    """Objects by their paths, with ranges (RFC 9110 14.1.2); a path that ends in a status is answered with it."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes] = {}  # noqa: RUF012 - one site for all requests
    ranges = True

    def do_GET(self) -> None:
        path = unquote(self.path)
        last = path.rpartition("/")[2]
        if re.fullmatch("[45][0-9]{2}", last):
            self.answer(int(last), b"sorry")
        elif path not in self.objects:
            self.answer(404, b"")
        else:
            self.answer_object(self.objects[path])

    def answer_object(self, data: bytes) -> None:
        asked = self.headers["Range"]
        if asked is None or not self.ranges:
            self.answer(200, data)
            return
        first, last = map(int, asked.removeprefix("bytes=").split("-"))
        part = data[first : last + 1]
        span = f"bytes {first}-{first + len(part) - 1}/{len(data)}" if part else f"bytes */{len(data)}"
        self.answer(206 if part else 416, part, span)

    def answer(self, status: int, body: bytes, span: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if span is not None:
            self.send_header("Content-Range", span)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    """The address of a web server without objects."""
    Site.objects, Site.ranges = {}, True
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}{BASE}"
        server.shutdown()
        thread.join()


@pytest.fixture
def store(site: str) -> ObjectStore:
    """A store on the web server, with one object whose key takes some encoding."""
    Site.objects[f"{BASE}/a b/ü#1%"] = b"0123456789"
    return open_store(site)


def test_an_object_comes_whole(store: ObjectStore) -> None:
    assert store.get("a b/ü#1%") == b"0123456789"


@pytest.mark.parametrize(("start", "stop", "found"), [(0, 3, b"012"), (8, 99, b"89"), (10, 12, b""), (50, 60, b"")])
def test_a_range_is_what_of_it_is_there(store: ObjectStore, start: int, stop: int, found: bytes) -> None:
    assert store.get_range("a b/ü#1%", start, stop) == found


def test_several_ranges_come_in_the_order_asked_for(store: ObjectStore) -> None:
    assert store.get_ranges("a b/ü#1%", [(7, 9), (0, 2), (9, 99)]) == [b"78", b"01", b"9"]


def test_a_missing_object_is_missing(store: ObjectStore) -> None:
    with pytest.raises(ObjectNotFound):
        store.get("absent")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, StoreUnavailable),
        (401, StoreDenied),
        (403, StoreDenied),
        (410, ObjectNotFound),
        (429, StoreUnavailable),
        (500, StoreUnavailable),
        (503, StoreUnavailable),
        (507, StoreFull),
    ],
)
def test_a_status_is_an_error_of_its_type_in_one_line(store: ObjectStore, status: int, kind: type[MistError]) -> None:
    with pytest.raises(MistError) as failure:
        store.get(f"{status}")
    assert type(failure.value) is kind
    assert "\n" not in str(failure.value)
    assert str(failure.value).startswith(f"{store.url}/{status}: ")


def test_a_server_that_ignores_ranges_is_refused_and_not_read_whole(store: ObjectStore) -> None:
    Site.ranges = False
    with pytest.raises(StoreError, match="ignores Range requests"):
        store.get_range("a b/ü#1%", 2, 4)


@pytest.mark.parametrize("operation", ["put", "delete", "list", "folders"])
def test_a_web_server_is_only_read(store: ObjectStore, operation: str) -> None:
    operations: dict[str, Callable[[], object]] = {
        "put": lambda: store.put("k", b""),
        "delete": lambda: store.delete(["k"]),
        "list": lambda: list(store.list("")),
        "folders": store.folders,
    }
    with pytest.raises(InvalidRequest, match="neither stores nor lists"):
        operations[operation]()


def test_a_dataset_is_read_by_its_published_catalog(site: str) -> None:
    scan = stored(tiny())
    for key, _ in scan.store.list(""):
        Site.objects[f"{BASE}/{key}"] = scan.store.get(key)
    Site.objects[f"{BASE}/catalog.parquet"] = published_bytes(Catalog(table_of([catalog_row(scan.stored)]), 3))
    dataset = open_dataset(site)
    assert dataset.catalog.version == 3
    np.testing.assert_array_equal(dataset.reader("scan").read(Request()).voxels, scan.volume.voxels)
