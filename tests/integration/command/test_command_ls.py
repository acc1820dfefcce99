"""`mist ls` and `mist info`: what they print, and how they fail."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.command_line import Done, Mist
from tests.labelled_sources import SPACING


class TestLs:
    """What a dataset holds."""

    def test_scans_are_listed_with_their_labels(self, mist: Mist, dataset: Path) -> None:
        shown = mist("ls", dataset).output.splitlines()
        assert shown[0] == f"{dataset}, version 0"
        assert shown[1].split() == [
            "scan_id",
            "axes",
            "shape",
            "spacing_mm",
            "dtype",
            "levels",
            "stored",
            "age",
            "score",
        ]
        assert [line.split()[0] for line in shown[3:]] == ["mr", "mr-mask", "xr0", "xr1"]

    def test_a_condition_chooses(self, mist: Mist, dataset: Path) -> None:
        assert "age > 55" not in mist("ls", dataset, "--where", "age > 55").output
        assert ids(mist("ls", dataset, "--where", "age > 55 AND dtype = 'uint8'", "--json")) == ["xr1"]

    def test_a_limit_tells_how_many_are_left(self, mist: Mist, dataset: Path) -> None:
        shown = mist("ls", dataset, "--limit", 1)
        assert len(shown.output.splitlines()) == 4
        assert shown.messages == "3 more scans; --limit shows them\n"

    def test_nothing_found_is_no_failure(self, mist: Mist, dataset: Path) -> None:
        shown = mist("ls", dataset, "--where", "age > 500")
        assert (shown.code, shown.output) == (0, "")
        assert shown.messages.endswith(": none\n")
        assert json.loads(mist("ls", dataset, "--where", "age > 500", "--json").output) == []

    def test_a_number_that_json_lacks_is_null(self, mist: Mist, dataset: Path) -> None:
        scans = json.loads(mist("ls", dataset, "--json").output)
        assert [scan["labels"]["score"] for scan in scans if scan["scan_id"].startswith("xr")] == [0.5, None]

    @pytest.mark.parametrize("condition", ["age >", "colour = 'red'", "age; DROP TABLE x", ""])
    def test_a_condition_that_is_none_is_one_line(self, mist: Mist, dataset: Path, condition: str) -> None:
        assert "condition" in mist("ls", dataset, "--where", condition).error


def ids(done: Done) -> list[str]:
    return [scan["scan_id"] for scan in json.loads(done.output)]


class TestInfo:
    """What is known of one scan."""

    def test_a_scan_and_its_levels_are_told(self, mist: Mist, dataset: Path) -> None:
        shown = mist("info", dataset, "mr").output
        assert re.search(r"^spacing_mm +2 x 1 x 0.5$", shown, re.MULTILINE)
        assert re.search(r"^mask +mr-mask$", shown, re.MULTILINE)
        assert re.search(r"^1 +12 x 24 x 32 +2 x 2 x 1 +\d+ +\d+\.\d%$|^1 +12 x 48 x 32 +", shown, re.MULTILINE)

    def test_json_tells_what_each_level_costs(self, mist: Mist, dataset: Path) -> None:
        told = json.loads(mist("info", dataset, "mr", "--json").output)
        costs = [level["end_byte"] for level in told["levels"]]
        assert told["spacing_mm"] == list(SPACING)
        assert costs == sorted(costs, reverse=True)
        assert told["levels"][0]["shape"] == [12, 48, 64]
