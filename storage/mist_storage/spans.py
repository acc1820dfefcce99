"""Spans of bytes of an object: where blocks lie, and which of them are fetched together.

The rule: numbers only; what is decided here is fetched elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mist.block_table import entry_length

Span = tuple[int, int]
"""Bytes [start, stop) of an object."""


def coalesce(spans: Sequence[Span], max_gap_bytes: int) -> list[Span]:
    """Sorted, disjoint spans [start, stop) joined wherever no more than `max_gap_bytes` lie between two of them."""
    joined: list[Span] = []
    for start, stop in spans:
        if joined and start - joined[-1][1] <= max_gap_bytes:
            joined[-1] = joined[-1][0], stop
        else:
            joined.append((start, stop))
    return joined


def table_spans(entries: Sequence[bytes | memoryview], start: int) -> list[Span]:
    """Where the blocks of consecutive entries of a block table lie, the first at `start`."""
    spans = []
    for entry in entries:
        stop = start + entry_length(entry)
        spans.append((start, stop))
        start = stop
    return spans


def cut(spans: Sequence[Span], ranges: Sequence[Span], parts: Sequence[bytes | memoryview]) -> Iterator[memoryview]:
    """Each of `spans` out of the `parts` that hold the `ranges` into which they were coalesced."""
    at = 0
    for start, stop in spans:
        while start >= ranges[at][1]:
            at += 1
        first = ranges[at][0]
        yield memoryview(parts[at])[start - first : stop - first]
