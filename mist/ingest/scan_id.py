"""What scans are called.

The rule: an id follows from the source alone, never from the order or the time of its ingest, and is safe as a part of
a URL and of an object's key. See `mist_storage.keys.checked_scan_id`.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath

from mist_storage.keys import checked_scan_id

EXTENSIONS = (".nii.gz", ".nii", ".dicom", ".dcm", ".ima", ".png", ".jpeg", ".jpg", ".tiff", ".tif", ".npy")
"""Endings that say the format and are no part of a scan's name; any other ending may be all that tells two apart."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_UNSAFE_START = re.compile(r"^[.-]+")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")

MAX_UID_CHARACTERS = 64
"""The longest UID that DICOM allows (PS3.5 chapter 9)."""

MAX_CHARACTERS = 200
"""The longest scan id: see `mist_storage.keys.checked_scan_id`."""

_KEPT = MAX_CHARACTERS - 9
"""Characters of a path that is too long which stay: `with_suffix` adds nine."""


def scan_id_of_path(path: PurePath) -> str:
    """The id of the scan in the file at `path`, which is relative to the source that the user named.

    A path that is too long for an id is cut, and has a digest of all of it in place of the rest.
    """
    text = path.as_posix()
    ending = next((ending for ending in EXTENSIONS if text.lower().endswith(ending)), "")
    safe = _UNSAFE.sub("-", text[: len(text) - len(ending)])
    scan_id = _UNSAFE_START.sub("_", safe)
    return checked_scan_id(scan_id) if len(scan_id) <= MAX_CHARACTERS else with_suffix(scan_id[:_KEPT], text)


def scan_id_of_uid(uid: str, path: PurePath) -> str:
    """The id of a DICOM object or series: its UID, or the path's where it has no UID that follows the standard."""
    if len(uid) <= MAX_UID_CHARACTERS and _UID.fullmatch(uid):
        return checked_scan_id(uid)
    return scan_id_of_path(path)


def with_suffix(scan_id: str, text: str) -> str:
    """`scan_id` with a suffix of eight hex digits that follows from `text`."""
    return checked_scan_id(f"{scan_id}-{hashlib.sha256(text.encode()).hexdigest()[:8]}")
