from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mist.ingest.cluster_check import Surroundings, fault, looking

HERE = Surroundings("here", "3.11", "1.0 (5)")
THERE = replace(HERE, host="node7")


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (replace(THERE, mist=""), "node7 has no MIST; install"),
        (replace(THERE, mist="0.9 (5)"), "node7 has MIST 0.9 (5), and this machine 1.0 (5)"),
        (replace(THERE, mist="1.0 (4)"), "node7 has MIST 1.0 (4), and this machine 1.0 (5)"),
        (replace(THERE, python="3.12"), "node7 runs Python 3.12, and this machine 3.11"),
        (replace(THERE, missing=("/data/a.dcm",)), "node7 does not see /data/a.dcm; sources"),
    ],
)
def test_a_machine_that_cannot_help_is_named_with_the_reason(there: Surroundings, reason: str) -> None:
    assert re.match(re.escape(reason), fault(HERE, there))


def test_a_machine_of_the_same_kind_can_help() -> None:
    assert not fault(HERE, THERE)


def test_what_a_machine_does_not_have_is_found(tmp_path: Path) -> None:
    (tmp_path / "there").touch()

    found = Surroundings(**looking([tmp_path / "there", tmp_path / "gone"])())

    assert found.missing == (str(tmp_path / "gone"),)
    assert found.mist
