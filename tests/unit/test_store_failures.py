"""What stores said when they were made to fail, and what it must be taken for."""

from __future__ import annotations

import errno

import obstore.exceptions as failures
import pytest

from mist.errors import (
    InvalidRequest,
    MistError,
    ObjectNotFound,
    ScanCorrupt,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from mist_storage.store_failures import RangeBeyondEnd, meaning_of_code, translate_failure

S3_ANSWER = (
    "Error performing GET http://127.0.0.1:8333/bucket/{key} in 2ms - Server returned non-2xx status code: {status}: "
    '<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>words</Message><Key>{key}</Key></Error>\n\nDebug source:'
)
DELTA_ANSWER = (
    "Kernel error -> The operation lacked the necessary privileges to complete\n          \x1b[31m↳\x1b[0m Error "
    "performing GET http://h/k in 1ms - Server returned non-2xx status code\n           \x1b[31m↳\x1b[0m {status}\n"
    "            \x1b[31m↳\x1b[0m <Error><Code>{code}</Code></Error>"
)
METADATA_SERVICE = (
    "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 1.4ms - Server returned non-2xx "
    "status code: 403 Forbidden: denied destination\n\nDebug source:"
)
REFUSED = (
    "Generic S3 error: Error performing GET http://127.0.0.1:9/mist/k in 3.6s, after 10 retries, max_retries: 10, "
    "retry_timeout: 180s  - HTTP error: error sending request\n\nDebug source: Connection refused"
)
NO_SPACE = "Generic LocalFileSystem error: Unable to copy data to file /d/k: No space left on device (os error 28)"
NOT_A_FOLDER = "Generic LocalFileSystem error: Unable to open file /d/k/c#1: Not a directory (os error 20)\n\nDebug:"
MISSING_FILE = "Object at location /d/{key} not found: No such file or directory (os error 2)\n\nDebug source:"
PAST_THE_END = "Generic InMemory error: Invalid range: Wanted range starting at 5, but object was only 5 bytes long\n"
READ_ONLY = "Could not create local directory: file:///d/catalog\nError: Os { code: 30, kind: ReadOnlyFilesystem }"


def s3(status: str, code: str, key: str = "k") -> str:
    return S3_ANSWER.format(status=status, code=code, key=key)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FileNotFoundError(s3("404 Not Found", "NoSuchKey")), ObjectNotFound),
        (FileNotFoundError(s3("404 Not Found", "NoSuchBucket")), StoreUnavailable),
        (failures.PermissionDeniedError(s3("403 Forbidden", "SignatureDoesNotMatch")), StoreDenied),
        (failures.PermissionDeniedError(s3("403 Forbidden", "SomethingNew")), StoreDenied),
        (failures.GenericError(s3("403 Forbidden", "InvalidAccessKeyId")), StoreDenied),
        (failures.GenericError(s3("416 Range Not Satisfiable", "InvalidRange")), RangeBeyondEnd),
        (failures.GenericError(s3("503 Slow Down", "SlowDown")), StoreUnavailable),
        (failures.GenericError(s3("507 Insufficient Storage", "Odd")), StoreFull),
        (failures.GenericError(s3("500 Internal Server Error", "InternalError")), StoreUnavailable),
        (failures.GenericError(s3("501 Not Implemented", "Odd")), InvalidRequest),
        (OSError(DELTA_ANSWER.format(status="403 Forbidden", code="InvalidAccessKeyId")), StoreDenied),
        (OSError(DELTA_ANSWER.format(status="404 Not Found", code="NoSuchBucket")), StoreUnavailable),
        (failures.GenericError(METADATA_SERVICE), StoreDenied),
        (failures.GenericError(REFUSED), StoreUnavailable),
        (failures.GenericError(NO_SPACE), StoreFull),
        (failures.GenericError(NOT_A_FOLDER), ObjectNotFound),
        (failures.GenericError(PAST_THE_END), RangeBeyondEnd),
        (failures.GenericError("Generic LocalFileSystem error: Requested range was invalid\n"), RangeBeyondEnd),
        (failures.NotSupportedError("Operation not supported: Range request not supported by k"), StoreError),
        (Exception(READ_ONLY), StoreDenied),
        (PermissionError(errno.EACCES, "Permission denied"), StoreDenied),
        (OSError(errno.ENOSPC, "No space left on device"), StoreFull),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), StoreFull),
        (OSError(errno.ENAMETOOLONG, "File name too long"), InvalidRequest),
        (RuntimeError("never heard of"), StoreUnavailable),
    ],
    ids=str,
)
def test_a_failure_is_of_the_type_that_it_means(error: Exception, kind: type[MistError]) -> None:
    assert type(translate_failure(error, "s3://bucket", "k")) is kind


@pytest.mark.parametrize(
    "key", ["NoSuchBucket", "403 Forbidden", "os error 28", "quota/No space left", "416", "a/169.254.169.254"]
)
@pytest.mark.parametrize("text", [s3("404 Not Found", "NoSuchKey", "{key}"), MISSING_FILE])
def test_a_key_that_reads_like_an_error_is_none(text: str, key: str) -> None:
    error = FileNotFoundError(text.replace("{key}", key))
    assert type(translate_failure(error, "s3://bucket", key)) is ObjectNotFound


@pytest.mark.parametrize("text", [s3("500 Internal Server Error", "InternalError"), REFUSED, "a\nb\nc", "x" * 10_000])
def test_a_message_is_one_short_line_with_the_address(text: str) -> None:
    message = str(translate_failure(failures.GenericError(text), "s3://bucket", "a/k"))
    assert message.startswith("s3://bucket/a/k: ")
    assert "\n" not in message
    assert len(message) < 400


def test_a_store_that_is_not_there_is_named_with_the_reason() -> None:
    message = str(translate_failure(failures.GenericError(REFUSED), "s3://bucket", "k"))
    assert "cannot be reached at http://127.0.0.1:9 (connection refused)" in message


def test_an_unknown_code_keeps_what_was_said() -> None:
    assert "odd words" in str(meaning_of_code("Unheard", "s3://bucket", "odd words"))


def told(problem: str) -> MistError:
    """What an answer of a server means whose body is `problem`."""
    line = f"Error performing GET http://h/{{}} - Server returned non-2xx status code: 502 Bad Gateway: {problem}"
    return translate_failure(failures.GenericError(f"{line}\n\nDebug source:\nGeneric {{"), "http://h", "k")


def test_damage_that_a_server_tells_of_is_named_as_where_it_is_read_directly() -> None:
    own = ScanCorrupt("a", 2, "it ends at byte 3")
    error = told(
        f'{{"type": "urn:problem-type:mist:stored-scan-is-damaged", "detail": "{own}", "scan": "a", "level": 2}}'
    )
    assert isinstance(error, ScanCorrupt)
    assert (error.scan_id, error.level, str(error)) == ("a", 2, str(own))


@pytest.mark.parametrize(
    "problem",
    ["<html>", "{", "[]", '{"type": "urn:problem-type:mist:stored-scan-is-damaged", "scan": 3}', '{"type": "x"}'],
)
def test_any_other_answer_is_a_failure_of_the_store(problem: str) -> None:
    assert type(told(problem)) is StoreUnavailable
