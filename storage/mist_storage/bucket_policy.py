"""What a bucket's policy and CORS rules say of published datasets.

The rule: a published dataset is one statement, named after its folder, that lets anybody get some of its objects, and
nothing else: no list, no write. What others have said stays as it is. Values in, values out; `mist_storage.buckets`
asks and tells the store.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mist.errors import InvalidRequest

Policy = Mapping[str, Any]
"""A bucket policy, by the words of AWS's policy language, version 2012-10-17."""

CorsRule = Mapping[str, Any]
"""One rule of a bucket's CORS configuration, by the names that boto3 gives its parts."""

NO_POLICY: Policy = {"Version": "2012-10-17", "Statement": []}
"""That of a bucket that has none."""

CORS_RULE: CorsRule = {
    "ID": "MistPublish",
    "AllowedOrigins": ["*"],
    "AllowedMethods": ["GET", "HEAD"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"],
    "MaxAgeSeconds": 3600,
}
"""Any page may read, with ranges, what the policy lets anybody read."""

_STATEMENT = "MistPublish"
"""The beginning of the ids of our statements."""

_NAME_CHARACTERS = 40
"""Characters of a folder's name in the id of its statement, for people; a digest after them tells folders apart."""

_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
"""What AWS calls itself in names of resources, by the beginning of the region; `aws` elsewhere."""


def parsed_policy(text: str) -> Policy:
    """The policy in `text`; its statements are a list, also where there is one alone."""
    policy = json.loads(text)
    statements = policy.get("Statement", [])
    return {**policy, "Statement": statements if isinstance(statements, list) else [statements]}


def statement_id(folder: str) -> str:
    """The id of the statement that opens `folder`: letters and digits, as policies want them."""
    name = re.sub(r"[^A-Za-z0-9]", "", folder)[:_NAME_CHARACTERS]
    return f"{_STATEMENT}{name}{hashlib.sha256(folder.encode()).hexdigest()[:12]}"


def public_statement(bucket: str, folder: str, patterns: Sequence[str], region: str) -> Policy:
    """What lets anybody get the objects whose keys, relative to `folder` (empty: the whole bucket), fit `patterns`.

    Raises
    ------
    InvalidRequest
        The folder's name has a character that policies take for a pattern.
    """
    if re.search(r"[*?$]", folder):
        raise InvalidRequest(f"s3://{bucket}/{folder}: a policy cannot name a folder with *, ? or $; rename it")
    below = (
        f"arn:{_partition(region)}:s3:::{bucket}/{folder}/" if folder else f"arn:{_partition(region)}:s3:::{bucket}/"
    )
    return {
        "Sid": statement_id(folder),
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": [f"{below}{pattern}" for pattern in patterns],
    }


def opened(policy: Policy, statement: Policy) -> Policy:
    """`policy` with `statement`, in place of the one of that id."""
    if any(_plain(each) == _plain(statement) for each in policy["Statement"]):
        return policy
    others = [each for each in policy["Statement"] if each.get("Sid") != statement["Sid"]]
    return {**policy, "Statement": [*others, statement]}


def closed(policy: Policy, folder: str) -> Policy:
    """`policy` without the statement that opens `folder`."""
    others = [each for each in policy["Statement"] if each.get("Sid") != statement_id(folder)]
    return {**policy, "Statement": others}


def opens_any(policy: Policy) -> bool:
    """Whether a dataset is published by it."""
    return any(str(each.get("Sid", "")).startswith(_STATEMENT) for each in policy["Statement"])


def with_browsers(rules: Sequence[CorsRule]) -> list[CorsRule]:
    """`rules` with ours."""
    if CORS_RULE in rules:
        return [*rules]
    return [*without_browsers(rules), CORS_RULE]


def without_browsers(rules: Sequence[CorsRule]) -> list[CorsRule]:
    """`rules` without ours."""
    return [rule for rule in rules if rule.get("ID") != CORS_RULE["ID"]]


def _plain(statement: Policy) -> Policy:
    """`statement` with lists where one thing alone may also stand: stores give one for the other."""
    return {
        name: [part] if name in ("Action", "Resource") and isinstance(part, str) else part
        for name, part in statement.items()
    }


def _partition(region: str) -> str:
    return next((name for start, name in _PARTITIONS.items() if region.startswith(f"{start}-")), "aws")
