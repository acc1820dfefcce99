from __future__ import annotations

import re

import pytest

from mist.errors import InvalidRequest
from mist_storage.bucket_policy import (
    CORS_RULE,
    NO_POLICY,
    closed,
    opened,
    opens_any,
    parsed_policy,
    public_statement,
    statement_id,
    with_browsers,
    without_browsers,
)

THEIRS = {"Sid": "Backup", "Effect": "Allow", "Principal": {"AWS": "1"}, "Action": "s3:*", "Resource": "arn:aws:s3:::b"}
POLICY = {"Version": "2012-10-17", "Id": "ours", "Statement": [THEIRS]}
OPEN = public_statement("b", "a/cxr", ["catalog.parquet", "scans/*/zarr.json"], "eu-west-1")


def test_the_statement_lets_anybody_get_what_is_named_below_the_folder_and_nothing_else() -> None:
    assert {
        "Sid": statement_id("a/cxr"),
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": ["arn:aws:s3:::b/a/cxr/catalog.parquet", "arn:aws:s3:::b/a/cxr/scans/*/zarr.json"],
    } == OPEN


def test_a_dataset_that_is_a_whole_bucket_has_no_folder_in_its_resources() -> None:
    assert public_statement("b", "", ["k"], "us-east-1")["Resource"] == ["arn:aws:s3:::b/k"]


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("us-west-1", "aws")]
)
def test_resources_are_named_as_their_part_of_the_world_names_them(region: str, partition: str) -> None:
    assert public_statement("b", "", ["k"], region)["Resource"] == [f"arn:{partition}:s3:::b/k"]


@pytest.mark.parametrize("folder", ["*", "a?", "${aws:username}"])
def test_a_folder_that_a_policy_takes_for_a_pattern_is_refused(folder: str) -> None:
    with pytest.raises(InvalidRequest, match="rename it"):
        public_statement("b", folder, ["k"], "us-east-1")


@pytest.mark.parametrize("folder", ["", "a/cxr", "Röntgen bilder", "x" * 300])
def test_the_id_of_a_statement_is_letters_and_digits_as_policies_want_them(folder: str) -> None:
    assert re.fullmatch("MistPublish[A-Za-z0-9]{12,52}", statement_id(folder))


def test_folders_of_similar_names_have_statements_of_their_own() -> None:
    assert len({statement_id(folder) for folder in ("a/b", "ab", "a-b", "A/b")}) == 4


def test_the_id_of_a_statement_names_the_dataset() -> None:
    assert statement_id("a/cxr").startswith("MistPublishacxr")


def test_opening_keeps_what_others_have_said() -> None:
    assert opened(POLICY, OPEN) == {**POLICY, "Statement": [THEIRS, OPEN]}


def test_opening_twice_is_opening_once() -> None:
    assert opened(opened(POLICY, OPEN), OPEN) == opened(POLICY, OPEN)


def test_a_store_that_writes_one_for_a_list_of_one_is_not_told_again() -> None:
    one = public_statement("b", "a", ["k"], "us-east-1")
    as_stored = {**POLICY, "Statement": [{**one, "Resource": one["Resource"][0], "Action": [one["Action"]]}]}
    assert opened(as_stored, one) == as_stored


def test_opening_otherwise_takes_the_place_of_the_statement_before() -> None:
    wider = public_statement("b", "a/cxr", ["*"], "eu-west-1")
    assert opened(opened(POLICY, wider), OPEN)["Statement"] == [THEIRS, OPEN]


def test_closing_takes_out_the_dataset_alone() -> None:
    other = public_statement("b", "other", ["k"], "eu-west-1")
    both = opened(opened(POLICY, other), OPEN)
    assert closed(both, "a/cxr") == {**POLICY, "Statement": [THEIRS, other]}
    assert [opens_any(policy) for policy in (both, closed(both, "a/cxr"), POLICY)] == [True, True, False]


def test_a_policy_whose_one_statement_is_no_list_is_understood() -> None:
    assert parsed_policy('{"Version": "2012-10-17", "Statement": {"Sid": "x"}}')["Statement"] == [{"Sid": "x"}]


def test_a_bucket_without_a_policy_is_open_to_nobody() -> None:
    assert not opens_any(NO_POLICY)


def test_the_rule_for_browsers_is_put_beside_those_of_others_once() -> None:
    theirs = {"ID": "theirs", "AllowedOrigins": ["https://a.example"], "AllowedMethods": ["PUT"]}
    stale = {**CORS_RULE, "ExposeHeaders": []}
    assert with_browsers([stale, theirs]) == with_browsers(with_browsers([theirs])) == [theirs, CORS_RULE]
    assert without_browsers([theirs, CORS_RULE]) == [theirs]
