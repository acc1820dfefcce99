"""What becomes of each DICOM element: PS3.15 Table E.1-1, and a default that is no.

No library did all of Annex E when this was written. dicom-anonymizer 2.1 (BSD, maintained) carries Table E.1-1 of the
edition 2026c, taken from the standard's page by a script; but it applies most rows to the top of a dataset only, so
that a name in a nested sequence stays, puts a fixed date where one should be removed, gives random UIDs, and knows no
options. dicognito and deid go by lists of their own. So the table is dicom-anonymizer's, read by the name of its
edition, and the engine is ours. A new edition is a change of `EDITION`.

The rule: the table says what goes; what it does not list stays only if it cannot say much. A standard element of
numbers, codes or UIDs stays, in the form that its VR has. Of text, only what describes the technique does. Whatever
else - private, unknown, of another VR than the standard's, of opaque bytes - goes. Where the table gives a choice by
the type of the attribute (X/Z/D), the last is taken: a dummy suits all types. Knows no values.
"""

from __future__ import annotations

from enum import StrEnum

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from pydicom.datadict import dictionary_has_tag, dictionary_VM, dictionary_VR, tag_for_keyword

from mist.ingest.deidentify.profile import Option, Profile

EDITION = "2026c"
"""The edition of PS3.15 whose Table E.1-1 is taken."""


class Action(StrEnum):
    """What becomes of an element."""

    KEEP = "kept"
    """It stays, if its value has the form that its VR has (PS3.5 6.2); K in the table."""
    REMOVE = "removed"
    """X in the table."""
    EMPTY = "emptied"
    """Z in the table."""
    DUMMY = "replaced"
    """D in the table: a value that says nothing."""
    UID = "uid"
    """U in the table: another UID, the same for the same one."""
    SHIFT = "shifted"
    """C of the option for modified dates."""
    PSEUDONYM = "pseudonym"
    """The patient's name and number, which the table lets be empty or dummies: one that follows from the key."""
    DESCEND = "cleaned"
    """A sequence, item by item; U* in the table."""


_RESOLVED = {
    "D_TAGS": Action.DUMMY,
    "Z_TAGS": Action.EMPTY,
    "X_TAGS": Action.REMOVE,
    "U_TAGS": Action.UID,
    "Z_D_TAGS": Action.DUMMY,
    "X_Z_TAGS": Action.EMPTY,
    "X_D_TAGS": Action.DUMMY,
    "X_Z_D_TAGS": Action.DUMMY,
    "X_Z_U_STAR_TAGS": Action.DESCEND,
}
"""Of the library's lists, what is done; see the module's rule."""


def _listed() -> dict[int, Action]:
    """Table E.1-1 by tag; its rows of curves and overlays are `_GRAPHICS`."""
    lists = dicom_anonymization_database_selector(f"dicomfields_{EDITION}")
    return {row[0] << 16 | row[1]: action for name, action in _RESOLVED.items() for row in lists[name] if len(row) == 2}


TABLE = _listed()
"""Table E.1-1: an action for each tag."""


def _tags(*keywords: str) -> frozenset[int]:
    return frozenset(int(tag) for tag in map(tag_for_keyword, keywords) if tag is not None)


_GRAPHICS = frozenset({0x50, 0x60})
"""Groups (5000 to 50FF, 6000 to 60FF) of curves and overlays; without their data the rest of them means nothing."""

_PSEUDONYMS = _tags("PatientID", "PatientName")

_WRITTEN_ANEW = _tags(
    "SpecificCharacterSet",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)
"""What the cleaned object says for itself. What it keeps is ASCII, which needs no character set."""

_CHARACTERISTICS = _tags(
    "PatientAge", "PatientSex", "PatientSize", "PatientWeight", "SmokingStatus", "PregnancyStatus", "PatientSexNeutered"
)
"""K of the option for patient characteristics, where a value is a number or a code; texts among them cannot be cleaned
by a program, which is what their C asks for."""

TECHNICAL_TEXT = _tags(
    "Manufacturer",
    "ManufacturerModelName",
    "SequenceName",
    "PulseSequenceName",
    "ImagedNucleus",
    "ConvolutionKernel",
    "FilterType",
    "ReceiveCoilName",
    "TransmitCoilName",
    "RescaleType",
    "ModalityLUTType",
    "AttenuationCorrectionMethod",
    "ReconstructionMethod",
    "ScatterCorrectionMethod",
    "CodeValue",
    "CodingSchemeDesignator",
    "CodeMeaning",
)
"""Text that the table does not list and that describes the technique. Codes are looked at by themselves."""

PALETTES = _tags(
    *(f"{kind}{colour}PaletteColorLookupTableData" for kind in ("", "Segmented") for colour in ("Red", "Green", "Blue"))
)
"""The colours of an image whose samples are indices."""

BULK = PALETTES | _tags(
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "LUTData",
)
"""Bytes without which there is no image; where there is none, they say something else."""

_BIRTH_GROUP = 0x0010
"""Its dates are the patient's own, which no option keeps."""

TEXT_VRS = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_DATE_VRS = frozenset({"DA", "DT", "TM"})

_DATES_THAT_GO = _tags("GPSTimeStamp")
"""Dates and times that the column for modified dates leaves to the Basic Profile."""


def standard_vr(tag: int, vr: str | None) -> str | None:
    """The VR that an element has by the standard, or None where it has none, or the file gives it another.

    Parameters
    ----------
    vr
        What the file says; None where it is silent (Implicit VR).
    """
    if not dictionary_has_tag(tag):
        return None
    possible = dictionary_VR(tag).split(" or ")
    if vr is None or vr == "UN" or " or " in vr:  # UN: written by something that did not know the element (PS3.5 6.2.2)
        return next((one for one in possible if one in _BULK_VRS), possible[0])
    return vr if vr in possible else None


def most_values(tag: int) -> int | None:
    """How many values a standard element has at the most; None where the standard sets no limit."""
    last = dictionary_VM(tag).split(" or ")[-1].split("-")[-1]
    return int(last) if last.isdigit() else None


def action_of(tag: int, vr: str | None, profile: Profile) -> Action:
    """What becomes of a standard element of that VR; see `standard_vr`. Private elements go."""
    group, element = tag >> 16, tag & 0xFFFF
    if vr is None or group < 0x0008 or group % 2 or group >> 8 in _GRAPHICS or element == 0 or tag in _WRITTEN_ANEW:
        return Action.REMOVE
    if tag in _PSEUDONYMS:
        return Action.PSEUDONYM
    if tag in _CHARACTERISTICS and Option.PATIENT_CHARACTERISTICS in profile.options:
        return Action.KEEP
    if tag in TABLE:
        return Action.SHIFT if _is_shifted(tag, vr, profile) else _by_vr(TABLE[tag], vr)
    return _unlisted(tag, vr)


def _is_shifted(tag: int, vr: str, profile: Profile) -> bool:
    """Whether a listed element is a date that stays, moved.

    The column for modified dates has the same rows, and besides them the time zone, timestamps in opaque bytes and the
    last menstrual date, which go here.
    """
    is_date = vr in _DATE_VRS and tag >> 16 != _BIRTH_GROUP and tag not in _DATES_THAT_GO
    return is_date and Option.MODIFIED_DATES in profile.options


def _by_vr(action: Action, vr: str) -> Action:
    """A row's action on an element of that VR."""
    if vr == "UI" and action is Action.DUMMY:
        return Action.UID
    return Action.REMOVE if action is Action.UID and vr != "UI" else action


def _unlisted(tag: int, vr: str) -> Action:
    """What becomes of a standard element that the table does not list."""
    if vr == "SQ":
        return Action.DESCEND
    if vr == "UI":
        return Action.UID
    if vr in _DATE_VRS or (vr in _BULK_VRS and tag not in BULK) or vr in ("AE", "PN", "UR", "NONE"):
        return Action.REMOVE
    if vr in TEXT_VRS and tag not in TECHNICAL_TEXT:
        return Action.DUMMY
    return Action.KEEP
