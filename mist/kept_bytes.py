"""What of a source file's body the voxels give back, and what must be kept beside them.

    body    bytes | sheet 0 | bytes | sheet 1 | bytes          what a source file holds
    kept    bytes           | bytes           | bytes          the same without what the scan's voxels give back

The rule: kept bytes and voxels together are the body, bit for bit, by construction. Where voxels predict a part of it
exactly, the part is left out; where they predict most of it, the difference is kept; elsewhere the bytes are. A sheet
is the part of a volume along y, x and c: a slice, a frame, a picture. Knows no file format and no store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mist.kept_file import KeptFile, Layout, Span
from mist.volume import Voxels

Content = bytes | memoryview
"""A body, or a part of one; of a large file that is mapped into memory, not read."""

LEAST_LIKENESS = 0.5
"""Share of equal bytes from which on the difference is kept: overlays in unused bits change few bytes, and less is
chance."""


def sheets_of(voxels: Voxels, axes: str) -> Voxels:
    """`voxels` as (sheet, y, x[, c])."""
    own = sum(axis in "yxc" for axis in axes)
    return voxels.reshape(-1, *voxels.shape[voxels.ndim - own :])


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
