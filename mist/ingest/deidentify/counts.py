"""What a de-identification did, as numbers.

The rule: tags and actions, never values. Private and unknown elements are counted together, since their numbers are
whatever somebody chose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from mist.ingest.deidentify.table import Action

PRIVATE = "private"
"""Name of all private elements."""
UNKNOWN = "unknown"
"""Name of all elements that the standard does not have, or not with that VR."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in files and done to them."""

    actions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many elements of a tag an action was done to, by (tag, action)."""
    facts: Mapping[str, int] = field(default_factory=dict)
    """How many files something is true of, by what it is; see `mist.ingest.deidentify.risk`."""

    @classmethod
    def sum(cls, findings: Iterable[Self]) -> Self:
        """All of them together."""
        actions: Counter[tuple[str, str]] = Counter()
        facts: Counter[str] = Counter()
        for one in findings:
            actions.update(one.actions)
            facts.update(one.facts)
        return cls(dict(sorted(actions.items())), dict(sorted(facts.items())))


class Tally:
    """Elements counted as they are cleaned."""

    def __init__(self) -> None:
        self.actions: Counter[tuple[str, str]] = Counter()

    def add(self, tag: int, action: Action, *, is_standard: bool) -> None:
        """Count an element to which `action` was done."""
        group, element = tag >> 16, tag & 0xFFFF
        name = f"({group:04x},{element:04x})" if is_standard else PRIVATE if group % 2 else UNKNOWN
        self.actions[name, action.value] += 1
