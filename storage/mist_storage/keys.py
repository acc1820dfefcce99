"""The keys of a dataset's objects, relative to the dataset's address.

The rule: every key is made here and nowhere else. A scan's objects lie under its id and a digest of what they hold, so
they never change once written.
"""

from __future__ import annotations

import re

from mist.errors import InvalidRequest

CATALOG = "catalog"
"""The folder of the Delta Lake table."""

PUBLISHED_CATALOG = "catalog.parquet"
"""The catalog as one file, for readers of stores that cannot list a folder."""

ZARR_JSON = "zarr.json"
BLOCKS = "c/0/0/0/0"
SOURCE = "source.json"
KEPT = "source.zst"

_SCAN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


def scan_key(scan_id: str, digest: str, name: str) -> str:
    """The key of the object `name` (`ZARR_JSON`, `BLOCKS`, `SOURCE`, `KEPT`) of a scan."""
    return f"scans/{checked_scan_id(scan_id)}/{digest}/{name}"


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
