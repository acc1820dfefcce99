from __future__ import annotations

import pytest

from mist.ingest.deidentify.safe_private import safe_vr


@pytest.mark.parametrize(
    ("tag", "creator", "vr"),
    [
        (0x00E11050, "ELSCINT1", "DS"),
        (0x01E11050, "ELSCINT1", None),
        (0x00431027, "GEMS_PARM_01", None),
        (0x0019100C, "SIEMENS MR HEADER", "IS"),
        (0x0019110C, "SIEMENS MR HEADER", "IS"),
        (0x20011081, "Philips Imaging DD 001", "IS"),
        (0x20011050, "Philips Imaging DD 001", None),
        (0x70531009, "Philips PET Private Group", "DS"),
        (0x70531009, "Another Group", None),
    ],
)
def test_an_element_is_safe_by_its_creator_group_and_number(tag: int, creator: str, vr: str | None) -> None:
    assert safe_vr(tag, creator, None) == vr


def test_an_element_of_which_the_file_says_another_vr_is_not_safe() -> None:
    assert (safe_vr(0x70531009, "Philips PET Private Group", "LO"), safe_vr(0x70531009, "", "DS")) == (None, None)
