"""Private elements that the standard lists as safe (PS3.15 Table E.3.10-1).

The rule: only rows that are numbers or codes, and of them those that say how CT, MR and PET images were taken, or what
was measured in them; an element stays if the file gives it the VR of its row. Everything else that is private goes. A
text that a vendor called safe is still a text. Rows for how a workstation showed an image are left out.
"""

from __future__ import annotations

_BRAIN = "01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16"
"""Volumes of the parts of one half of a brain."""

_ROWS = (
    ("ELSCINT1", 0x00E1, "DS", "21 50"),
    ("ELSCINT1", 0x01E1, "CS", "26"),
    ("ELSCINT1", 0x01F1, "CS", "01"),
    ("ELSCINT1", 0x01F1, "DS", "07 26 27"),
    ("GEMS_ACQU_01", 0x0019, "DS", "23 24 27"),
    ("GEMS_HELIOS_01", 0x0045, "FL", "02"),
    ("GEMS_HELIOS_01", 0x0045, "SS", "01"),
    ("GEMS_PARM_01", 0x0043, "DS", "6F"),
    ("GEMS_PARM_01", 0x0043, "IS", "39"),
    ("GEMS_SERS_01", 0x0025, "SL", "07"),
    ("NQHeader", 0x0099, "FL", "10 21"),
    ("NQHeader", 0x0099, "SS", "04"),
    ("NQLeft", 0x0199, "FL", _BRAIN),
    ("NQRight", 0x0299, "FL", _BRAIN),
    ("Philips Imaging DD 001", 0x2001, "CS", "04 06 07 0B 0C 0E 10 12 19 1C 1E 1F 21 24 33 36"),
    ("Philips Imaging DD 001", 0x2001, "DS", "23 83 84 85 88 89 8A"),
    ("Philips Imaging DD 001", 0x2001, "FL", "01 03 09 11 1A 1B 22 32 39 F1 F2"),
    ("Philips Imaging DD 001", 0x2001, "IS", "02 08 0A 1D 7B 81 82 86"),
    ("Philips Imaging DD 001", 0x2001, "SL", "13 14 17 18 60"),
    ("Philips Imaging DD 001", 0x2001, "SS", "0F 15 16 2D 35"),
    ("Philips Imaging DD 001", 0x2001, "UL", "7C"),
    ("Philips Imaging DD 001", 0x2001, "US", "D2 D3 D4 D5 D6 D7 D8 D9 DB DC DD DE"),
    ("Philips MR Imaging DD 001", 0x2005, "FL", "0D 0E"),
    ("Philips PET Private Group", 0x7053, "DS", "00 09"),
    ("SIEMENS MR HEADER", 0x0019, "CS", "0D"),
    ("SIEMENS MR HEADER", 0x0019, "FD", "0E 27"),
    ("SIEMENS MR HEADER", 0x0019, "IS", "0C"),
)
"""Creator, group, VR, and the elements in hex, without the block that the file gave them."""

_VRS = {(creator, group, int(element, 16)): vr for creator, group, vr, row in _ROWS for element in row.split()}

MOST_VALUES = 6
"""Numbers in binary that an element of these rows can have: a B matrix has as many (SIEMENS MR HEADER 0019,xx27)."""


def creator_tag(tag: int) -> int:
    """Where the creator of the block of a private element stands (PS3.5 7.8.1)."""
    return tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8


def safe_vr(tag: int, creator: str, vr: str | None) -> str | None:
    """The VR of a private element of that creator, where it is safe; None where it is not, or the file says another.

    Parameters
    ----------
    vr
        What the file says; None where it is silent (Implicit VR).
    """
    listed = _VRS.get((creator, tag >> 16, tag & 0xFF))
    return listed if vr in (None, listed) else None
