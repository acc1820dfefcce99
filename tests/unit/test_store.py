from __future__ import annotations

import os
from pathlib import Path

import pytest

from mist.errors import DatasetNotFound, InvalidRequest, ObjectNotFound, StoreUnavailable
from mist_storage.address import Address, require_folder
from mist_storage.connection import s3_options
from mist_storage.store import open_store


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("/data/cxr", "file:///data/cxr"),
        ("/data/cxr/", "file:///data/cxr"),
        ("/data/a b", "file:///data/a%20b"),
        ("/data/ü", "file:///data/%C3%BC"),
        ("/data/100%", "file:///data/100%25"),
        ("/data/x#1?y", "file:///data/x%231%3Fy"),
        ("/", "file://"),
        ("file:///data/cxr/", "file:///data/cxr"),
        ("file://localhost/data/cxr", "file:///data/cxr"),
        ("file:///data/a b", "file:///data/a%20b"),
        ("file:///data/a%20b", "file:///data/a%20b"),
        ("file:///data/x#1", "file:///data/x%231"),
        ("file:///", "file://"),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/a b/cxr/", "s3://bucket/a b/cxr"),
        ("https://host:8000/v1/datasets/cxr/store", "https://host:8000/v1/datasets/cxr/store"),
        ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ("memory://name", "memory://name"),
    ],
)
def test_an_address_has_one_spelling(text: str, url: str) -> None:
    assert Address.parse(text).url == url


@pytest.mark.parametrize("text", ["/", "/data", "/data/a b/ü%#?", "s3://bucket/a b", "https://host/x", "memory://name"])
def test_an_address_that_was_made_canonical_stays_the_same(text: str) -> None:
    address = Address.parse(text)
    assert Address.parse(address.url) == address


@pytest.mark.parametrize("path", ["/", "/data", "/data/a b/ü%41#?x"])
def test_a_local_address_gives_its_folder_back(path: str) -> None:
    assert Address.parse(path).path == Path(path)


def test_a_relative_path_is_meant_from_where_the_process_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Address.parse("data/cxr").path == tmp_path / "data" / "cxr"


def test_a_path_through_a_link_and_up_is_what_the_system_makes_of_it(tmp_path: Path) -> None:
    (tmp_path / "far" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "inner")
    assert Address.parse(f"{tmp_path}/link/../cxr").path == (tmp_path / "far" / "cxr").resolve()


@pytest.mark.parametrize(
    "text",
    [
        "gs://bucket",
        "ftp://host/x",
        "://x",
        "s3://",
        "s3:///cxr",
        "https://",
        "http:///x",
        "memory://",
        "file://host/x",
    ],
)
def test_an_address_that_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        Address.parse(text)


@pytest.mark.parametrize("text", ["s3://bucket//cxr", "s3://bucket/../cxr", "https://host/./x", "https://host/x//y"])
def test_an_address_of_parts_that_no_store_takes_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="has a part that is empty"):
        Address.parse(text)


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_address_is_not_the_current_folder(text: str) -> None:
    with pytest.raises(InvalidRequest, match="an address is empty"):
        Address.parse(text)


@pytest.mark.parametrize("text", ["https://user:secret@host/x", "https://host/x?token=secret", "s3://secret@bucket/#a"])
def test_credentials_in_an_address_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidRequest, match="environment") as failure:
        Address.parse(text)
    assert "secret" not in str(failure.value)


def test_joining_goes_below() -> None:
    assert Address.parse("/").joined("a", "b").path == Path("/a/b")


def test_reading_creates_no_folder(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "absent"))
    with pytest.raises(ObjectNotFound):
        store.get("k")
    assert (list(store.list("")), store.folders()) == ([], [])
    store.delete(["k"])
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_was_read_before_its_folder_existed_can_be_written(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "absent"))
    assert list(store.list("")) == []
    store.put("k", b"bytes")
    assert store.get("k") == b"bytes"


def test_a_key_lies_in_its_file_under_its_own_name(tmp_path: Path) -> None:
    open_store(f"file://{tmp_path}/a%20b").put("ü/100%", b"bytes")
    assert (tmp_path / "a b" / "ü" / "100%").read_bytes() == b"bytes"


def test_a_folder_that_is_there_will_do(tmp_path: Path) -> None:
    require_folder(Address.parse(str(tmp_path)))


@pytest.mark.parametrize("name", ["absent", "file", "file/below"])
def test_what_is_no_folder_is_no_dataset(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetNotFound, match="there is no such folder"):
        require_folder(Address.parse(str(tmp_path / name)))


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({}, {"region": "us-east-1"}),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, {"region": "eu-west-1"}),
        ({"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-1"}, {"region": "eu-west-2"}),
        ({"AWS_ENDPOINT_URL": "http://h:1/"}, {"region": "us-east-1", "endpoint": "http://h:1"}),
        ({"AWS_ENDPOINT_URL": ""}, {"region": "us-east-1"}),
        ({"AWS_ENDPOINT_URL": "a", "AWS_ENDPOINT_URL_S3": "b"}, {"region": "us-east-1", "endpoint": "b"}),
    ],
)
def test_s3_is_configured_by_the_usual_variables(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], options: dict[str, str]
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert s3_options() == options


def test_a_file_where_a_folder_must_be_is_the_stores_failure_and_no_missing_object(tmp_path: Path) -> None:
    (tmp_path / "scans").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="a file where a folder must be"):
        open_store(str(tmp_path)).put("scans/a/b", b"data")
