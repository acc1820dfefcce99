"""A source file as what the voxels do not say, and back.

    body    bytes | sheet 0 | bytes | sheet 1 | bytes          what a source file holds
    kept    bytes           | bytes           | bytes          the same without what the scan's voxels give back

The rule: kept bytes and voxels together are the body, bit for bit, by construction. Where voxels predict a part of it
exactly, the part is left out; where they predict most of it, the difference is kept; elsewhere the bytes are. A sheet
is the part of a volume along y, x and c: a slice, a frame, a picture. Knows no file format and no store.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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


def sheets_of(voxels: Voxels, axes: str) -> Voxels:
    """`voxels` as (sheet, y, x[, c])."""
    own = sum(axis in "yxc" for axis in axes)
    return voxels.reshape(-1, *voxels.shape[voxels.ndim - own :])


Content = bytes | memoryview
"""A body, or a part of one; of a large file that is mapped into memory, not read."""


def spans_of(body: Content, layout: Layout, sheets: Voxels, places: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
    """The parts of `body` that sheets predict.

    Parameters
    ----------
    places
        Where in the body a sheet should lie, and which, in the order of the body. What is not there, or bears no
        likeness, is left out.
    """
    found: list[Span] = []
    for offset, sheet in places:
        predicted = layout.lay(sheets[sheet])
        likeness = _likeness(body, offset, predicted)
        if likeness < LEAST_LIKENESS:
            continue
        span = Span(offset, sheet, 1, likeness == 1)
        if found and _continues(found[-1], span, len(predicted)):
            found[-1] = Span(found[-1].offset, found[-1].sheet, found[-1].count + 1, span.is_exact)
        else:
            found.append(span)
    return tuple(found)


LEAST_LIKENESS = 0.5
"""Share of equal bytes from which on the difference is kept: overlays in unused bits change few bytes, and less is
chance."""


def kept_of(body: Content, file: KeptFile, sheets: Voxels) -> bytes:
    """What must be kept of `body` beside the voxels; the inverse is `restored_body`."""
    parts: list[Content] = []
    at = 0
    for offset, predicted, is_exact in _predictions(file, sheets):
        parts.append(body[at:offset])
        at = offset + len(predicted)
        if not is_exact:
            parts.append(_difference(body[offset:at], predicted))
    return b"".join((*parts, body[at:]))


def restored_body(kept: memoryview, file: KeptFile, sheets: Voxels) -> bytes:
    """The body that `kept` was made of.

    Raises
    ------
    ValueError
        Kept bytes and voxels are not those of such a body.
    """
    body = b"".join(_restored_parts(kept, file, sheets))
    if len(body) != file.body_bytes:
        raise ValueError(f"{len(body)} bytes come back, not {file.body_bytes}")
    return body


def comes_back(body: Content, kept: memoryview, file: KeptFile, sheets: Voxels) -> bool:
    """Whether `restored_body` gives `body`, byte for byte; it is never there a second time."""
    at = 0
    try:
        for part in _restored_parts(kept, file, sheets):
            if _likeness(body, at, part) != 1 and len(part):
                return False
            at += len(part)
    except ValueError:
        return False
    return at == len(body)


def _restored_parts(kept: memoryview, file: KeptFile, sheets: Voxels) -> Iterator[Content]:
    at = taken = 0
    for offset, predicted, is_exact in _predictions(file, sheets):
        end = taken + offset - at
        yield kept[taken:end]
        yield predicted if is_exact else _difference(kept[end : end + len(predicted)], predicted)
        taken, at = end + (0 if is_exact else len(predicted)), offset + len(predicted)
    yield kept[taken:]


def _predictions(file: KeptFile, sheets: Voxels) -> Iterator[tuple[int, bytes, bool]]:
    """Offset and bytes of each sheet in the body, and whether it is exact."""
    end = 0
    for span in file.spans:
        if span.offset < end or span.count < 1 or not 0 <= span.sheet <= len(sheets) - span.count:
            raise ValueError(f"{span} does not fit {len(sheets)} sheets and what comes before it")
        end = span.offset
        for sheet in sheets[span.sheet : span.sheet + span.count]:
            predicted = file.layout.lay(sheet)
            yield end, predicted, span.is_exact
            end += len(predicted)


def _continues(span: Span, following: Span, sheet_bytes: int) -> bool:
    """Whether two spans are one."""
    is_next = following.sheet == span.sheet + span.count
    is_adjacent = following.offset == span.offset + span.count * sheet_bytes
    return is_next and is_adjacent and following.is_exact == span.is_exact


def _likeness(body: Content, offset: int, predicted: Content) -> float:
    """The share of bytes in which a part of `body` equals what is `predicted`; 0 where the body ends before."""
    end = offset + len(predicted)
    if not 0 <= offset < end <= len(body):
        return 0.0
    found = np.frombuffer(body, np.uint8, len(predicted), offset)
    equal = int(np.count_nonzero(found == np.frombuffer(predicted, np.uint8)))
    return equal / len(predicted)


def _difference(some: Content, other: bytes) -> bytes:
    if len(some) != len(other):
        raise ValueError(f"{len(some)} bytes are kept where {len(other)} must be")
    return np.bitwise_xor(np.frombuffer(some, np.uint8), np.frombuffer(other, np.uint8)).tobytes()


def _span(numbers: list[object]) -> Span:
    offset, sheet, count, is_exact = numbers
    return Span(whole(offset), whole(sheet), whole(count), flag(is_exact))
