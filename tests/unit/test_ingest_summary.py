from __future__ import annotations

import pytest

from mist.ingest.report import IngestReport, ScanOutcome, ScanStatus
from mist.ingest_summary import SHOWN_REFUSALS, summary, summary_json

STORED = ScanOutcome("a", "a.png", ScanStatus.STORED, "", 2000, 1000)
UNCHANGED = ScanOutcome("b", "b.png", ScanStatus.UNCHANGED, "", 500, 0)
REFUSED = ScanOutcome("", "c.png", ScanStatus.REFUSED, "c.png: the file is empty", files=("/in/c.png", "/in/d.png"))


def said(report: IngestReport, capsys: pytest.CaptureFixture[str]) -> list[str]:
    summary(report)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_table_counts_what_became_of_the_sources(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(IngestReport((STORED, UNCHANGED), skipped=3), capsys)
    assert {"stored 1", "unchanged 1", "files skipped 3"} <= set(lines)
    assert "refused 0" not in lines


def test_bytes_in_and_stored_are_those_of_the_scans_stored_now(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(IngestReport((STORED, UNCHANGED), skipped=0), capsys)
    assert lines[-1] == "2.0 kB of source files are stored in 1.0 kB, 50.0%"


def test_nothing_stored_says_nothing_of_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    assert "source files" not in "".join(said(IngestReport((UNCHANGED,), skipped=0), capsys))


def test_each_refusal_is_listed_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(IngestReport((STORED, REFUSED), skipped=0), capsys)
    assert lines[-1] == "/in/c.png and 1 more c.png: the file is empty"


def test_a_thousand_refusals_are_not_all_listed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(IngestReport((REFUSED,) * 1000, skipped=0), capsys)
    assert sum(line.startswith("/in/c.png") for line in lines) == SHOWN_REFUSALS
    assert lines[-1] == f"and {1000 - SHOWN_REFUSALS} more, which --json lists"


def test_json_has_every_scan_and_null_for_what_is_not_known() -> None:
    told = summary_json(IngestReport((STORED, REFUSED), skipped=2, skipped_files=("/in/a.txt", "/in/b.txt")))
    assert told["skipped"] == ["/in/a.txt", "/in/b.txt"]
    assert told["counts"] == {"stored": 1, "unchanged": 0, "relabelled": 0, "planned": 0, "refused": 1}
    assert (told["skipped_files"], told["source_bytes"], told["stored_bytes"]) == (2, 2000, 1000)
    assert told["scans"] == [
        {
            "scan_id": "a",
            "source": "a.png",
            "files": [],
            "status": "stored",
            "reason": None,
            "source_bytes": 2000,
            "stored_bytes": 1000,
        },
        {
            "scan_id": None,
            "source": "c.png",
            "files": ["/in/c.png", "/in/d.png"],
            "status": "refused",
            "reason": "c.png: the file is empty",
            "source_bytes": 0,
            "stored_bytes": 0,
        },
    ]
