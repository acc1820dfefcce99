"""Buckets, administered by boto3 on a real S3 server."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
import uuid

import boto3
import pytest

from mist.errors import InvalidRequest, StoreDenied, StoreUnavailable
from mist_storage.buckets import allow_anonymous_reads, allow_browsers, ensure_bucket
from mist_storage.store import open_store


def fresh_name() -> str:
    return f"mist-{uuid.uuid4().hex[:12]}"


def preflight(endpoint: str, path: str) -> str | None:
    """What a browser is told when it asks whether a page elsewhere may read `path` with a range."""
    headers = {
        "Origin": "https://viewer.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "range",
    }
    request = urllib.request.Request(f"{endpoint}/{path}", headers=headers, method="OPTIONS")  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        allowed: str | None = answer.headers["Access-Control-Allow-Origin"]
        return allowed


@pytest.fixture
def public_bucket(s3_bucket: str) -> str:
    """A bucket with a dataset in `open/cxr`, which anybody may read, and one in `closed`."""
    store = open_store(f"s3://{s3_bucket}")
    for key in ("open/cxr/k", "open/cxr-two/k", "closed/k"):
        store.put(key, b"bytes")
    allow_anonymous_reads(s3_bucket, "open/cxr")
    return s3_bucket


@pytest.fixture
def anonymous(public_bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """`public_bucket`, in an environment without credentials."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    return public_bucket


@pytest.mark.usefixtures("s3_environment")
def test_a_bucket_is_made_once() -> None:
    name = fresh_name()
    assert ensure_bucket(name)
    assert not ensure_bucket(name)


@pytest.mark.usefixtures("s3_environment")
def test_a_made_bucket_can_be_written_to() -> None:
    name = fresh_name()
    ensure_bucket(name)
    open_store(f"s3://{name}").put("k", b"bytes")
    assert open_store(f"s3://{name}").get("k") == b"bytes"


@pytest.mark.usefixtures("s3_environment")
@pytest.mark.parametrize("name", ["", "A", "no_underscores!", "a b"])
def test_a_name_that_no_bucket_can_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="no bucket can have that name"):
        ensure_bucket(name)


@pytest.mark.usefixtures("s3_environment")
@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_denied(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "wrong")
    with pytest.raises(StoreDenied, match="credentials"):
        ensure_bucket(fresh_name())


@pytest.mark.usefixtures("s3_environment")
def test_absent_credentials_are_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(StoreDenied, match="no credentials were found"):
        ensure_bucket(fresh_name())


@pytest.mark.usefixtures("s3_environment")
def test_a_store_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreUnavailable, match="AWS_ENDPOINT_URL"):
        ensure_bucket("anything")


@pytest.mark.usefixtures("s3_environment")
def test_opening_a_bucket_that_does_not_exist_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="the bucket does not exist"):
        allow_anonymous_reads(fresh_name(), "cxr")


def test_anybody_can_read_what_was_opened(anonymous: str) -> None:
    assert open_store(f"s3://{anonymous}/open/cxr").get("k") == b"bytes"


def test_anybody_can_list_what_was_opened(anonymous: str) -> None:
    assert list(open_store(f"s3://{anonymous}/open/cxr").list("")) == [("k", 5)]


def test_anybody_can_read_over_plain_http(seaweedfs: dict[str, str], public_bucket: str) -> None:
    store = open_store(f"{seaweedfs['AWS_ENDPOINT_URL']}/{public_bucket}/open/cxr")
    assert store.get_range("k", 1, 3) == b"yt"


@pytest.mark.parametrize("folder", ["closed", "open/cxr-two"])
def test_nobody_can_read_what_was_not_opened(anonymous: str, folder: str) -> None:
    with pytest.raises(StoreDenied):
        open_store(f"s3://{anonymous}/{folder}").get("k")


def test_nobody_can_write_to_what_was_opened(anonymous: str) -> None:
    with pytest.raises(StoreDenied):
        open_store(f"s3://{anonymous}/open/cxr").put("k", b"other")


def test_opening_another_folder_keeps_the_first_one_open(public_bucket: str) -> None:
    allow_anonymous_reads(public_bucket, "closed")
    allow_anonymous_reads(public_bucket, "closed")
    policy = json.loads(boto3.session.Session().client("s3").get_bucket_policy(Bucket=public_bucket)["Policy"])
    resources = [statement["Resource"] for statement in policy["Statement"] if statement["Action"] == "s3:GetObject"]
    assert resources == [f"arn:aws:s3:::{public_bucket}/{folder}/*" for folder in ("open/cxr", "closed")]


def test_pages_of_any_origin_may_read_after_allow_browsers(seaweedfs: dict[str, str], public_bucket: str) -> None:
    allow_browsers(public_bucket)
    allow_browsers(public_bucket)
    assert preflight(seaweedfs["AWS_ENDPOINT_URL"], f"{public_bucket}/open/cxr/k") in ("*", "https://viewer.example")


def test_rules_of_others_for_browsers_are_kept(s3_bucket: str) -> None:
    client = boto3.session.Session().client("s3")
    rule = {"ID": "theirs", "AllowedOrigins": ["https://a.example"], "AllowedMethods": ["PUT"]}
    client.put_bucket_cors(Bucket=s3_bucket, CORSConfiguration={"CORSRules": [rule]})
    allow_browsers(s3_bucket)
    rules = client.get_bucket_cors(Bucket=s3_bucket)["CORSRules"]
    assert [each["ID"] for each in rules] == ["theirs", "MistPublish"]


def test_storage_imports_without_boto3() -> None:
    # None in sys.modules makes an import fail as if the package were not there.
    program = (
        "import sys; sys.modules['boto3'] = sys.modules['botocore'] = None\n"
        "import mist_storage.catalog, mist_storage.dataset, mist_storage.scan_writer, mist_storage.verify"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
