"""How thoroughly a stored scan is checked, and what is told of what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Depth(StrEnum):
    """How thoroughly a scan is checked; each one finds what those before it find."""

    PRESENT = "present"
    """Its objects are there: one listing of the store."""
    SIZE = "size"
    """They have their sizes: the same listing."""
    DIGEST = "digest"
    """Every byte fits its digest: all is read."""
    DECODE = "decode"
    """Every block decodes, to voxels in the scan's range."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with a stored scan."""

    scan_id: str
    level: int | None
    """The level whose bytes are bad, or None where it is the scan as a whole."""
    reason: str
    """What was found, and what should have been there."""

    def __str__(self) -> str:
        where = f"scan {self.scan_id!r}" if self.level is None else f"scan {self.scan_id!r}, level {self.level}"
        return f"{where}: {self.reason}"
