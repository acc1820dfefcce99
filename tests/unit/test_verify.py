from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from mist.errors import StoreDenied
from mist.volume import Volume
from mist.wavelet import MASK_WAVELET
from mist_storage.catalog import Catalog
from mist_storage.keys import BLOCKS, KEPT, SOURCE, ZARR_JSON
from mist_storage.label_columns import table_of
from mist_storage.problem import Depth, Problem
from mist_storage.scan_writer import write_scan
from mist_storage.verify import verify_scan, verify_scans
from mist_storage.zarr_shard import level_span, table_range
from tests.stored_scan import CountingStore, ScanAtRest, blobs, catalog_row, memory_store, one_millimetre, stored, tiny

OBJECTS = (BLOCKS, KEPT, SOURCE, ZARR_JSON)

VOLUMES: dict[str, Callable[[], Volume]] = {
    "ct": lambda: blobs("zyx", (20, 70, 90), "int16"),
    "radiograph": lambda: blobs("yx", (150, 333), "uint16"),
    "photograph": lambda: blobs("yxc", (40, 50, 3), "uint8"),
    "floats": lambda: blobs("yx", (40, 50), "float32"),
    "wide range": lambda: Volume(np.array([[-(2**31), 2**31 - 1, 0, 5]], np.int32), "yx", one_millimetre()),
    "line": lambda: blobs("x", (100,), "int8"),
    "one voxel": lambda: blobs("yx", (1, 1), "int16"),
}


@pytest.fixture
def scan() -> ScanAtRest:
    """A scan of 2 KB in a store of its own."""
    return stored(tiny())


def problems(scan: ScanAtRest) -> list[Problem]:
    return verify_scan(scan.store, catalog_row(scan.stored))


def reasons(scan: ScanAtRest) -> str:
    return "; ".join(map(str, problems(scan)))


def flipped(data: bytes, at: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


@pytest.mark.parametrize("kind", sorted(VOLUMES))
def test_a_whole_scan_has_no_problems(kind: str) -> None:
    assert problems(stored(VOLUMES[kind]())) == []


def test_a_whole_mask_has_no_problems() -> None:
    assert problems(stored(blobs("zyx", (9, 40, 41), "uint8"), wavelet=MASK_WAVELET)) == []


@pytest.mark.parametrize("name", OBJECTS)
def test_every_flipped_bit_is_found(scan: ScanAtRest, name: str) -> None:
    whole, bits = scan.object(name), random.Random(0)  # noqa: S311 - any bits will do
    for at in range(len(whole)):
        scan.store.put(scan.key(name), flipped(whole, at, bits.randrange(8)))
        assert problems(scan), at


@pytest.mark.parametrize("name", OBJECTS)
def test_every_truncation_is_found(scan: ScanAtRest, name: str) -> None:
    whole = scan.object(name)
    for length in range(0, len(whole), 5):
        scan.store.put(scan.key(name), whole[:length])
        assert problems(scan), length


@pytest.mark.parametrize("name", OBJECTS)
def test_bytes_too_many_are_found(scan: ScanAtRest, name: str) -> None:
    scan.store.put(scan.key(name), scan.object(name) + b"\0")
    assert problems(scan)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_deleted_object_is_found_and_named(scan: ScanAtRest, name: str) -> None:
    scan.store.delete([scan.key(name)])
    assert f"scan 'scan': {name} is missing" in reasons(scan)


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_of_another_scan_is_found(scan: ScanAtRest, name: str) -> None:
    other = stored(tiny(1), "other")
    scan.store.put(scan.key(name), other.object(name))
    assert problems(scan)


def test_all_objects_of_another_scan_are_found(scan: ScanAtRest) -> None:
    other = stored(tiny(1), "other")
    for name in OBJECTS:
        scan.store.put(scan.key(name), other.object(name))
    assert {problem.level for problem in problems(scan)} == {None, 0, 1}


@pytest.mark.parametrize("level", [0, 1])
def test_the_damaged_level_is_named(scan: ScanAtRest, level: int) -> None:
    start, stop = level_span(scan.stored.header, level)
    scan.store.put(scan.key(), flipped(scan.object(), (start + stop) // 2, 3))
    assert [(each.scan_id, each.level) for each in problems(scan)] == [("scan", level)]


def test_a_damaged_block_table_is_named(scan: ScanAtRest) -> None:
    start, _ = table_range(scan.stored.header, range(1))
    scan.store.put(scan.key(), flipped(scan.object(), start, 0))
    assert reasons(scan) == "scan 'scan': the block table does not fit the blocks"


def test_a_damaged_index_is_named(scan: ScanAtRest) -> None:
    scan.store.put(scan.key(), flipped(scan.object(), len(scan.object()) - 1, 0))
    assert reasons(scan) == "scan 'scan': the Zarr index does not fit the blocks"


def test_voxels_out_of_the_scans_range_are_found(scan: ScanAtRest) -> None:
    header = scan.stored.header
    narrower = dataclasses.replace(header.samples, high=header.samples.high - 1)
    row = dataclasses.replace(catalog_row(scan.stored), header=dataclasses.replace(header, samples=narrower))
    found = verify_scan(scan.store, row)
    assert any(each.level == 0 and "range over" in each.reason for each in found)


def test_a_row_that_says_another_size_is_found(scan: ScanAtRest) -> None:
    row = dataclasses.replace(catalog_row(scan.stored), stored_bytes=1)
    assert [each.reason for each in verify_scan(scan.store, row)] == [
        f"{scan.stored.stored_bytes} bytes are stored, the catalog says 1"
    ]


def test_each_object_is_read_once(scan: ScanAtRest) -> None:
    store = CountingStore(scan.store)
    verify_scan(store, catalog_row(scan.stored))
    assert store.requests == ["get", "get", "get", "get"]


def test_a_scan_of_an_older_ingest_keeps_nothing_and_is_whole() -> None:
    store = memory_store()
    scan = write_scan(store, "old", tiny(), sources=[{"name": "old"}])
    assert verify_scan(store, catalog_row(scan)) == []


class DenyingStore(CountingStore):
    """A store that has changed its mind."""

    def get(self, key: str) -> bytes:
        raise StoreDenied(f"{key}: access is denied")


def test_a_store_that_fails_is_no_finding_about_the_scan(scan: ScanAtRest) -> None:
    with pytest.raises(StoreDenied):
        verify_scan(DenyingStore(scan.store), catalog_row(scan.stored))


def test_every_scan_of_a_catalog_is_checked_and_a_bad_row_stops_no_other() -> None:
    store = memory_store()
    rows = [catalog_row(stored(tiny(seed), f"scan-{seed}", store).stored) for seed in range(3)]
    frame = table_of(rows).with_columns(pl.col("digest").replace(rows[1].digest, "0" * 48))

    found = dict(verify_scans(store, Catalog(frame, version=0)))

    assert list(found) == ["scan-0", "scan-1", "scan-2"]
    assert [len(problems) for problems in found.values()] == [0, 1, 0]
    assert "does not fit its digest" in found["scan-1"][0].reason


def found(scan: ScanAtRest, depth: Depth) -> list[str]:
    (_, problems), *_ = verify_scans(scan.store, Catalog(table_of([catalog_row(scan.stored)]), version=0), depth)
    return [problem.reason for problem in problems]


@pytest.mark.parametrize("depth", list(Depth))
def test_a_whole_scan_is_whole_at_every_depth(depth: Depth) -> None:
    assert found(stored(tiny()), depth) == []


@pytest.mark.parametrize("depth", list(Depth))
@pytest.mark.parametrize("name", OBJECTS)
def test_a_missing_object_is_found_at_every_depth(name: str, depth: Depth) -> None:
    scan = stored(tiny())
    scan.store.delete([scan.key(name)])
    assert f"{name} is missing" in found(scan, depth)


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_that_is_too_long_is_found_by_its_size(name: str) -> None:
    scan = stored(tiny())
    scan.store.put(scan.key(name), scan.store.get(scan.key(name)) + b"x")
    assert [bool(found(scan, depth)) for depth in Depth] == [False, True, True, True]


@pytest.mark.parametrize("name", OBJECTS)
def test_an_altered_object_is_found_by_its_digest(name: str) -> None:
    scan = stored(tiny())
    scan.store.put(scan.key(name), flipped(scan.store.get(scan.key(name)), 9, 0))
    assert [bool(found(scan, depth)) for depth in Depth] == [False, False, True, True]


def test_depths_up_to_size_read_no_object() -> None:
    scan = stored(tiny())
    store = CountingStore(scan.store)
    for depth in (Depth.PRESENT, Depth.SIZE):
        list(verify_scans(store, Catalog(table_of([catalog_row(scan.stored)]), version=0), depth))
    assert set(store.requests) == {"list"}
