"""Codes of DICOM: what they mean stands in public vocabularies, so a code stays where it can be one of theirs.

The rule: a code value of a vocabulary that lists no persons and no places, in that vocabulary's form, stays; its
meaning is free text, and gives way to the code value. Codes of a vendor's or hospital's own (99...) go.
"""

from __future__ import annotations

import re

_UNIT = (
    r"(?:[EGMTcdfhkmnpu]?(?:A|Bq|Cel|Ci|Gy|Hz|J|K|L|N|Pa|Sv|T|V|W|a|d|deg|eV|g|h|l|m|m\[Hg\]|min|mo|mol|rad|s|wk)-?\d?"
    r"|\d{1,3}|10[*^]-?\d{1,2}|%|\[hnsf'U\]|\{(?:counts?|pixels?|ratio)\})"
)
"""A unit of UCUM that images are measured in, with prefix and exponent: any word would do for more than units."""

_FORMS = {
    "DCM": r"\d{5,6}",
    "FMA": r"\d{1,7}",
    "LN": r"\d{1,6}-\d",
    "MA": r"\d{1,7}",
    "MDC": r"\d{1,7}",
    "NCIt": r"C\d{2,7}",
    "NEU": r"\d{1,5}",
    "RADLEX": r"RID\d{1,6}",
    "SCT": r"\d{6,18}",
    "SNM3": r"[A-Z]-[0-9A-F]{4,5}",
    "SRT": r"[A-Z]-[0-9A-F]{4,5}",
    "UCUM": rf"(?:\{{SUV[a-z]{{2,5}}\}})?/?{_UNIT}(?:[./]{_UNIT}){{0,4}}",
    "UMLS": r"C\d{7}",
    "99SDM": r"[A-Z]-[0-9A-F]{4,5}",
}
"""What a code value looks like in each vocabulary (PS3.16 chapter 8); 99SDM is SNOMED's old name in DICOM."""


def is_public_code(scheme: str, value: str) -> bool:
    """Whether `value` can be a code of a public vocabulary."""
    form = _FORMS.get(scheme)
    return form is not None and re.fullmatch(form, value) is not None
