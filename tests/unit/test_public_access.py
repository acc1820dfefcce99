from __future__ import annotations

import pytest

from mist_storage.address import Address
from mist_storage.public_access import folder_of, public_url


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS itself, in Ireland."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


def test_strangers_read_a_bucket_of_aws_at_its_own_host() -> None:
    assert public_url(Address.parse("s3://cohort/a/cxr")) == "https://cohort.s3.eu-west-1.amazonaws.com/a/cxr"


def test_a_name_with_dots_comes_after_the_host_whose_certificate_would_not_hold_for_it() -> None:
    assert public_url(Address.parse("s3://my.cohort/cxr")) == "https://s3.eu-west-1.amazonaws.com/my.cohort/cxr"


def test_china_has_hosts_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    assert public_url(Address.parse("s3://cohort/cxr")) == "https://cohort.s3.cn-north-1.amazonaws.com.cn/cxr"


def test_strangers_read_another_store_at_its_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://store.example/")
    assert public_url(Address.parse("s3://cohort/ü x")) == "https://store.example/cohort/%C3%BC%20x"


def test_a_dataset_may_be_a_whole_bucket() -> None:
    assert public_url(Address.parse("s3://cohort")) == "https://cohort.s3.eu-west-1.amazonaws.com"
    assert folder_of(Address.parse("s3://cohort/")) == ""
