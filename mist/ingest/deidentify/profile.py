"""Which of PS3.15 Annex E is done: the Basic Profile, and the options beside it.

The rule: a profile is what somebody writes, such as `basic+modified-dates`, and what the stored files say was done
(PS3.16 CID 7050). An option that MIST does not carry out is refused, never claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from mist.errors import InvalidRequest

BASIC = "basic"
"""The Basic Application Level Confidentiality Profile (PS3.15 E.2), with which every profile begins."""

_BASIC_CODE = ("113100", "Basic Application Confidentiality Profile")


class Option(StrEnum):
    """What is kept beyond the Basic Profile (PS3.15 E.3)."""

    MODIFIED_DATES = "modified-dates"
    """Dates, moved by as many days for all of a patient (E.3.6)."""
    PATIENT_CHARACTERISTICS = "patient-characteristics"
    """Age (90 and above as 90), sex, size, weight and the like, where they are numbers or codes (E.3.7)."""
    SAFE_PRIVATE = "safe-private"
    """Private elements that the standard lists as safe, where they are numbers or codes (E.3.10)."""


_CODES = {
    Option.MODIFIED_DATES: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option.PATIENT_CHARACTERISTICS: ("113108", "Retain Patient Characteristics Option"),
    Option.SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
}
"""Code values and meanings of PS3.16 CID 7050."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The Basic Profile with `options`."""

    options: frozenset[Option] = frozenset()
    """Beside the Basic Profile."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The profile that `text` names: `basic`, and options after a plus each.

        Raises
        ------
        InvalidRequest
            It names something else.
        """
        first, *names = [part.strip() for part in text.split("+")]
        unknown = [name for name in names if name not in [*Option]]
        if first != BASIC or unknown:
            raise InvalidRequest(
                f"{text!r} is no profile of de-identification: write {BASIC}, and after it any of "
                f"{', '.join(f'+{option}' for option in Option)}"
            )
        return cls(frozenset(map(Option, names)))

    def __str__(self) -> str:
        """As somebody writes it."""
        return "+".join([BASIC, *(option for option in Option if option in self.options)])

    @property
    def codes(self) -> tuple[tuple[str, str], ...]:
        """Code value and meaning of all that is done (PS3.16 CID 7050)."""
        return (_BASIC_CODE, *(_CODES[option] for option in Option if option in self.options))
