"""What an ingest did, as a table and as JSON."""

from __future__ import annotations

from contextlib import suppress

from mist.console import note, say, say_table, size
from mist.errors import MistError
from mist.ingest.commits import Stopped
from mist.ingest.report import IngestReport, ScanOutcome, ScanStatus
from mist_storage.catalog import published_version
from mist_storage.delta_log import log_versions
from mist_storage.store import open_store

SHOWN_REFUSALS = 50
"""Refusals listed in the table; `--json` has them all."""


def summary(report: IngestReport) -> None:
    """Print how many scans became what, bytes in and stored, and each refusal with its reason."""
    counts = {status.value: report.count(status) for status in ScanStatus}
    rows = [{"outcome": name, "scans": count} for name, count in counts.items() if count]
    say_table("Ingest", [*rows, {"outcome": "files skipped", "scans": report.skipped}], right=["scans"])
    stored = [outcome for outcome in report.outcomes if outcome.status is ScanStatus.STORED]
    if stored:
        source, kept = sum(outcome.source_bytes for outcome in stored), report.stored_bytes
        say(f"{size(source)} of source files are stored in {size(kept)}, {kept / max(source, 1):.1%}")
    refused = report.refused
    if refused:
        say()
        shown = [{"source": _found_at(outcome), "reason": outcome.reason} for outcome in refused[:SHOWN_REFUSALS]]
        say_table("Refused", shown, folded="reason")
    if len(refused) > SHOWN_REFUSALS:
        say(f"and {len(refused) - SHOWN_REFUSALS} more, which --json lists")
    for outcome in report.noted[:SHOWN_REFUSALS]:
        note(f"{outcome.source}: {outcome.reason}")


def _found_at(outcome: ScanOutcome) -> str:
    """Where the files of a source lie, in few words: an archive has many files of one name."""
    if not outcome.files:
        return outcome.source
    first, more = outcome.files[0], len(outcome.files) - 1
    return f"{first} and {more} more" if more else first


def note_stopped(stopped: Stopped) -> None:
    """Say what an ingest that did not come to its end has done, and that it can go on; nothing where it has nothing."""
    if stopped.rows:
        are = "scan is" if stopped.rows == 1 else "scans are"
        note(f"{stopped.rows} {are} stored and committed; run the same command again, and it goes on from there")
    if stopped.fault:
        note(f"what else was done could not be committed, and will be done again: {stopped.fault}")


def note_published_version(dataset_url: str) -> None:
    """Say so where readers without a list of the store go on seeing an older version; in silence where it fails."""
    store = open_store(dataset_url)
    with suppress(MistError):  # the ingest is done
        published = published_version(store)
        if published not in (None, newest := log_versions(store)[-1]):
            note(f"version {published} is published and stays so; `mist publish` shows everybody version {newest}")


def summary_json(report: IngestReport) -> dict[str, object]:
    """The same, with every scan."""
    return {
        "counts": {status.value: report.count(status) for status in ScanStatus},
        "skipped_files": report.skipped,
        "skipped": [*report.skipped_files],
        "source_bytes": report.source_bytes,
        "stored_bytes": report.stored_bytes,
        "scans": [_as_json(outcome) for outcome in report.outcomes],
    }


def _as_json(outcome: ScanOutcome) -> dict[str, object]:
    return {
        "scan_id": outcome.scan_id or None,
        "source": outcome.source,
        "files": [*outcome.files],
        "status": outcome.status.value,
        "reason": outcome.reason or None,
        "source_bytes": outcome.source_bytes,
        "stored_bytes": outcome.stored_bytes,
    }
