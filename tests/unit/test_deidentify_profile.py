from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from mist.errors import InvalidRequest
from mist.ingest.deidentify.profile import Option, Profile


def test_a_profile_is_read_and_written_in_one_order() -> None:
    assert str(Profile.parse("basic+safe-private+modified-dates")) == "basic+modified-dates+safe-private"


def test_codes_and_meanings_are_those_of_the_context_group() -> None:
    group = {code.value: code.meaning for code in (getattr(codes.cid7050, name) for name in codes.cid7050.dir())}
    assert len(group) == 13
    assert all(group[value] == meaning for value, meaning in Profile(frozenset(Option)).codes)


def test_a_profile_says_what_is_done_in_the_codes_of_the_standard() -> None:
    profile = Profile(frozenset(Option))
    assert [value for value, _ in profile.codes] == ["113100", "113107", "113108", "113111"]


@pytest.mark.parametrize("text", ["", "Basic", "basic+", "basic+clean-pixels", "modified-dates"])
def test_what_is_no_profile_is_refused_with_all_that_are(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"basic.*\+modified-dates, \+patient-characteristics, \+safe-private"):
        Profile.parse(text)
