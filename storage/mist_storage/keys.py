"""The keys of a dataset's objects, relative to the dataset's address.

The rule: every key is made here and nowhere else. A scan's objects lie under its id and a digest of what they hold, so
they never change once written.
"""

from __future__ import annotations

import re

from mist.errors import InvalidRequest

CATALOG = "catalog"
"""The folder of the Delta Lake table."""

NEWEST_VERSION = "catalog/_newest.json"
"""The newest version that was committed, noted down beside the log to tell when the log is cut short."""

WITHDRAWALS = "withdrawals"
"""The folder of the records of withdrawals."""

SCANS = "scans"
"""The folder of all scans."""

PUBLISHED_CATALOG = "catalog.parquet"
"""The catalog as one file, for readers of stores that cannot list a folder."""

ZARR_JSON = "zarr.json"
BLOCKS = "c/0/0/0/0"
SOURCE = "source.json"
KEPT = "source.zst"

_SCANS_OBJECT = re.compile(rf"{SCANS}/([A-Za-z0-9_][A-Za-z0-9._-]*)/([0-9a-f]{{48}})/.+")
"""Below the digest of a scan nobody but MIST writes."""

_ROWS = re.compile(rf"{CATALOG}/part-[^/]+\.parquet")
"""As Delta Lake calls files of rows."""

_RECORD = re.compile(rf"{WITHDRAWALS}/[^./][^/]*\.json")
"""Systems put hidden files of their own into folders, such as `.DS_Store`."""

_SCAN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


def scan_key(scan_id: str, digest: str, name: str) -> str:
    """The key of the object `name` (`ZARR_JSON`, `BLOCKS`, `SOURCE`, `KEPT`) of a scan."""
    return f"{scan_folder(scan_id)}/{digest}/{name}"


def scan_folder(scan_id: str) -> str:
    """The folder of all that was ever stored of a scan."""
    return f"{SCANS}/{checked_scan_id(scan_id)}"


def scan_of_key(key: str) -> tuple[str, str] | None:
    """The scan id and digest that an object's key names; None where it is not that of a scan's object."""
    match = _SCANS_OBJECT.fullmatch(key)
    return (match[1], match[2]) if match else None


def is_of_rows(key: str) -> bool:
    """Whether a key is that of a file of rows, committed or not."""
    return _ROWS.fullmatch(key) is not None


def is_record(key: str) -> bool:
    """Whether a key is that of a record of a withdrawal."""
    return _RECORD.fullmatch(key) is not None


def checked_scan_id(scan_id: str) -> str:
    """`scan_id` itself.

    Raises
    ------
    InvalidRequest
        It is not 1 to 200 of A-Z a-z 0-9 . _ - with a letter, digit or _ first.
    """
    if not _SCAN_ID.fullmatch(scan_id):
        raise InvalidRequest(f"a scan id is 1 to 200 of A-Z a-z 0-9 . _ -, not beginning with . or -, not {scan_id!r}")
    return scan_id


_BAD_KEY = re.compile(r"[\x00-\x1f\x7f\\]|#\d+$|(^|/)\.{0,2}(/|$)")
"""Control characters, backslashes, an end like `#1`, and path segments that are empty, `.` or `..`."""


def checked_key(key: str) -> str:
    """`key` itself: one that every kind of store takes, and that leads out of none.

    Raises
    ------
    InvalidRequest
        It has control characters, a backslash, an end like `#1`, or a segment that is empty, `.` or `..`.
    """
    if _BAD_KEY.search(key):
        raise InvalidRequest(f"not the key of an object: {key!r}")
    return key
