"""Buckets, administered by boto3 on a real S3 server."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable

import pytest

from mist.errors import InvalidRequest, StoreDenied, StoreUnavailable
from mist_storage.bucket_policy import NO_POLICY, closed, opened, public_statement, with_browsers
from mist_storage.buckets import (
    anyone_may_list,
    anyone_may_write,
    bucket_policy,
    cors_rules,
    ensure_bucket,
    set_bucket_policy,
    set_cors_rules,
)
from mist_storage.store import open_store


def fresh_name() -> str:
    return f"mist-{uuid.uuid4().hex[:12]}"


RULE = {"ID": "theirs", "AllowedOrigins": ["https://a.example"], "AllowedMethods": ["PUT"]}


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
@pytest.mark.parametrize("ask", [bucket_policy, cors_rules])
def test_asking_a_bucket_that_does_not_exist_is_unavailable(ask: Callable[[str], object]) -> None:
    with pytest.raises(StoreUnavailable, match="the bucket does not exist"):
        ask(fresh_name())


def test_a_fresh_bucket_has_no_policy_and_no_rules(s3_bucket: str) -> None:
    assert (bucket_policy(s3_bucket), cors_rules(s3_bucket)) == (NO_POLICY, [])


def test_a_policy_comes_back_as_it_was_set_and_is_gone_once_it_has_no_statements(s3_bucket: str) -> None:
    policy = opened(NO_POLICY, public_statement(s3_bucket, "cxr", ["a", "b"], "us-east-1"))
    set_bucket_policy(s3_bucket, policy)
    assert bucket_policy(s3_bucket) == policy
    set_bucket_policy(s3_bucket, closed(policy, "cxr"))
    assert bucket_policy(s3_bucket) == NO_POLICY


def test_rules_for_browsers_come_back_as_they_were_set_and_are_gone_once_there_are_none(s3_bucket: str) -> None:
    set_cors_rules(s3_bucket, with_browsers([RULE]))
    assert [rule["ID"] for rule in cors_rules(s3_bucket)] == ["theirs", "MistPublish"]
    set_cors_rules(s3_bucket, [])
    assert cors_rules(s3_bucket) == []


def test_nobody_may_list_or_write_to_a_fresh_bucket(s3_bucket: str) -> None:
    assert (anyone_may_list(s3_bucket, ""), anyone_may_write(s3_bucket, "probe")) == (False, False)


def test_it_is_seen_that_anybody_may_list(s3_bucket: str) -> None:
    listing = {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{s3_bucket}"}
    set_bucket_policy(s3_bucket, {**NO_POLICY, "Statement": [listing]})
    assert anyone_may_list(s3_bucket, "cxr")


def test_storage_imports_without_boto3() -> None:
    # None in sys.modules makes an import fail as if the package were not there.
    program = (
        "import sys; sys.modules['boto3'] = sys.modules['botocore'] = None\n"
        "import mist_storage.catalog, mist_storage.dataset, mist_storage.scan_writer, mist_storage.verify"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
