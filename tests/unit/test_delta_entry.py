"""An entry of the log fits its digest, or is none; whatever of it was cut, altered, left out or moved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import combinations

import pytest

from mist.errors import CatalogCorrupt
from mist_storage.delta_entry import LogEntry, parsed_entry
from mist_storage.delta_log import entry_key, read_entry
from tests.stored_scan import memory_store

ENTRY = LogEntry(
    7,
    (
        {"commitInfo": {"timestamp": 3, "operation": "MERGE", "mist": {"did": "ingest", "relabelled": 1}}},
        {"add": {"path": "part-1.parquet", "size": 20, "dataChange": True, "stats": '{"numRecords":1}'}},
        {"remove": {"path": "part-0.parquet", "dataChange": True}},
    ),
)
DATA = ENTRY.to_bytes()
LINES = DATA.splitlines(keepends=True)


def test_an_entry_comes_back() -> None:
    assert parsed_entry(7, DATA) == ENTRY
    assert parsed_entry(7, DATA).to_bytes() == DATA


def test_each_line_is_an_action_as_delta_lake_has_them() -> None:
    first, *others = map(json.loads, LINES)
    assert {**first["commitInfo"], "mistSha256": None} == {**ENTRY.info, "mistSha256": None}
    assert tuple(others) == ENTRY.actions[1:]


def flipped() -> Iterator[bytes]:
    for at in range(8 * len(DATA)):
        altered = bytearray(DATA)
        altered[at // 8] ^= 1 << at % 8
        yield bytes(altered)


def cut() -> Iterator[bytes]:
    yield from (DATA[:stop] for stop in range(len(DATA)))
    yield from (DATA[start:] for start in range(1, len(DATA)))


def emptied() -> Iterator[bytes]:
    """With runs of zeros, as a disk leaves them."""
    for length in (1, 7, 64, 200):
        for start in range(len(DATA)):
            end = min(start + length, len(DATA))
            yield DATA[:start] + bytes(end - start) + DATA[end:]


def rearranged() -> Iterator[bytes]:
    """Lines left out, said twice, in another order, and with something after them."""
    for count in range(len(LINES)):
        yield from (b"".join(lines) for lines in combinations(LINES, count))
    yield from (b"".join([*LINES, line]) for line in [*LINES, b"\n", b"{}\n"])
    yield LINES[0] + LINES[2] + LINES[1]
    yield LINES[1] + LINES[0] + LINES[2]


def mixed() -> Iterator[bytes]:
    """With a line of another entry."""
    others = LogEntry(7, (ENTRY.actions[0], {"add": {"path": "part-9.parquet"}}, ENTRY.actions[2])).to_bytes()
    theirs = others.splitlines(keepends=True)
    yield b"".join([LINES[0], theirs[1], LINES[2]])
    yield b"".join([theirs[0], *LINES[1:]])


@pytest.mark.parametrize("damage", [flipped, cut, emptied, rearranged, mixed])
def test_damage_is_found(damage: Callable[[], Iterator[bytes]]) -> None:
    for data in damage():
        with pytest.raises(ValueError, match=r"bytes|empty"):
            parsed_entry(7, data)


def test_the_entry_of_another_version_is_none_of_this_one() -> None:
    with pytest.raises(ValueError, match="do not fit their digest"):
        parsed_entry(8, DATA)


def test_an_entry_that_delta_lake_could_read_is_none_without_a_digest() -> None:
    plain = b"".join(json.dumps(action).encode() + b"\n" for action in ENTRY.actions)
    with pytest.raises(ValueError, match="do not begin with a digest: it was cut or altered, or is not MIST's"):
        parsed_entry(7, plain)


def test_an_entry_for_newer_readers_is_refused() -> None:
    newer = LogEntry(0, (*ENTRY.actions, {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7}}))
    with pytest.raises(ValueError, match="a newer MIST wrote it"):
        parsed_entry(0, newer.to_bytes())


@pytest.mark.parametrize("action", [[], {"add": 3}, {"add": {}}, {"remove": {"path": 3}}])
def test_an_entry_of_what_are_no_actions_is_refused(action: object) -> None:
    crafted = LogEntry(0, (*ENTRY.actions, action))  # type: ignore[arg-type] # what a reader may meet
    with pytest.raises(ValueError, match="actions that Delta Lake does not know"):
        parsed_entry(0, crafted.to_bytes())


def test_the_error_names_the_entry_and_the_remedy() -> None:
    store = memory_store()
    store.put(entry_key(7), DATA[: DATA.index(b"\n") + 1])
    with pytest.raises(CatalogCorrupt) as failure:
        read_entry(store, 7)
    said = str(failure.value)
    assert said.startswith(f"{store.url}/catalog/_delta_log/00000000000000000007.json is no entry of a log (its ")
    assert said.endswith("restore catalog/ from a copy; until then the dataset is neither read nor changed")
