"""The life of a dataset, at random, against a model: what any version names stays, and old garbage goes."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mist_storage.catalog_commit import commit_to
from mist_storage.garbage import find_garbage, remove_garbage
from mist_storage.keys import BLOCKS, KEPT, SOURCE, ZARR_JSON, scan_key
from mist_storage.withdrawal import carry_out, plan_withdrawal
from tests.faulty_store import ClockedStore
from tests.stored_scan import ScanAtRest, catalog_row, memory_store, rows_by_version, stored, tiny

GRACE_HOURS = 24

NAMES = st.sampled_from("abc")
SEEDS = st.integers(0, 2)
OBJECTS = (BLOCKS, KEPT, SOURCE, ZARR_JSON)

_SCANS: dict[tuple[str, int], ScanAtRest] = {}


def scan_of(name: str, seed: int) -> ScanAtRest:
    """A scan by that name, encoded once for all examples."""
    if (name, seed) not in _SCANS:
        _SCANS[name, seed] = stored(tiny(seed), name)
    return _SCANS[name, seed]


class Life(RuleBasedStateMachine):
    """A dataset in memory, and what is known of it: its versions, and when each object was last written."""

    @initialize()
    def begin(self) -> None:
        self.store = ClockedStore(memory_store())
        self.versions: list[dict[str, str]] = []
        self.objects: dict[str, datetime] = {}
        commit_to(self.store, [])
        self.versions.append({})

    @rule(name=NAMES, seed=SEEDS, count=st.integers(1, 3))
    def write_objects(self, name: str, seed: int, count: int) -> None:
        """An ingest that is interrupted after some objects."""
        scan = scan_of(name, seed)
        for each in OBJECTS[:count]:
            self.store.put(scan.key(each), scan.object(each))
            self.objects[scan.key(each)] = self.store.now

    @rule(name=NAMES, seed=SEEDS)
    def ingest(self, name: str, seed: int) -> None:
        """A scan that is new, or takes the place of another."""
        self.write_objects(name, seed, len(OBJECTS))
        row = catalog_row(scan_of(name, seed).stored, {"seed": seed})
        commit_to(self.store, [row])
        self.versions.append({**self.versions[-1], name: row.digest})

    @rule(names=st.lists(NAMES, min_size=2, max_size=3, unique=True), seed=SEEDS)
    def ingest_together(self, names: list[str], seed: int) -> None:
        """Several scans in one commit, and so in one file."""
        rows = []
        for name in names:
            self.write_objects(name, seed, len(OBJECTS))
            rows.append(dataclasses.replace(catalog_row(scan_of(name, seed).stored), labels={"seed": seed}))
        commit_to(self.store, rows)
        self.versions.append({**self.versions[-1], **{row.scan_id: row.digest for row in rows}})

    @rule(name=NAMES)
    def withdraw(self, name: str) -> None:
        """A scan leaves, if there is anything of it."""
        is_known = any(name in version for version in self.versions) or any(self.keys_of(name))
        if not is_known:
            return
        is_current = name in self.versions[-1]
        carry_out(self.store, plan_withdrawal(self.store, [name], "who", "why"))
        for key in self.keys_of(name):
            del self.objects[key]
        self.versions = [{k: v for k, v in version.items() if k != name} for version in self.versions]
        self.versions += [self.versions[-1]] if is_current else []

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.store.wait(hours)

    @rule(grace_hours=st.sampled_from([0, GRACE_HOURS]))
    def collect(self, grace_hours: int) -> None:
        """`gc`, after which no old garbage is left."""
        before = self.store.now - timedelta(hours=grace_hours)
        expected = {key for key, time in self.objects.items() if time < before and key not in self.live()}
        garbage = find_garbage(self.store, before)
        assert {each.key for each in garbage.objects if each.key.startswith("scans/")} == expected
        remove_garbage(self.store, garbage)
        for key in expected:
            del self.objects[key]

    @invariant()
    def the_objects_are_those_that_are_known(self) -> None:
        assert {key for key, _ in self.store.list("scans")} == set(self.objects)

    @invariant()
    def nothing_that_a_version_names_is_missing(self) -> None:
        assert self.live() <= set(self.objects)

    @invariant()
    def every_version_is_as_it_was_but_for_what_was_withdrawn(self) -> None:
        assert rows_by_version(self.store) == self.versions

    def keys_of(self, name: str) -> list[str]:
        return [key for key in self.objects if key.startswith(f"scans/{name}/")]

    def live(self) -> set[str]:
        pairs = {pair for version in self.versions for pair in version.items()}
        return {scan_key(name, digest, each) for name, digest in pairs for each in OBJECTS}


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
