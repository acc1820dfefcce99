from __future__ import annotations

import pytest

from mist.block_table import table_entry
from mist_storage.spans import coalesce, cut, table_spans


@pytest.mark.parametrize(
    ("spans", "joined"),
    [
        ([], []),
        ([(0, 5)], [(0, 5)]),
        ([(0, 5), (5, 9)], [(0, 9)]),
        ([(0, 5), (15, 20)], [(0, 20)]),
        ([(0, 5), (16, 20)], [(0, 5), (16, 20)]),
        ([(0, 5), (7, 9), (30, 31), (40, 50)], [(0, 9), (30, 50)]),
    ],
)
def test_spans_no_further_apart_than_the_gap_are_joined(
    spans: list[tuple[int, int]], joined: list[tuple[int, int]]
) -> None:
    assert coalesce(spans, 10) == joined


def test_the_entries_of_a_block_table_say_where_blocks_lie() -> None:
    entries = [table_entry(bytes(length)) for length in (3, 0, 5)]
    assert table_spans(entries, 100) == [(100, 103), (103, 103), (103, 108)]


def test_spans_are_cut_out_of_the_ranges_that_were_fetched() -> None:
    spans, data = [(2, 4), (5, 9), (30, 31)], bytes(range(40))
    ranges = coalesce(spans, 3)
    parts = [data[start:stop] for start, stop in ranges]
    assert [bytes(part) for part in cut(spans, ranges, parts)] == [data[start:stop] for start, stop in spans]
