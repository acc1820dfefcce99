"""What scans are called.

The rule: an id follows from the source alone, never from the order or the time of its ingest, and is safe as a part of
a URL and of an object's key. See `mist_storage.keys.checked_scan_id`. What an id cannot say of a name, letters of other
scripts, is in a digest behind it, so that other names are other scans.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePath

from mist_storage.keys import checked_scan_id

EXTENSIONS = (".nii.gz", ".nii", ".dicom", ".dcm", ".ima", ".png", ".jpeg", ".jpg", ".tiff", ".tif", ".npy")
"""Endings that say the format and are no part of a scan's name; any other ending may be all that tells two apart."""

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_UNSAFE_START = re.compile(r"^[.-]+")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")

MAX_UID_CHARACTERS = 64
"""The longest UID that DICOM allows (PS3.5 chapter 9)."""

MAX_CHARACTERS = 200
"""The longest scan id: see `mist_storage.keys.checked_scan_id`."""

DIGEST_DIGITS = 8
"""Hex digits that tell apart what else would have one id: few things do."""

NAME_DIGITS = 12
"""Hex digits in place of letters that an id cannot have: of a hundred thousand names that have no others, two are alike
once in fifty thousand times."""


def scan_id_of_path(path: PurePath) -> str:
    """The id of the scan in the file at `path`, which is relative to the source that the user named.

    A path that is too long for an id is cut, and has a digest of all of it in place of the rest. Letters with accents
    lose them and letters of other scripts become `-`; a digest of the name, however its accents are encoded, follows.
    """
    text = unicodedata.normalize("NFC", path.as_posix())
    ending = next((ending for ending in EXTENSIONS if text.lower().endswith(ending)), "")
    name = text[: len(text) - len(ending)]
    scan_id = _UNSAFE_START.sub("_", _UNSAFE.sub("-", _in_ascii(name)))
    if not name.isascii():
        return with_suffix(scan_id[: MAX_CHARACTERS - 1 - NAME_DIGITS], name, NAME_DIGITS)
    if len(scan_id) > MAX_CHARACTERS:
        return with_suffix(scan_id[: MAX_CHARACTERS - 1 - DIGEST_DIGITS], text)
    return checked_scan_id(scan_id)


def _in_ascii(name: str) -> str:
    """`name` with what ASCII has for a character: its letter without accents, its digit; `-` for others in a row."""
    letters = (letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return _BEYOND_ASCII.sub("-", "".join(letters))


def scan_id_of_uid(uid: str, path: PurePath) -> str:
    """The id of a DICOM object or series: its UID, or the path's where it has no UID that follows the standard."""
    if len(uid) <= MAX_UID_CHARACTERS and _UID.fullmatch(uid):
        return checked_scan_id(uid)
    return scan_id_of_path(path)


def with_suffix(scan_id: str, text: str, digits: int = DIGEST_DIGITS) -> str:
    """`scan_id` with a suffix of so many hex digits that follows from `text`."""
    return checked_scan_id(f"{scan_id}-{hashlib.sha256(text.encode()).hexdigest()[:digits]}")
