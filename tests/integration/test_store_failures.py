"""What goes wrong with a store, each as one clear line of the right type."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from mist.errors import DatasetNotFound, MistError, StoreDenied, StoreError, StoreFull, StoreUnavailable
from mist_storage.catalog import commit_rows
from mist_storage.dataset import open_dataset
from mist_storage.store import open_store

BLACK_HOLE = "http://127.0.0.1:9"
"""Nothing listens there."""


def line_of(failure: pytest.ExceptionInfo[MistError], beginning: str) -> str:
    """The message, once it is known to be one line that begins with the address."""
    message = str(failure.value)
    assert "\n" not in message
    assert message.startswith(beginning)
    assert len(message) < 400
    return message


@pytest.fixture
def missing_bucket(s3_environment: dict[str, str]) -> str:  # noqa: ARG001 - the environment is what is asked for
    """The address of a dataset in a bucket that does not exist."""
    return f"s3://mist-{uuid.uuid4().hex[:12]}/cxr"


@pytest.fixture(params=["get", "get_range", "put", "list", "folders", "delete", "open", "commit"])
def operation(request: pytest.FixtureRequest) -> str:
    """Each way to use a dataset."""
    return str(request.param)


def use(url: str, operation: str) -> None:
    """Do one operation on the dataset at `url`."""
    store = open_store(url)
    operations: dict[str, Callable[[], object]] = {
        "get": lambda: store.get("k"),
        "get_range": lambda: store.get_range("k", 0, 5),
        "put": lambda: store.put("k", b"bytes"),
        "list": lambda: list(store.list("")),
        "folders": store.folders,
        "delete": lambda: store.delete(["k"]),
        "open": lambda: open_dataset(url),
        "commit": lambda: commit_rows(url, []),
    }
    operations[operation]()


def test_a_missing_bucket_is_unavailable(missing_bucket: str, operation: str) -> None:
    with pytest.raises(StoreUnavailable) as failure:
        use(missing_bucket, operation)
    assert "the bucket does not exist; create it" in line_of(failure, missing_bucket)


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_denied(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, operation: str, variable: str
) -> None:
    monkeypatch.setenv(variable, "wrong")
    with pytest.raises(StoreDenied) as failure:
        use(s3_url, operation)
    assert "the credentials are wrong; check AWS_ACCESS_KEY_ID" in line_of(failure, s3_url)


def test_absent_credentials_are_denied_without_a_word_more(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, operation: str, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreDenied) as failure:
        use(s3_url, operation)
    assert "no credentials were found; set AWS_ACCESS_KEY_ID" in line_of(failure, s3_url)
    assert capfd.readouterr() == ("", "")


def test_anonymous_access_to_a_private_bucket_is_denied(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with pytest.raises(StoreDenied) as failure:
        use(s3_url, operation)
    assert "access is denied; check the credentials" in line_of(failure, s3_url)


@pytest.mark.parametrize("operation", ["get", "put", "open", "commit"])
@pytest.mark.usefixtures("s3_environment")
def test_a_store_that_is_not_there_is_unavailable_before_long(monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", BLACK_HOLE)
    begin = time.monotonic()
    with pytest.raises(StoreUnavailable) as failure:
        use("s3://bucket/cxr", operation)
    assert time.monotonic() - begin < 15
    message = line_of(failure, "s3://bucket/cxr")
    assert f"cannot be reached at {BLACK_HOLE}" in message
    assert "AWS_ENDPOINT_URL" in message


def test_an_endpoint_may_end_in_a_slash(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", os.environ["AWS_ENDPOINT_URL"] + "/")
    open_store(s3_url).put("k", b"bytes")
    assert open_store(s3_url).get("k") == b"bytes"


@pytest.mark.parametrize("operation", ["put", "commit"])
def test_a_read_only_folder_is_denied(read_only_folder: Path, operation: str) -> None:
    with pytest.raises(StoreDenied) as failure:
        use(str(read_only_folder), operation)
    message = line_of(failure, f"file://{read_only_folder}")
    assert "read-only" in message or "permission is denied" in message


def test_a_full_disk_is_full(full_folder: Path) -> None:
    with pytest.raises(StoreFull) as failure:
        open_store(str(full_folder)).put("k", bytes(1 << 20))
    assert "the store is full; make room" in line_of(failure, f"file://{full_folder}/k")


def test_what_did_not_fit_is_not_there(full_folder: Path) -> None:
    store = open_store(str(full_folder))
    with pytest.raises(StoreFull):
        store.put("k", bytes(1 << 20))
    assert list(store.list("")) == []


def test_what_did_not_fit_leaves_room(full_folder: Path) -> None:
    store = open_store(str(full_folder))
    with pytest.raises(StoreFull):
        store.put("k", bytes(1 << 20))
    store.put("k", bytes(1 << 14))
    assert len(store.get("k")) == 1 << 14


def test_a_catalog_that_does_not_fit_is_not_there(full_folder: Path) -> None:
    store = open_store(str(full_folder))
    (full_folder / "filler").write_bytes(bytes(os.statvfs(full_folder).f_bavail * os.statvfs(full_folder).f_bsize))
    with pytest.raises(StoreError) as failure:
        commit_rows(store.url, [])
    line_of(failure, store.url)
    with pytest.raises(DatasetNotFound):
        open_dataset(store.url)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MistError) as failure:
        open_store(str(tmp_path / "file")).put("k", b"bytes")
    line_of(failure, f"file://{tmp_path}/file")
