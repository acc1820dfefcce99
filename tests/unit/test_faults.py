"""Every operation of an ingest, a withdrawal and a garbage collection fails, one after the other.

After each failure the dataset is as it was or as it was to be, and doing it again ends in the same state.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from mist.errors import MistError, StoreError
from mist_storage.catalog_commit import commit_to
from mist_storage.catalog_files import read_file
from mist_storage.delta_log import read_log
from mist_storage.garbage import find_garbage, remove_garbage
from mist_storage.keys import BLOCKS, KEPT, SOURCE, ZARR_JSON, scan_folder
from mist_storage.store import ObjectStore, WritableStore, open_store
from mist_storage.verify import verify_scan
from mist_storage.withdrawal import carry_out, plan_withdrawal, withdrawals
from tests.faulty_store import Fault, FaultyStore, ShortReads, contents
from tests.stored_scan import ScanAtRest, catalog_row, committed, memory_store, rows_by_version, stored, tiny

Act = Callable[[WritableStore], object]
Fresh = Callable[[], ObjectStore]
State = list[dict[str, str]]


def withdraw(store: WritableStore) -> None:
    """Take a scan out of all versions, unless that has been done."""
    is_done = any(record.finished for record in withdrawals(store))
    if not is_done:
        carry_out(store, plan_withdrawal(store, ["b"], "who", "why"))


def collect(store: WritableStore) -> None:
    """Remove all garbage."""
    remove_garbage(store, find_garbage(store, datetime.now(UTC) + timedelta(days=1)))


ACTS = ("ingest", "withdraw", "collect")


@pytest.fixture(scope="module")
def pattern() -> dict[str, bytes]:
    """The objects of a dataset of three versions, with an orphan."""
    store = memory_store()
    commit_to(store, [catalog_row(stored(tiny(seed), name, store).stored) for seed, name in enumerate("ab")])
    committed(store, "c", 1, {"age": 3})
    committed(store, "b", 1, {"age": 1})
    stored(tiny(3), "orphan", store)
    return contents(store)


@pytest.fixture(scope="module")
def scan() -> ScanAtRest:
    """The scan that is ingested."""
    return stored(tiny(2), "b")


@pytest.fixture
def acts(scan: ScanAtRest) -> dict[str, Act]:
    """What is done to a dataset."""

    def ingest(store: WritableStore) -> None:
        """Write a scan that takes the place of another, and commit it."""
        for name in (BLOCKS, KEPT, SOURCE, ZARR_JSON):
            store.put(scan.key(name), scan.object(name))
        commit_to(store, [catalog_row(scan.stored, {"age": 2, "site": "x"})])

    return {"ingest": ingest, "withdraw": withdraw, "collect": collect}


@pytest.fixture
def fresh(pattern: dict[str, bytes]) -> Fresh:
    """Makes datasets in memory."""
    return lambda: copied(pattern, memory_store())


@pytest.fixture
def fresh_folder(pattern: dict[str, bytes], tmp_path: Path) -> Fresh:
    """Makes datasets in folders."""
    numbers = count()
    return lambda: copied(pattern, open_store(str(tmp_path / str(next(numbers)))))


def copied(objects: dict[str, bytes], store: ObjectStore) -> ObjectStore:
    """`store`, with `objects`."""
    for key, data in objects.items():
        store.put(key, data)
    return store


def scans_that_are_whole(store: WritableStore) -> State:
    """The scans of all versions, once it is known that the objects of each are there."""
    state = rows_by_version(store)
    for version in state:
        for scan_id, digest in version.items():
            assert len([*store.list(f"{scan_folder(scan_id)}/{digest}")]) == 4, (scan_id, digest)
    return state


def outcome(act: Act, store: WritableStore) -> MistError | None:
    try:
        act(store)
    except MistError as error:
        return error
    return None


def newest(state: State) -> dict[str, str]:
    return state[-1]


def plain(store: WritableStore) -> dict[str, object]:
    """All that is stored, but for what differs from run to run: names of files of rows, times, and ids."""
    named = contents(store)
    files = {key: data for key, data in named.items() if not key.startswith(("catalog/", "withdrawals/"))}
    rows = [[read_file(store, name).to_dicts() for name in entry.added] for entry in read_log(store)]
    return {**files, "rows": rows}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("is_dead", [False, True], ids=["once", "for good"])
def test_a_failure_leaves_the_old_or_the_new_state_and_a_second_run_ends_in_the_new_one(
    fresh: Fresh, acts: dict[str, Act], act: str, fault: Fault, *, is_dead: bool
) -> None:
    check_every_failure(fresh, acts[act], act, fault, is_dead=is_dead)


@pytest.mark.parametrize("act", ACTS)
def test_the_same_goes_for_a_folder(fresh_folder: Fresh, acts: dict[str, Act], act: str) -> None:
    check_every_failure(fresh_folder, acts[act], act, Fault.LOST_ACKNOWLEDGEMENT, is_dead=True)


def check_every_failure(fresh: Fresh, act: Act, name: str, fault: Fault, *, is_dead: bool) -> None:
    before, good = rows_by_version(fresh()), FaultyStore(fresh())
    act(good)
    after, wanted = rows_by_version(good.inner), plain(good.inner)
    assert len(good.operations) > 10
    for number in range(len(good.operations)):
        store = fresh()
        failure = outcome(act, FaultyStore(store, number, fault, is_dead=is_dead))
        state = rows_by_version(store) if name == "withdraw" else scans_that_are_whole(store)
        assert newest(state) in (newest(before), newest(after)), number
        if name == "withdraw":  # older versions lose the scan one file after the other, and nothing else
            assert all(found.items() <= was.items() for found, was in zip(state, before, strict=False)), number
        else:
            assert state in (before, after), number
        assert isinstance(failure, StoreError) if failure else state == after, number
        act(store)
        assert newest(scans_that_are_whole(store)) == newest(after), number
        assert _without_repeats(plain(store)) == _without_repeats(wanted), number


def _without_repeats(found: dict[str, object]) -> dict[str, object]:
    """What is stored, without a version that a second run of an ingest made of the same rows."""
    rows = found["rows"]
    assert isinstance(rows, list)
    return {**found, "rows": [each for each, before in zip(rows, [None, *rows], strict=False) if each != before]}


@pytest.mark.parametrize("act", ACTS)
def test_a_short_read_is_an_error_or_without_effect(fresh: Fresh, acts: dict[str, Act], act: str) -> None:
    good = FaultyStore(fresh())
    acts[act](good)
    after = rows_by_version(good.inner)
    for number, operation in enumerate(good.operations):
        if operation != "get":
            continue
        store = fresh()
        before = rows_by_version(store)
        failure = outcome(acts[act], ShortReads(store, number))
        state = rows_by_version(store)
        assert failure is not None or newest(state) == newest(after), number
        assert newest(state) in (newest(before), newest(after)), number
        if failure is not None:
            acts[act](store)
        assert newest(scans_that_are_whole(store)) == newest(after), number


def test_what_is_left_after_an_ingest_that_failed_and_was_repeated_is_whole(
    fresh: Fresh, acts: dict[str, Act], scan: ScanAtRest
) -> None:
    good, ingest = FaultyStore(fresh()), acts["ingest"]
    ingest(good)
    for number in range(len(good.operations)):
        store = fresh()
        outcome(ingest, FaultyStore(store, number, is_dead=True))
        ingest(store)
        assert verify_scan(store, catalog_row(scan.stored)) == []


def test_a_commit_whose_acknowledgement_was_lost_is_not_made_twice(fresh: Fresh, acts: dict[str, Act]) -> None:
    good, ingest = FaultyStore(fresh()), acts["ingest"]
    ingest(good)
    place = good.operations.index("create")
    for fault in (Fault.LOST_ACKNOWLEDGEMENT, Fault.REPEATED):
        store = fresh()
        versions = len(read_log(store))
        assert outcome(ingest, FaultyStore(store, place, fault)) is None
        assert len(read_log(store)) == versions + 1


def test_the_version_noted_down_beside_the_log_is_the_newest(fresh: Fresh) -> None:
    assert json.loads(fresh().get("catalog/_newest.json")) == {"newest_version": 2}


def test_all_that_a_row_names_is_flushed_before_the_row_is_committed(fresh: Fresh, acts: dict[str, Act]) -> None:
    store = FaultyStore(fresh())
    acts["ingest"](store)
    last_put = max(at for at, name in enumerate(store.operations[: store.operations.index("create")]) if name == "put")
    assert store.operations[last_put : store.operations.index("create") + 1] == ["put", "flush", "create"]
