"""Values of DICOM elements, as bytes: what has the form of its VR, what takes its place, dates moved.

The rule: a value is looked at as it was stored, and never handed to a parser that might quote it. What a VR cannot hold
(PS3.5 6.2) may hide anything, and does not stay.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from pydicom.config import IGNORE
from pydicom.uid import UID

PLACEHOLDER = "REMOVED"
"""What stands where a text was."""

OLDEST_AGE = 90
"""In years: whoever is older is as old as this, since so few people are."""

MOST_TEXT = 64
"""Characters of a text that describes a technique, the most that LO can have."""

_FORMS = {
    "AS": re.compile(r"\d{3}[DWMY]"),
    "CS": re.compile(r"[A-Z0-9_ ]{0,16}"),
    "DS": re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *|"),
    "IS": re.compile(r" *[+-]?\d+ *|"),
}
"""What one value of a VR looks like."""

_TEXT = re.compile(rf"[ -~]{{0,{MOST_TEXT}}}")

_DUMMIES = {
    "AS": "000Y",
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "IS": "0",
    "TM": "000000",
    "UR": "http://removed.invalid",  # a name that nobody can own (RFC 2606 2)
}

_NUMBER_BYTES = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
"""Of VRs whose values are numbers in binary."""

_DATE = re.compile(r"(\d{4})(\.?)(\d\d)\2(\d\d)")
"""A date, or one as ACR-NEMA wrote it."""

_DATE_TIME = re.compile(r"(\d{8})((\d\d){0,3}(\.\d{1,6})?([+-]\d{4})?)")
_TIME = re.compile(r"\d\d(:?\d\d(:?\d\d(\.\d{1,6})?)?)?")


def text_of(value: bytes | None) -> str:
    """A stored value as characters, without the padding."""
    return (value or b"").decode("latin-1").strip(" \0")


def has_form(vr: str, value: bytes) -> bool:
    """Whether a stored value is what its VR allows; of numbers in binary see `has_count`."""
    form = _FORMS.get(vr)
    if form is not None:
        return all(form.fullmatch(part) for part in text_of(value).split("\\"))
    return vr in _NUMBER_BYTES or _TEXT.fullmatch(text_of(value)) is not None


def has_count(vr: str, value: bytes, most: int | None) -> bool:
    """Whether a stored value that is numbers in binary is whole ones, and no more than `most`; None: any number."""
    size = _NUMBER_BYTES.get(vr)
    return size is None or (len(value) % size == 0 and (most is None or len(value) <= most * size))


def formed(vr: str, value: bytes) -> bytes:
    """A stored CS, LO or SH with `PLACEHOLDER` for each value that its VR does not allow."""
    form = _FORMS.get(vr, _TEXT)
    return padded("\\".join(part if form.fullmatch(part) else PLACEHOLDER for part in text_of(value).split("\\")))


def dummy(vr: str) -> bytes:
    """A value of that VR which says nothing, padded to an even length."""
    if vr in _NUMBER_BYTES:
        return bytes(_NUMBER_BYTES[vr])
    if vr.startswith("O") or vr == "UN":
        return bytes(8)
    return padded(_DUMMIES.get(vr, PLACEHOLDER))


def padded(text: str, padding: bytes = b" ") -> bytes:
    """ASCII of an even length (PS3.5 6.2)."""
    encoded = text.encode("ascii")
    return encoded + padding * (len(encoded) % 2)


def age_of_many(value: bytes) -> bytes:
    """An age, and that of the many who are older than `OLDEST_AGE`."""
    age = text_of(value)
    return padded(f"{OLDEST_AGE:03d}Y") if age.endswith("Y") and int(age[:3]) > OLDEST_AGE else value


def is_well_known(uid: str) -> bool:
    """Whether a UID is the standard's own (PS3.6 Annex A), which says nothing of a patient."""
    return UID(uid, validation_mode=IGNORE).name != uid  # which is the UID itself where it has none


def shifted(vr: str, value: bytes, days_back: int) -> bytes | None:
    """Dates moved back by whole days, so that times and distances stay; None where one of them is no date."""
    parts = [_shifted_one(vr, part.strip(), days_back) for part in text_of(value).split("\\")]
    return None if None in parts else padded("\\".join(part for part in parts if part is not None))


def _shifted_one(vr: str, text: str, days_back: int) -> str | None:
    if not text:
        return ""
    if vr == "TM":
        return text if _TIME.fullmatch(text) else None
    found = (_DATE if vr == "DA" else _DATE_TIME).fullmatch(text)
    if found is None:
        return None
    day, rest = ("".join(found.group(1, 3, 4)), "") if vr == "DA" else found.group(1, 2)
    try:
        moved = date(int(day[:4]), int(day[4:6]), int(day[6:])) - timedelta(days=days_back)
    except (ValueError, OverflowError):
        return None
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}{rest}"
