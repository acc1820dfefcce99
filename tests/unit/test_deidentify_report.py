from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest

from mist.errors import InvalidRequest
from mist.ingest.deidentify.counts import Findings
from mist.ingest.deidentify.file import Deidentification
from mist.ingest.deidentify.key import Key
from mist.ingest.deidentify.profile import Option, Profile
from mist.ingest.deidentify.report import check_report, signed_report
from mist.ingest.report import IngestReport, ScanOutcome, ScanStatus

KEY = Key(b"k" * 32)


def _report() -> dict[str, object]:
    findings = Findings({("(0010,0010)", "pseudonym"): 3, ("private", "removed"): 7}, {"files": 3})
    done = IngestReport((ScanOutcome("a", "b", ScanStatus.STORED),), 2, findings)
    settings = Deidentification(Profile(frozenset({Option.MODIFIED_DATES})), KEY)
    return dict(signed_report(done, settings, "2026-01-02T03:04:05+00:00"))


def _places(node: object) -> Iterator[tuple[object, ...]]:
    """Paths to every value of a JSON document, its objects and lists included."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in inner:
        yield (name,)
        yield from ((name, *rest) for rest in _places(value))


def _owner(document: object, place: tuple[object, ...]) -> object:
    """What holds the value at `place`."""
    for name in place[:-1]:
        document = document[name]  # type: ignore[index]
    return document


PLACES = [*_places(_report())]
HOLDERS = [place for place in ((), *PLACES) if isinstance(_owner(_report(), (*place, "")), dict | list)]
"""What something can be added to."""


def _is_refused(document: object) -> bool:
    with pytest.raises(InvalidRequest):
        check_report(json.dumps(document), KEY)
    return True


def test_a_report_as_it_was_signed_passes_however_it_is_spaced() -> None:
    report = _report()
    assert check_report(json.dumps(report), KEY) == check_report(json.dumps(report, indent=7), KEY) == report["report"]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_no_value_can_be_changed_or_left_out(place: tuple[object, ...]) -> None:
    others: tuple[object, ...] = ("x", 1234567, None, [], {})
    for other in others:
        changed = copy.deepcopy(_report())
        _owner(changed, place)[place[-1]] = other  # type: ignore[index]
        assert _is_refused(changed)
    shorter = copy.deepcopy(_report())
    del _owner(shorter, place)[place[-1]]  # type: ignore[attr-defined]
    assert _is_refused(shorter)


@pytest.mark.parametrize("place", HOLDERS, ids=str)
def test_nothing_can_be_added(place: tuple[object, ...]) -> None:
    longer = copy.deepcopy(_report())
    node = _owner(longer, (*place, ""))
    if isinstance(node, dict):
        node["remark"] = "verified"
    else:
        assert isinstance(node, list)
        node.append("verified")
    assert _is_refused(longer)


def test_no_name_can_stand_twice() -> None:
    text = json.dumps(_report())
    with pytest.raises(InvalidRequest, match="no report"):
        check_report(text.replace('"profile": ', '"profile": "basic+safe-private", "profile": '), KEY)


def test_a_signature_that_is_no_ascii_is_refused() -> None:
    changed = _report()
    changed["signature"] = {**changed["signature"], "value": "\u00e9"}  # type: ignore[dict-item]
    assert _is_refused(changed)


def test_another_key_is_told_apart_by_its_name() -> None:
    with pytest.raises(InvalidRequest, match="give that key"):
        check_report(json.dumps(_report()), Key(b"o" * 32))


def test_a_key_of_the_same_name_as_told_does_not_pass_without_the_secret() -> None:
    other = Key(b"o" * 32)
    forged = _report()
    forged["signature"] = {**forged["signature"], "key": other.name}  # type: ignore[dict-item]
    with pytest.raises(InvalidRequest, match="changed afterwards"):
        check_report(json.dumps(forged), other)
