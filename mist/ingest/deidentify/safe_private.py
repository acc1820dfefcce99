"""Private elements that the standard lists as safe (PS3.15 Table E.3.10-1).

The rule: only rows that are numbers or codes, of CT, MR and PET, whose value has that form; everything else that is
private goes. A text that a vendor called safe is still a text.
"""

from __future__ import annotations

from pydicom.datadict import private_dictionary_VR

_NUMBERS_AND_CODES = frozenset({"CS", "DS", "FD", "FL", "IS", "SL", "SS", "UL", "US"})

_ROWS = {
    "ELSCINT1": {0x00E1: {0x21}, 0x01E1: {0x26, 0x50}, 0x01F1: {0x01, 0x07, 0x26, 0x27}},
    "GEMS_ACQU_01": {0x0019: {0x23, 0x24, 0x27}},
    "GEMS_HELIOS_01": {0x0045: {0x01, 0x02}},
    "GEMS_PARM_01": {0x0043: {0x27, 0x39, 0x6F}},
    "GEMS_SERS_01": {0x0025: {0x07}},
    "Philips Imaging DD 001": {0x2001: {0x03, 0x04}},
    "Philips MR Imaging DD 001": {0x2005: {0x0D, 0x0E}},
    "Philips PET Private Group": {0x7053: {0x00, 0x09}},
    "SIEMENS MR HEADER": {0x0019: {0x0C, 0x0D, 0x0E, 0x27}},
}
"""Of each private creator, the elements by group, without the block that the file gave them."""


def creator_tag(tag: int) -> int:
    """Where the creator of the block of a private element stands (PS3.5 7.8.1)."""
    return tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8


def safe_vr(tag: int, creator: str, vr: str | None) -> str | None:
    """The VR of a private element of that creator, where it is safe; None where it is not, or may be a text."""
    if tag & 0xFF not in _ROWS.get(creator, {}).get(tag >> 16, ()):
        return None
    found = _listed_vr(tag, creator) if vr is None else vr
    return found if found in _NUMBERS_AND_CODES else None


def _listed_vr(tag: int, creator: str) -> str | None:
    try:
        return private_dictionary_VR(tag, creator)
    except KeyError:
        return None
