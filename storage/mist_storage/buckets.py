"""Buckets made and opened to the public: the administration of S3, by boto3.

The rule: asking twice changes nothing the second time, and what others have configured stays. Configured by the same
environment variables as `mist_storage.store`. The one module that imports boto3, which readers need not install.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError

from mist.errors import InvalidRequest, MistError, StoreDenied, StoreUnavailable
from mist_storage.keys import checked_key
from mist_storage.store import MAX_RETRIES, s3_options
from mist_storage.store_failures import meaning_of_code

_STATEMENT = "MistPublish"
"""The beginning of the ids of our statements in a bucket's policy."""

_CORS_RULE = {
    "ID": "MistPublish",
    "AllowedOrigins": ["*"],
    "AllowedMethods": ["GET", "HEAD"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"],
    "MaxAgeSeconds": 3600,
}
"""Any page may read, with ranges."""


def ensure_bucket(bucket: str) -> bool:
    """Make a bucket where there is none; whether it was made.

    Raises
    ------
    InvalidRequest
        No bucket can have that name.
    StoreDenied
        The credentials are absent, wrong or not enough, or the bucket belongs to somebody else.
    StoreUnavailable
        The store cannot be reached.
    """
    with _failures_of(bucket):
        client = _client()
        try:
            client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if _code(error) not in ("404", "NoSuchBucket"):
                raise
        else:
            return False
        return _created(client, bucket)


def allow_anonymous_reads(bucket: str, prefix: str) -> None:
    """Let anybody read and list what lies below `prefix`, a folder of the bucket; all of it where `prefix` is empty.

    Raises
    ------
    StoreDenied
        The credentials are absent, wrong or not enough, or the store forbids public buckets.
    StoreUnavailable
        The store cannot be reached, or the bucket does not exist.
    """
    folder = checked_key(prefix.strip("/")) if prefix.strip("/") else ""
    ours = _statements(bucket, folder)
    names = {statement["Sid"] for statement in ours}
    with _failures_of(bucket):
        client = _client()
        policy = _policy(client, bucket)
        others = [statement for statement in policy["Statement"] if statement.get("Sid") not in names]
        changed = {**policy, "Statement": [*others, *ours]}
        if changed != policy:
            client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(changed))


def allow_browsers(bucket: str) -> None:
    """Let pages of any origin read the bucket with ranges (CORS), as far as its policy lets anybody.

    Raises
    ------
    StoreDenied
        The credentials are absent, wrong or not enough.
    StoreUnavailable
        The store cannot be reached, or the bucket does not exist.
    """
    with _failures_of(bucket):
        client = _client()
        rules = _cors_rules(client, bucket)
        if not any({**rule, "ID": _CORS_RULE["ID"]} == _CORS_RULE for rule in rules):
            others = [rule for rule in rules if rule.get("ID") != _CORS_RULE["ID"]]
            client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [*others, _CORS_RULE]})


def _client() -> Any:  # noqa: ANN401 - boto3 makes its classes when it runs
    options = s3_options()
    retries = {"total_max_attempts": MAX_RETRIES, "mode": "standard"}
    config = Config(
        connect_timeout=5, retries=retries, s3={"addressing_style": "path" if "endpoint" in options else "auto"}
    )
    # A session of its own: the default one keeps the first credentials that it has seen.
    return boto3.session.Session().client(
        "s3", endpoint_url=options.get("endpoint"), region_name=options["region"], config=config
    )


def _created(client: Any, bucket: str) -> bool:  # noqa: ANN401
    """Make the bucket; whether it is we who made it."""
    region = client.meta.region_name
    # us-east-1 is the default place, and must not be named.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        client.create_bucket(Bucket=bucket, **place)
    except ClientError as error:
        if _code(error) != "BucketAlreadyOwnedByYou":
            raise
        return False
    return True


def _statements(bucket: str, folder: str) -> list[dict[str, Any]]:
    """What lets anybody read, and list, one folder."""
    arn, below = f"arn:aws:s3:::{bucket}", f"{folder}/*" if folder else "*"
    name = "".join(f"{byte:02x}" for byte in folder.encode())  # ids are letters and digits
    read = {"Action": "s3:GetObject", "Resource": f"{arn}/{below}"}
    listing: dict[str, Any] = {"Action": "s3:ListBucket", "Resource": arn}
    if folder:
        listing["Condition"] = {"StringLike": {"s3:prefix": f"{folder}/*"}}
    common = {"Effect": "Allow", "Principal": "*"}
    return [
        {"Sid": f"{_STATEMENT}Read{name}", **common, **read},
        {"Sid": f"{_STATEMENT}List{name}", **common, **listing},
    ]


def _policy(client: Any, bucket: str) -> dict[str, Any]:  # noqa: ANN401
    try:
        policy: dict[str, Any] = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if _code(error) != "NoSuchBucketPolicy":
            raise
        return {"Version": "2012-10-17", "Statement": []}
    return policy


def _cors_rules(client: Any, bucket: str) -> list[dict[str, Any]]:  # noqa: ANN401
    try:
        return list(client.get_bucket_cors(Bucket=bucket)["CORSRules"])
    except ClientError as error:
        if _code(error) != "NoSuchCORSConfiguration":
            raise
        return []


@contextmanager
def _failures_of(bucket: str) -> Iterator[None]:
    try:
        yield
    except NoCredentialsError:
        raise meaning_of_code("NoCredentials", f"s3://{bucket}") from None
    except ParamValidationError as error:
        raise InvalidRequest(f"s3://{bucket}: no bucket can have that name: {_one_line(error)}") from None
    except BotoCoreError as error:
        raise StoreUnavailable(f"s3://{bucket}: {_one_line(error)}; check AWS_ENDPOINT_URL and the network") from None
    except ClientError as error:
        raise _client_failure(error, bucket) from None


def _client_failure(error: ClientError, bucket: str) -> MistError:
    code = _code(error)
    if code in ("InvalidBucketName", "400"):
        return InvalidRequest(f"s3://{bucket}: no bucket can have that name; use 3 to 63 of a-z 0-9 . -")
    if code == "BucketAlreadyExists":
        return StoreDenied(f"s3://{bucket}: the bucket belongs to somebody else; choose another name")
    return meaning_of_code(code, f"s3://{bucket}", _one_line(error))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
