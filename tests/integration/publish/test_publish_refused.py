"""`mist publish` where nothing is to become public, or not just what was asked for."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from mist.errors import StoreDenied
from mist_storage.bucket_policy import CORS_RULE, NO_POLICY
from mist_storage.buckets import bucket_policy, set_bucket_policy
from mist_storage.keys import BLOCKS, KEPT, SOURCE, ZARR_JSON
from mist_storage.publication import excess, excess_when_closed, plan_publication, publish, unpublish
from mist_storage.store import open_store
from tests.command_line import Mist
from tests.faulty_store import contents
from tests.published_datasets import FOLDER, Hosted


@pytest.mark.parametrize("answer", ["", "n\n"])
def test_without_a_yes_it_is_said_what_would_become_public_and_nothing_does(
    mist: Mist, hosted: Hosted, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: bool(answer))
    monkeypatch.setattr(sys, "stdin", terminal)
    before = contents(open_store(hosted.url))
    done = mist("publish", hosted.url)
    assert (done.code, "nothing was published" in done.messages) == (1, True)
    for said in (hosted.url, "version 0", "2 scans", "full resolution", "label columns age", "not the headers"):
        assert said in done.messages, said
    assert (contents(open_store(hosted.url)), bucket_policy(hosted.bucket)) == (before, NO_POLICY)


def test_a_dry_run_says_what_would_be_set_and_sets_nothing(mist: Mist, hosted: Hosted) -> None:
    told = json.loads(mist("publish", hosted.url, "--dry-run", "--json", "--with-sources").output)
    assert (told["public_url"], told["scans"], told["published_version"]) == (hosted.public_url, 2, None)
    (statement,) = told["policy"]["Statement"]
    assert [resource.partition(f"{FOLDER}/")[2] for resource in statement["Resource"]] == [
        "catalog.parquet",
        *(f"scans/*/{name}" for name in (ZARR_JSON, BLOCKS, SOURCE, KEPT)),
    ]
    assert told["cors"] == [CORS_RULE]
    assert '"Action": "s3:GetObject"' in mist("publish", hosted.url, "--dry-run").output
    assert bucket_policy(hosted.bucket) == NO_POLICY
    assert "catalog.parquet" not in contents(open_store(hosted.url))


def test_more_than_was_asked_for_is_seen(hosted: Hosted) -> None:
    wide = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{hosted.bucket}/*"}
    set_bucket_policy(hosted.bucket, {**NO_POLICY, "Statement": [wide]})
    store = open_store(hosted.url)
    plan = plan_publication(store, with_sources=False)
    publish(plan)
    private = [f"catalog/_delta_log/{0:020}.json", hosted.key(SOURCE), hosted.key(KEPT)]
    assert excess(plan, 0)[:3] == [f"read {key}" for key in private]
    unpublish(store)
    assert f"read {hosted.key(BLOCKS)}" in excess_when_closed(store, 0)


def test_more_than_was_asked_for_is_a_failure_of_the_command(mist: Mist, hosted: Hosted) -> None:
    assert mist("publish", hosted.url, "--yes").code == 0
    resource = f"arn:aws:s3:::{hosted.bucket}"
    listing = {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": resource}
    policy = bucket_policy(hosted.bucket)
    set_bucket_policy(hosted.bucket, {**policy, "Statement": [*policy["Statement"], listing]})
    assert "anybody can list the folder: another statement" in mist("publish", hosted.url, "--yes").error


def test_a_policy_that_does_not_open_is_an_error_that_says_what_may_be_in_the_way(hosted: Hosted) -> None:
    resource = f"arn:aws:s3:::{hosted.bucket}/*/{ZARR_JSON}"
    deny = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    set_bucket_policy(hosted.bucket, {**NO_POLICY, "Statement": [deny]})
    plan = plan_publication(open_store(hosted.url), with_sources=False)
    publish(plan)
    with pytest.raises(StoreDenied, match=r"explicit Deny.*S3 Block Public Access") as failure:
        excess(plan, 0)
    assert str(failure.value).startswith(f"{hosted.public_url}/{hosted.key(ZARR_JSON)}: still denied")


def test_an_empty_dataset_is_not_published(mist: Mist, hosted: Hosted) -> None:
    assert mist("rm", hosted.url, "a", "b", "--yes").code == 0
    assert "has no scans; there is nothing to publish" in mist("publish", hosted.url, "--yes").error


@pytest.mark.parametrize("option", ["--yes", "--dry-run"])
def test_what_is_no_dataset_is_not_published(mist: Mist, s3_url: str, option: str) -> None:
    assert "there is no dataset here" in mist("publish", s3_url, option).error


def test_a_version_or_a_web_address_is_not_published(mist: Mist, tmp_path: Path) -> None:
    assert "names a version" in mist("publish", f"{tmp_path}@0").error
    assert "a dataset is written to" in mist("publish", "https://host/cxr").error
