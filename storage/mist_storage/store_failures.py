"""What the failures of obstore mean, as errors of `mist.errors`.

The rule: what a store answers is read from its error code, HTTP status or operating system error, never from words that
could stand in a key as well. A missing object is `ObjectNotFound` and nothing else is. Knows no stores.
"""

from __future__ import annotations

import json
import re

import obstore.exceptions as failures

from mist.errors import (
    CatalogCorrupt,
    InvalidRequest,
    MistError,
    ObjectNotFound,
    ScanCorrupt,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnavailable,
)


class RangeBeyondEnd(StoreError):
    """The range begins at or after the end of an object that is there."""


class AlreadyStored(StoreError):
    """There is an object of that key, which was to be made."""


Meaning = tuple[type[MistError], str]
"""An error, and what its message says after the address."""

_WRONG_CREDENTIALS = StoreDenied, "the credentials are wrong; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_NO_CREDENTIALS = (
    StoreDenied,
    "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SKIP_SIGNATURE=true if public)",
)
_DENIED = StoreDenied, "access is denied; check the credentials and what they permit"
_FULL = StoreFull, "the store is full; make room and run it again"
_MISSING = ObjectNotFound, "no such object"
_OTHER_REGION = StoreUnavailable, "the bucket is in another region; set AWS_REGION"
_BUSY = StoreUnavailable, "the store is busy; run it again later"
_READ_ONLY = InvalidRequest, "the server neither stores nor lists objects; give an address of file:// or s3://"
_NO_BUCKET = (
    StoreUnavailable,
    "the bucket does not exist; create it (mist ingest --create-bucket), or check its name and AWS_ENDPOINT_URL",
)

_BY_CODE: dict[str, Meaning] = {
    "NoSuchBucket": _NO_BUCKET,
    "NoCredentials": _NO_CREDENTIALS,
    "AccessDenied": _DENIED,
    "InvalidAccessKeyId": _WRONG_CREDENTIALS,
    "SignatureDoesNotMatch": _WRONG_CREDENTIALS,
    "ExpiredToken": (StoreDenied, "the credentials have expired; renew them"),
    "InvalidToken": _WRONG_CREDENTIALS,
    "RequestTimeTooSkewed": (StoreDenied, "this machine's clock differs from the store's; set it"),
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "PermanentRedirect": _OTHER_REGION,
    "QuotaExceeded": _FULL,
    "StorageFull": _FULL,
    "XMinioStorageFull": _FULL,
    "SlowDown": _BUSY,
}
"""Error codes in the answers of S3 servers."""

_BY_STATUS: dict[int, Meaning] = {
    301: _OTHER_REGION,
    401: _DENIED,
    403: _DENIED,
    404: _MISSING,
    410: _MISSING,
    405: _READ_ONLY,
    416: (RangeBeyondEnd, "the range begins after the end of the object"),
    429: _BUSY,
    501: _READ_ONLY,
    503: _BUSY,
    507: _FULL,
}
"""HTTP statuses."""

_BY_ERRNO: dict[int, Meaning] = {
    1: (StoreDenied, "permission is denied; check who owns the folder"),
    2: _MISSING,
    13: (StoreDenied, "permission is denied; check who owns the folder"),
    20: _MISSING,
    21: _MISSING,
    24: (StoreUnavailable, "too many files are open; raise the limit (ulimit -n)"),
    28: _FULL,
    30: (StoreDenied, "the file system is read-only"),
    36: (InvalidRequest, "the name is too long for the file system"),
    122: (StoreFull, "the disk quota is used up; make room and run it again"),
}
"""Errors of the operating system, by Linux's and (but for 36 and 122) macOS's numbers."""

_BY_TYPE: tuple[tuple[tuple[type[Exception], ...], Meaning], ...] = (
    ((failures.NotFoundError, FileNotFoundError, NotADirectoryError), _MISSING),
    ((failures.PermissionDeniedError, failures.UnauthenticatedError, PermissionError), _DENIED),
    (
        (failures.NotSupportedError,),
        (StoreError, "the server ignores Range requests, without which nothing is streamed"),
    ),
    ((failures.AlreadyExistsError, failures.PreconditionError), (AlreadyStored, "there is such an object already")),
    ((failures.InvalidPathError,), (InvalidRequest, "not a key of an object")),
)

_BY_WORDS: tuple[tuple[str, Meaning], ...] = (
    (
        r"Requested range was invalid\n|Wanted range starting at \d+, but",
        (RangeBeyondEnd, "the range begins after the end"),
    ),
    (r"http://169\.254\.(169\.254|170\.\d+)/|error occurred while loading credentials", _NO_CREDENTIALS),
    (r"redirect without LOCATION", _OTHER_REGION),
)
"""What stores say that give no code, status or number of their own; tried first."""

_UNREACHABLE = r"error sending request|tcp connect error|dns error|operation timed out|body error|connection closed"
_REASONS = r"[Cc]onnection re(fused|set)|failed to lookup address|dns error|timed out|certificate|InvalidContentType"


def translate_failure(error: Exception, url: str, key: str = "") -> MistError:
    """The error of `mist.errors` that a failure of obstore at `url`/`key` stands for."""
    text = re.sub(r"\x1b\[\d+m", "", str(error))
    where = f"{url}/{key}" if key else url
    problem = _problem(text)
    if problem is not None and (damage := _damage(problem, where)) is not None:
        return damage
    found = _meaning(error, text)
    if found is not None:
        return found[0](f"{where}: {found[1]}")
    if re.search(_UNREACHABLE, text):
        return StoreUnavailable(f"{where}: {_unreachable(text)}")
    return StoreUnavailable(f"{where}: the store failed: {_first_line(text)}")


def meaning_of_code(code: str, where: str, said: str = "") -> MistError:
    """The error that an S3 server's error `code` (or bare HTTP status) about `where` stands for; `said` if unknown."""
    status = int(code) if code.isdecimal() else 0
    kind, words = (
        _BY_CODE.get(code) or _BY_STATUS.get(status) or (StoreUnavailable, f"the store failed: {said or code}")
    )
    return kind(f"{where}: {words}")


def _meaning(error: Exception, text: str) -> Meaning | None:
    """What the tables say of a failure; None where they are silent."""
    for words, meaning in _BY_WORDS:
        if re.search(words, text):
            return meaning
    code = re.search(r"<Code>(\w+)</Code>", text)
    status = re.search(r"status code\W{1,80}?(\d{3}) ", text)
    number = re.search(r"(?:\(os error |Os \{ code: )(\d+)", text)
    errno = int(number[1]) if number else getattr(error, "errno", None)
    by_type = next((meaning for types, meaning in _BY_TYPE if isinstance(error, types)), None)
    return (
        (_BY_CODE.get(code[1]) if code else None)
        or (_BY_STATUS.get(int(status[1])) if status else None)
        or (_BY_ERRNO.get(errno) if errno is not None else None)
        or by_type
    )


def _problem(text: str) -> dict[str, object] | None:
    """The problem (RFC 9457) that the body of an answer tells, which stands last in a line about it; None without."""
    body = re.search(r"non-2xx status code: \d{3} [\w ]*: (\{.*\})$", text, re.MULTILINE)
    try:
        said = json.loads(body[1]) if body else None
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _damage(problem: dict[str, object], where: str) -> MistError | None:
    """The damage that a server of MIST's own tells of, as the error of who reads the store itself; None for others."""
    kind = str(problem.get("type")).removeprefix("urn:problem-type:mist:")
    said = _first_line(str(problem.get("detail")))
    scan, level = problem.get("scan"), problem.get("level")
    if kind == "stored-catalog-is-damaged":
        return CatalogCorrupt(f"{where}: {said}")
    if kind == "stored-scan-is-damaged" and isinstance(scan, str) and isinstance(level, int | None):
        return ScanCorrupt(scan, level, said.removeprefix(str(ScanCorrupt(scan, level, ""))))
    return None


def _unreachable(text: str) -> str:
    host, reason = re.search(r"https?://[^/\s]+", text), re.search(_REASONS, text)
    at = f" at {host[0]}" if host else ""
    why = f" ({reason[0].lower()})" if reason else ""
    return f"the store cannot be reached{at}{why}; check the address, AWS_ENDPOINT_URL for s3, and the network"


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0][:300]
