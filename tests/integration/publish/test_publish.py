"""`mist publish`: a dataset in a real bucket, opened to everybody and closed again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import mist_client
from mist.errors import StoreDenied
from mist_storage.bucket_policy import CORS_RULE, NO_POLICY, statement_id
from mist_storage.buckets import bucket_policy, cors_rules, set_bucket_policy, set_cors_rules
from mist_storage.keys import BLOCKS, KEPT
from mist_storage.store import open_store
from tests.command_line import Mist
from tests.faulty_store import contents
from tests.published_datasets import FOLDER, Hosted, status, stranger

THEIRS = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket"}


def test_a_stranger_streams_after_publish_what_was_denied_before(mist: Mist, hosted: Hosted) -> None:
    with stranger(), pytest.raises(StoreDenied, match="nothing is published"):
        mist_client.open(hosted.public_url)
    done = mist("publish", hosted.url, "--yes")
    assert (done.code, hosted.public_url in done.messages) == (0, True), done
    with stranger():
        scan = mist_client.open(hosted.public_url)["a"]
        coarse, full = scan.read(level=1), scan.read()
    whole = mist_client.open(hosted.url)["a"]
    np.testing.assert_array_equal(full.voxels, np.load(hosted.source / "a.npy"))
    np.testing.assert_array_equal(coarse.voxels, whole.read(level=1).voxels)
    assert scan.labels == whole.labels == {"age": 61}


def test_a_stranger_gets_the_source_files_where_that_was_asked_for(mist: Mist, hosted: Hosted, tmp_path: Path) -> None:
    assert mist("publish", hosted.url, "--yes", "--with-sources").code == 0
    with stranger():
        assert mist("export", hosted.public_url, "a", "-o", tmp_path / "given").code == 0
    (given,) = (tmp_path / "given").rglob("*.npy")
    assert given.read_bytes() == (hosted.source / "a.npy").read_bytes()
    assert mist("publish", hosted.url, "--yes").code == 0
    assert status(f"{hosted.public_url}/{hosted.key(KEPT)}") == 403


def test_what_others_have_set_stays_and_publishing_twice_changes_nothing(mist: Mist, hosted: Hosted) -> None:
    theirs = {**THEIRS, "Resource": f"arn:aws:s3:::{hosted.bucket}"}
    rule = {"ID": "theirs", "AllowedOrigins": ["https://a.example"], "AllowedMethods": ["PUT"]}
    set_bucket_policy(hosted.bucket, {**NO_POLICY, "Statement": [theirs]})
    set_cors_rules(hosted.bucket, [rule])
    assert mist("publish", hosted.url, "--yes").code == 0
    first = bucket_policy(hosted.bucket), cors_rules(hosted.bucket), contents(open_store(hosted.url))
    again = json.loads(mist("publish", hosted.url, "--json").output)
    assert (again["changed"], again["excess"]) == (False, [])
    assert (bucket_policy(hosted.bucket), cors_rules(hosted.bucket), contents(open_store(hosted.url))) == first
    assert [each["Sid"] for each in first[0]["Statement"]] == ["Theirs", statement_id(FOLDER)]
    assert [each["ID"] for each in first[1]] == ["theirs", "MistPublish"]
    assert mist("publish", hosted.url, "--unpublish").code == 0
    assert bucket_policy(hosted.bucket)["Statement"][0]["Sid"] == "Theirs"
    assert [each["ID"] for each in cors_rules(hosted.bucket)] == ["theirs"]


def test_unpublish_closes_the_door(mist: Mist, hosted: Hosted) -> None:
    blocks = hosted.key(BLOCKS)
    assert mist("publish", hosted.url, "--yes").code == 0
    assert status(f"{hosted.public_url}/{blocks}") == 200
    done = mist("publish", hosted.url, "--unpublish")
    assert (done.code, "is published no more" in done.output) == (0, True)
    assert [status(f"{hosted.public_url}/{key}") for key in (blocks, "catalog.parquet")] == [403, 403]
    assert (bucket_policy(hosted.bucket), cors_rules(hosted.bucket)) == (NO_POLICY, [])
    assert "was not published" in mist("publish", hosted.url, "--unpublish").output
    assert mist("verify", hosted.url).code == 0


def test_unpublishing_one_dataset_leaves_another_one_open(mist: Mist, hosted: Hosted) -> None:
    other = f"s3://{hosted.bucket}/other"
    assert mist("ingest", hosted.source / "b.npy", other, "--workers", 1).code == 0
    for url in (hosted.url, other):
        assert mist("publish", url, "--yes").code == 0
    assert mist("publish", hosted.url, "--unpublish").code == 0
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    with stranger():
        assert len(mist_client.open(f"{endpoint}/{hosted.bucket}/other")) == 1
    assert cors_rules(hosted.bucket) == [CORS_RULE]


@pytest.mark.parametrize("folder", ["", "Röntgen bilder/2024"])
def test_a_dataset_of_any_name_or_of_a_whole_bucket_is_published(
    mist: Mist, s3_bucket: str, tmp_path: Path, folder: str
) -> None:
    np.save(tmp_path / "a.npy", np.full((20, 30), 7, np.uint8))
    url = f"s3://{s3_bucket}/{folder}".rstrip("/")
    assert mist("ingest", tmp_path / "a.npy", url, "--workers", 1).code == 0
    told = json.loads(mist("publish", url, "--yes", "--json").output)
    with stranger():
        voxels = mist_client.open(told["public_url"])["a"].read().voxels
    assert (told["excess"], int(voxels.min()), int(voxels.max())) == ([], 7, 7)


def test_an_ingest_publishes_nothing_and_says_so_and_publishing_anew_does(mist: Mist, hosted: Hosted) -> None:
    assert mist("publish", hosted.url, "--yes").code == 0
    np.save(hosted.source / "c.npy", np.zeros((20, 20), np.uint8))
    done = mist("ingest", hosted.source / "c.npy", hosted.url, "--workers", 1)
    assert "version 0 is published and stays so" in done.messages
    with stranger():
        assert "c" not in mist_client.open(hosted.public_url)
    assert mist("publish", hosted.url, "--yes").code == 0
    with stranger():
        assert "c" in mist_client.open(hosted.public_url)


def test_a_withdrawn_scan_is_public_no_more(mist: Mist, hosted: Hosted) -> None:
    blocks = hosted.key(BLOCKS)
    assert mist("publish", hosted.url, "--yes").code == 0
    assert mist("rm", hosted.url, "a", "--yes").code == 0
    with stranger():
        assert mist_client.open(hosted.public_url).scan_ids == ("b",)
    assert status(f"{hosted.public_url}/{blocks}") == 404


def test_of_a_folder_the_catalog_alone_is_written_and_that_is_said(mist: Mist, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((20, 20), np.uint8))
    url = tmp_path / "cxr"
    assert mist("ingest", tmp_path / "a.npy", url, "--workers", 1).code == 0
    before = set(contents(open_store(str(url))))
    done = mist("publish", url, "--yes")
    assert (done.code, "up to the web server" in done.messages) == (0, True)
    assert set(contents(open_store(str(url)))) - before == {"catalog.parquet"}
    assert mist("publish", url, "--unpublish").code == 0
    assert set(contents(open_store(str(url)))) == before
