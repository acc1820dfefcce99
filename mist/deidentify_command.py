"""De-identification on the command line: the options of `mist ingest`, and the commands for keys and reports.

The rule is that of `mist.command`: parse, call one part, print. A key is named by its file, never given as an argument,
which any process of the machine could read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from mist.console import note, say, say_facts, say_table
from mist.errors import InvalidRequest
from mist.ingest.deidentify.file import Deidentification
from mist.ingest.deidentify.key import Key, make_key
from mist.ingest.deidentify.private_file import map_file, report_file
from mist.ingest.deidentify.profile import Profile
from mist.ingest.deidentify.report import check_report, elements_by_action, signed_report
from mist.ingest.report import IngestReport
from mist_storage.address import Address


def deidentification_of(profile: str | None, key: Path | None, *, accepts_burned_in: bool) -> Deidentification | None:
    """What the options ask for; None where they do not ask for de-identification.

    Raises
    ------
    InvalidRequest
        One of them lacks another one.
    """
    if profile is None:
        if key is not None or accepts_burned_in:
            raise InvalidRequest("--deidentify-key and --accept-burned-in go with --deidentify PROFILE; give that too")
        return None
    wanted = Profile.parse(profile)
    if key is None:
        raise InvalidRequest(
            "--deidentify needs --deidentify-key FILE, from which pseudonyms follow; make one with `mist new-key FILE`"
        )
    return Deidentification(wanted, Key.read(key), accepts_burned_in)


def require_outside(dataset_url: str, files: dict[str, Path | None], settings: Deidentification | None) -> None:
    """Refuse files that belong to de-identification where there is none, that would lie in the dataset, or are one.

    Parameters
    ----------
    files
        Files by the option that names them.
    """
    address = Address.parse(dataset_url)
    taken: dict[Path, str] = {}
    for option, file in files.items():
        if file is None:
            continue
        if settings is None:
            raise InvalidRequest(f"{option} goes with --deidentify PROFILE; give that too, or leave it out")
        if address.holds(file):
            raise InvalidRequest(f"{option} names a file in the dataset, which others read; give a place outside of it")
        if (other := taken.setdefault(file.resolve(), option)) != option:
            raise InvalidRequest(f"{other} and {option} name one file, and one would overwrite the other; give two")


def require_writable(report: Path | None, private_map: Path | None) -> None:
    """Refuse files that could not be written when the work is done."""
    for file in (report and report_file(report), private_map and map_file(private_map)):
        if file:
            file.require_writable()


def reported(report: IngestReport, settings: Deidentification) -> dict[str, object]:
    """The signed report of an ingest."""
    return dict(signed_report(report, settings, datetime.now(UTC).isoformat(timespec="seconds")))


def write_report(signed: Mapping[str, object] | None, file: Path | None) -> None:
    """Write a signed report to `file`, where there is one of both."""
    if signed is not None and file is not None:
        report_file(file).write(_json(signed))


def summary(signed: Mapping[str, object] | None) -> None:
    """Print what a report says, in few lines; nothing where there is none."""
    if signed is not None:
        say()
        _say(signed["report"])


def new_key(path: Path) -> None:
    """Make a key, and say what it is for."""
    make_key(path)
    note(f"{path} holds a new key. Keep it secret, and keep it: another key gives every patient other pseudonyms")


def check(path: Path, key: Path) -> None:
    """Check that the report at `path` is the one that was signed, and say what it says."""
    _say(check_report(path.read_text(encoding="utf-8", errors="replace"), Key.read(key)))
    say("the report is as it was signed")


def _say(said: object) -> None:
    if not isinstance(said, dict):
        return
    facts = {name: said[name] for name in ("profile", "standard", "mist_version", "finished")}
    say_facts("De-identification", facts | said["files"] | _elements(said))
    say_table("Not done by MIST", [{"what": what} for what in said["not_done"]])


def _elements(said: dict[str, object]) -> dict[str, object]:
    """How many elements each action was done to, as facts to print."""
    elements = said["elements"]
    counts = elements_by_action(elements) if isinstance(elements, list) else {}
    return {f"elements {action}": count for action, count in counts.items()}


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
