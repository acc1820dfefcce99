"""Buckets made, and their policies and CORS rules asked for and set: the administration of S3, by boto3.

The rule: every failure is one of `mist.errors`, and names the bucket. Configured by the same environment variables as
`mist_storage.store`. The one module that imports boto3, which readers need not install. What is to be set is decided
elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError
from botocore.parsers import ResponseParserError

from mist.errors import InvalidRequest, MistError, StoreDenied, StoreUnavailable
from mist_storage.bucket_policy import NO_POLICY, CorsRule, Policy, parsed_policy
from mist_storage.connection import s3_options
from mist_storage.patience import Patience
from mist_storage.store_failures import meaning_of_code

PUBLIC_ACCESS = (
    "check that the credentials permit s3:PutBucketPolicy; on AWS, S3 Block Public Access (BlockPublicPolicy and "
    "RestrictPublicBuckets) must be off for the bucket (aws s3api put-public-access-block) and for its account"
)
"""What to do where a store does not let a bucket be opened."""


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


def bucket_policy(bucket: str) -> Policy:
    """The policy of a bucket; one without statements where it has none.

    Raises
    ------
    StoreDenied
        The credentials are absent, wrong or not enough.
    StoreUnavailable
        The store cannot be reached, or the bucket does not exist.
    """
    with _failures_of(bucket):
        try:
            return parsed_policy(_client().get_bucket_policy(Bucket=bucket)["Policy"])
        except ClientError as error:
            if _code(error) != "NoSuchBucketPolicy":
                raise
            return NO_POLICY


def set_bucket_policy(bucket: str, policy: Policy) -> None:
    """Make `policy` that of a bucket; one without statements is none. Errors as of `bucket_policy`."""
    with _failures_of(bucket):
        if not policy["Statement"]:
            _client().delete_bucket_policy(Bucket=bucket)
            return
        try:
            _client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        except ClientError as error:
            if _code(error) != "AccessDenied":
                raise
            raise StoreDenied(f"s3://{bucket}: the policy was refused: {_one_line(error)}; {PUBLIC_ACCESS}") from None


def cors_rules(bucket: str) -> list[CorsRule]:
    """The CORS rules of a bucket. Errors as of `bucket_policy`."""
    with _failures_of(bucket):
        try:
            return list(_client().get_bucket_cors(Bucket=bucket)["CORSRules"])
        except ClientError as error:
            if _code(error) != "NoSuchCORSConfiguration":
                raise
            return []


def set_cors_rules(bucket: str, rules: Sequence[CorsRule]) -> None:
    """Make `rules` those of a bucket. Errors as of `bucket_policy`."""
    with _failures_of(bucket):
        if rules:
            _client().put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [*rules]})
        else:
            _client().delete_bucket_cors(Bucket=bucket)


def anyone_may_list(bucket: str, folder: str) -> bool:
    """Whether a client without credentials may list a folder of a bucket. Errors as of `bucket_policy`."""
    prefix = f"{folder}/" if folder else ""
    with _failures_of(bucket):
        client = _client(signature_version=UNSIGNED)
        return _status(lambda: client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)) not in _DENIED


def anyone_may_write(bucket: str, key: str) -> bool:
    """Whether a client without credentials may write to `key`, where there is no object. Errors as of `bucket_policy`.

    It asks to replace an object that is not there, which fails for another reason where it is permitted. A store that
    does not know the condition stores an empty object, which is removed again.
    """
    with _failures_of(bucket):
        client = _client(signature_version=UNSIGNED)
        status = _status(lambda: client.put_object(Bucket=bucket, Key=key, Body=b"", IfMatch='"nothing"'))
        if status < 300:
            _client().delete_object(Bucket=bucket, Key=key)
        return status not in _DENIED


_DENIED = (401, 403)


def _status(act: Callable[[], Any]) -> int:
    """The HTTP status that a request is answered with; an error where the store failed, which says nothing."""
    try:
        answer = act()
    except ClientError as error:
        answer = error.response
        if answer["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def _client(signature_version: object = None) -> Any:  # noqa: ANN401 - boto3 makes its classes when it runs
    said = tuple(sorted(item for item in os.environ.items() if item[0].startswith(("AWS_", "MIST_STORE_"))))
    return _client_as(said, signature_version)


@lru_cache(maxsize=4)
def _client_as(_said: tuple[tuple[str, str], ...], signature_version: object) -> Any:  # noqa: ANN401
    """A client, made once for what the environment says: making one takes longer than most requests."""
    options, patience = s3_options(), Patience.of_environment()
    style = {"addressing_style": "path" if "endpoint" in options else "auto"}
    config = Config(
        connect_timeout=patience.connect_timeout_s,
        read_timeout=patience.timeout_s,
        retries={"total_max_attempts": patience.retries + 1, "mode": "standard"},
        s3=style,
        signature_version=signature_version,
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
    except (ResponseParserError, ValueError, KeyError):  # never to be taken for a bucket where nothing is set
        raise StoreUnavailable(f"s3://{bucket}: the store's answer was cut short or is none; run it again") from None


def _client_failure(error: ClientError, bucket: str) -> MistError:
    code = _code(error)
    if code in ("InvalidBucketName", "400"):
        return InvalidRequest(f"s3://{bucket}: no bucket can have that name; use 3 to 63 of a-z 0-9 . -")
    if code == "404":
        return StoreUnavailable(f"s3://{bucket}: the store says 404 and not of what; run it again")
    if code == "BucketAlreadyExists":
        return StoreDenied(f"s3://{bucket}: the bucket belongs to somebody else; choose another name")
    return meaning_of_code(code, f"s3://{bucket}", _one_line(error))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
