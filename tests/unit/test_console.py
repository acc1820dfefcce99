from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mist.console import complain, note, progress, say, say_facts, say_json, say_table

Captured = pytest.CaptureFixture[str]

HOSTILE = "a\x1b[31mred\nb[bold]c[/bold]:warning:\udcff"
SHOWN = "a [31mred b[bold]c[/bold]:warning: "


def test_results_and_messages_go_to_streams_of_their_own(capsys: Captured) -> None:
    say("result")
    note("message")
    complain("fault")
    assert capsys.readouterr() == ("result\n", "message\nerror: fault\n")


@pytest.mark.parametrize("speak", [say, note, complain])
def test_a_line_is_one_line_and_shown_as_it_is(capsys: Captured, speak: Callable[[str], None]) -> None:
    speak(HOSTILE)
    assert "".join(capsys.readouterr()).removeprefix("error: ") == f"{SHOWN}\n"


def test_a_long_line_is_not_folded(capsys: Captured) -> None:
    say("x " * 500)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_table_has_a_title_a_header_and_a_line_for_each_row(capsys: Captured) -> None:
    say_table("Scans", [{"scan": "a", "bytes": 7}, {"scan": None, "bytes": 1000}], right=["bytes"])
    assert capsys.readouterr().out.splitlines() == [
        "Scans",
        "scan   bytes",
        "────────────",
        "a          7",
        "        1000",
    ]


def test_a_table_is_as_wide_as_it_must_be_and_ends_no_line_in_spaces(capsys: Captured) -> None:
    say_table("t", [{"name": "x" * 300, "words": "to be or not " * 20}, {"name": "", "words": ""}], folded="words")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines == [line.rstrip() for line in lines]


def test_a_table_shows_what_it_is_given_as_it_is(capsys: Captured) -> None:
    say_table("t", [{"label": HOSTILE}])
    assert capsys.readouterr().out.splitlines()[-1] == SHOWN.rstrip()


def test_a_table_without_rows_says_so_beside_the_results(capsys: Captured) -> None:
    say_table("Scans", [])
    assert capsys.readouterr() == ("", "Scans: none\n")


def test_facts_are_one_a_line(capsys: Captured) -> None:
    say_facts("scan", {"modality": "CT", "levels": 3})
    assert capsys.readouterr().out.splitlines() == ["scan", "modality   CT", "levels     3"]


def test_json_has_null_for_numbers_that_it_cannot_say(capsys: Captured) -> None:
    say_json({"a": [float("nan"), float("inf"), 1.5], "b": ({"c": float("-inf")},), "d": "NaN"})
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told == {"a": [None, None, 1.5], "b": [{"c": None}], "d": "NaN"}


def test_json_survives_names_that_are_no_text(capsys: Captured) -> None:
    say_json({"file": "a\udcff.png"})
    assert json.loads(capsys.readouterr().out) == {"file": "a\udcff.png"}


@pytest.mark.parametrize(("pieces", "lines"), [(1, 1), (7, 7), (1000, 20)])
def test_progress_without_a_terminal_is_a_few_lines(capsys: Captured, pieces: int, lines: int) -> None:
    with progress("work") as advance:
        for piece in range(1, pieces + 1):
            advance(piece, pieces, f"file {piece}")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == lines
    assert said[-1] == f"work: {pieces} of {pieces} (file {pieces})"
