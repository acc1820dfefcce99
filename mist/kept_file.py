"""A source file of a scan: how it comes back from the voxels and what is kept beside them.

The rule: a description, which is stored. What it describes is made and undone by `mist.kept_bytes`. Knows no file
format and no store.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from mist.codec import Json
from mist.errors import InvalidRequest
from mist.json_value import flag, items, text, whole
from mist.kept_wrapping import Wrapping
from mist.volume import Voxels

SAMPLE_TYPES = frozenset(order + kind for order in "<>" for kind in ("i1", "i2", "i4", "i8", "f2", "f4", "f8"))
"""How samples may lie in a body, as NumPy spells it. The bits of an integer are the same with and without a sign."""


_UNSAFE_NAME = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]|^[A-Za-z]:|(^|/)\.{0,2}(/|$)")
"""Control characters, backslashes, bytes that are no UTF-8, drive letters, and path segments that are empty, `.` or
`..`."""


def is_portable_name(name: str) -> bool:
    """Whether a path, with `/` between parts, is one of a file below a folder on every system."""
    return _UNSAFE_NAME.search(name) is None


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of a sheet lie in a body.

    Raises
    ------
    InvalidRequest
        There is no such type.
    """

    type: str
    """One of `SAMPLE_TYPES`."""
    planar: bool = False
    """Whether the colours lie one after the other, not side by side."""

    def __post_init__(self) -> None:
        if self.type not in SAMPLE_TYPES:
            raise InvalidRequest(f"samples lie as one of {', '.join(sorted(SAMPLE_TYPES))}, not {self.type!r}")

    def lay(self, sheet: Voxels) -> bytes:
        """The bytes of a sheet (y, x[, c])."""
        turned = np.moveaxis(sheet, -1, 0) if self.planar and sheet.ndim == 3 else sheet  # (c, y, x)
        return np.ascontiguousarray(turned, dtype=self.type).tobytes()


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a body that sheets predict."""

    offset: int
    """Where in the body it begins."""
    sheet: int
    """The first of its sheets."""
    count: int
    """How many sheets, which lie one after the other in the volume and in the body."""
    is_exact: bool
    """Whether they are equal to the body, and nothing is kept; otherwise the difference (exclusive or) is."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """How a source file comes back."""

    name: str
    """Its path below the folder that holds all files of the scan, with `/` between parts."""
    bytes: int
    """Its size."""
    sha256: str
    """SHA-256 of its content, as 64 hex digits."""
    wrapping: Wrapping
    """What made the body from the file."""
    body_bytes: int
    """Size of the body."""
    body_sha256: str
    """SHA-256 of the body; the file's own where nothing was unwrapped."""
    layout: Layout
    """How sheets lie in the body."""
    spans: tuple[Span, ...]
    """What the voxels predict, in the order of the body, without overlap."""

    def kept_bytes(self, sheet_samples: int) -> int:
        """How much is kept of the body, where a sheet has so many samples."""
        sheet_bytes = sheet_samples * np.dtype(self.layout.type).itemsize
        return self.body_bytes - sum(span.count * sheet_bytes for span in self.spans if span.is_exact)

    def to_json(self) -> dict[str, Json]:
        """The file as JSON."""
        return {
            "name": self.name,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "wrapping": self.wrapping.value,
            "body_bytes": self.body_bytes,
            "body_sha256": self.body_sha256,
            "type": self.layout.type,
            "planar": self.layout.planar,
            "spans": [[span.offset, span.sheet, span.count, span.is_exact] for span in self.spans],
        }

    @classmethod
    def from_json(cls, value: object) -> KeptFile:
        """The file that `to_json` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is none.
        """
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is no object")
        return cls(
            name=text(value["name"]),
            bytes=whole(value["bytes"]),
            sha256=text(value["sha256"]),
            wrapping=Wrapping(text(value["wrapping"])),
            body_bytes=whole(value["body_bytes"]),
            body_sha256=text(value["body_sha256"]),
            layout=Layout(text(value["type"]), flag(value["planar"])),
            spans=tuple(_span(items(span)) for span in items(value["spans"])),
        )


def _span(numbers: list[object]) -> Span:
    offset, sheet, count, is_exact = numbers
    return Span(whole(offset), whole(sheet), whole(count), flag(is_exact))
