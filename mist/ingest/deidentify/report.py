"""The signed report of a de-identifying ingest.

The rule: it says what was done and to how much, and nothing of whom: no value, no name, no path. Whoever has the key
can tell that nobody has changed it since: the signature is an HMAC of the report as canonical JSON, and beside the two
the file holds nothing, so that every value in it is checked. Takes no clock: when it was done is told.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from mist.codec import Json
from mist.errors import InvalidRequest
from mist.ingest.deidentify.file import Deidentification
from mist.ingest.deidentify.key import Key
from mist.ingest.deidentify.table import EDITION
from mist.ingest.report import IngestReport, ScanStatus
from mist.scan import canonical_json

ALGORITHM = "HMAC-SHA256"
"""The only one; a file that names another is refused."""

_PARTS = frozenset({"report", "signature"})
_SIGNATURE = frozenset({"algorithm", "key", "value"})
"""What a file and its signature hold: whatever else somebody adds would look signed."""

NOT_DONE: tuple[Json, ...] = (
    "pixels were not searched for text or faces",
    "labels were stored as they were given",
)
"""What a person answers for."""


def signed_report(report: IngestReport, settings: Deidentification, finished: str) -> dict[str, Json]:
    """The report of an ingest, signed by the key.

    Parameters
    ----------
    finished
        When it was done, as ISO 8601.
    """
    codes: list[Json] = [{"value": value, "meaning": meaning} for value, meaning in settings.profile.codes]
    elements: list[Json] = [
        {"tag": tag, "action": action, "count": count} for (tag, action), count in report.findings.actions.items()
    ]
    said: dict[str, Json] = {
        "finished": finished,
        "mist_version": version("mist-streaming"),
        "profile": str(settings.profile),
        "standard": f"DICOM PS3.15 {EDITION}, Annex E",
        "codes": codes,
        "burned_in_accepted": settings.accepts_burned_in,
        "scans": {status.value: report.count(status) for status in ScanStatus},
        "skipped_files": report.skipped,
        "files": dict(report.findings.facts),
        "elements": elements,
        "not_done": [*NOT_DONE],
    }
    return {
        "report": said,
        "signature": {"algorithm": ALGORITHM, "key": settings.key.name, "value": _sign(said, settings.key)},
    }


def check_report(text: str, key: Key) -> Mapping[str, object]:
    """What a report says, if the key signed exactly that.

    Raises
    ------
    InvalidRequest
        It is no report, was signed by another key, or was changed since.
    """
    try:
        whole = json.loads(text, object_pairs_hook=_distinct)
        said, signature = whole["report"], whole["signature"]
        value, signer = signature["value"], signature["key"]
        expected = _sign(said, key)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidRequest("this is no report of a de-identification: give the file that --report wrote") from None
    if signer != key.name:
        raise InvalidRequest(f"the report was signed by key {signer!r}, and this is key {key.name!r}; give that key")
    is_known = whole.keys() == _PARTS and signature.keys() == _SIGNATURE and signature["algorithm"] == ALGORITHM
    if not is_known or not hmac.compare_digest(str(value).encode(), expected.encode()):
        raise InvalidRequest("the report is not the one that was signed: it was changed afterwards; do not rely on it")
    if not isinstance(said, dict):
        raise InvalidRequest("this is no report of a de-identification: it says nothing")
    return said


def elements_by_action(elements: Sequence[Mapping[str, object]]) -> dict[str, int]:
    """How many elements each action was done to."""
    found: dict[str, int] = {}
    for element in elements:
        found[str(element["action"])] = found.get(str(element["action"]), 0) + int(str(element["count"]))
    return found


def _distinct(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON, unless a name stands in it twice: a reader might see one value, the signature another."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _sign(said: Json, key: Key) -> str:
    return key.digest("report", canonical_json(said).decode()).hex()
