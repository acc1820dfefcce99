from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from mist.errors import ScanNotFound
from mist.request import Request
from mist_storage.catalog import Label, open_catalog, publish_catalog
from mist_storage.catalog_commit import commit_to
from mist_storage.dataset import open_dataset
from mist_storage.delta_checkpoint import write_checkpoint
from mist_storage.delta_log import read_log
from mist_storage.store import ObjectStore, WritableStore, open_store
from mist_storage.withdrawal import Withdrawal, carry_out, plan_withdrawal, withdrawals
from tests.faulty_store import contents
from tests.stored_scan import catalog_row, committed, memory_store, rows_by_version, stored, tiny

CANARY = "canary"
"""Begins the scan's id and all of its labels, and nothing else."""

SECRETS = (CANARY.encode(), b"987654321", b"kanarie")


def row_of(store: WritableStore, scan_id: str, seed: int, **labels: str | int) -> None:
    committed(store, scan_id, seed, labels)


def fill(store: WritableStore) -> None:
    """Versions in which the scan is added with others, relabelled, replaced, and carried along."""
    row_of(store, "a", 0, site="x")
    rows = [stored(tiny(seed), name, store).stored for seed, name in enumerate(["canary-1", "b", "c"])]
    labels: list[dict[str, Label]] = [
        {"site": "canary-site", "dose": 987654321},
        {"site": "y", "dose": 1},
        {"site": "z", "dose": 2},
    ]
    commit_to(store, [catalog_row(row, each) for row, each in zip(rows, labels, strict=True)])
    row_of(store, "canary-1", 3, site="canary-other", note="kanarie")
    row_of(store, "b", 2, site="w")


def withdraw(store: WritableStore, *scan_ids: str) -> Withdrawal:
    return carry_out(store, plan_withdrawal(store, scan_ids, "somebody", "consent withdrawn"))


def secrets_in(store: WritableStore) -> list[str]:
    """The keys of objects that hold a secret, as they lie or as rows; the records of withdrawals aside."""
    found = []
    for key, data in contents(store).items():
        text = data + (repr(pl.read_parquet(data).to_dicts()).encode() if key.endswith(".parquet") else b"")
        if any(secret in text or secret in key.encode() for secret in SECRETS):
            found.append(key)
    return [key for key in found if not key.startswith("withdrawals/")]


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """A dataset with a scan to withdraw."""
    store = memory_store() if request.param == "memory" else open_store(str(tmp_path / "dataset"))
    fill(store)
    return store


@pytest.fixture
def folder(tmp_path: Path) -> ObjectStore:
    """The same, in a folder."""
    store = open_store(str(tmp_path / "folder"))
    fill(store)
    return store


def test_no_stored_byte_tells_of_a_withdrawn_scan(store: ObjectStore) -> None:
    assert len(secrets_in(store)) > 5
    withdraw(store, "canary-1")
    assert secrets_in(store) == []


def test_no_name_and_no_byte_of_a_folder_tells_of_a_withdrawn_scan(folder: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "folder" / "catalog" / "x.parquet#12").write_bytes(b"canary")
    (tmp_path / "folder" / "scans" / "canary-1" / "zarr.json#3").write_bytes(b"canary")
    withdraw(folder, "canary-1")
    paths = [path for path in (tmp_path / "folder").rglob("*") if "withdrawals" not in path.parts]
    assert [path for path in paths if CANARY in path.name] == []
    assert [path for path in paths if path.is_file() and CANARY.encode() in path.read_bytes()] == []


def test_every_version_is_readable_without_the_scan(store: ObjectStore) -> None:
    before = rows_by_version(store)
    withdraw(store, "canary-1")
    expected = [{name: digest for name, digest in rows.items() if name != "canary-1"} for rows in before]
    assert rows_by_version(store) == [*expected, expected[-1]]


def test_delta_lake_reads_every_version_without_the_scan(folder: ObjectStore, tmp_path: Path) -> None:
    withdraw(folder, "canary-1")
    tables = [pl.read_delta(str(tmp_path / "folder" / "catalog"), version=version) for version in range(5)]
    assert [sorted(table["scan_id"]) for table in tables] == [["a"], *[["a", "b", "c"]] * 4]


def test_every_version_is_opened_without_the_scan(folder: ObjectStore) -> None:
    labels = [open_catalog(folder, version).row("a").labels for version in range(4)]
    withdraw(folder, "canary-1")
    catalogs = [open_catalog(folder, version) for version in range(5)]
    assert [catalog.scan_ids for catalog in catalogs] == [["a"], *[["a", "b", "c"]] * 4]
    assert [catalog.row("a").labels for catalog in catalogs[:4]] == labels
    assert open_catalog(folder).version == 4
    with pytest.raises(ScanNotFound):
        open_catalog(folder, 2).row("canary-1")


def test_other_scans_are_read_as_before(folder: ObjectStore) -> None:
    withdraw(folder, "canary-1")
    for version, seed in ((1, 1), (3, 2)):
        voxels = open_dataset(f"{folder.url}@{version}").reader("b").read(Request()).voxels
        assert voxels.tobytes() == tiny(seed).voxels.tobytes()


def test_a_checkpoint_and_a_published_catalog_tell_nothing_either(folder: ObjectStore) -> None:
    publish_catalog(folder, open_catalog(folder))
    write_checkpoint(folder, 3)
    assert any("checkpoint.parquet" in key for key in contents(folder))
    withdraw(folder, "canary-1")
    assert secrets_in(folder) == []
    assert open_catalog(folder, 3).scan_ids == ["a", "b", "c"]
    published = pl.read_parquet(folder.get("catalog.parquet"))
    assert published["scan_id"].to_list() == ["a", "b", "c"]


def test_a_file_of_rows_that_an_interrupted_commit_left_tells_nothing(folder: ObjectStore, tmp_path: Path) -> None:
    catalog = tmp_path / "folder" / "catalog"
    file = next(path for path in catalog.glob("part-00001-*.parquet"))
    shutil.copy(file, catalog / "part-00009-0123456789abcdef.parquet")
    (catalog / "part-00008-0123456789abcdef.parquet").write_bytes(b"canary-1")
    withdraw(folder, "canary-1")
    assert secrets_in(folder) == []


def test_the_record_says_who_when_and_why_and_nothing_else_of_the_scan(store: ObjectStore) -> None:
    record = withdraw(store, "canary-1")
    said = json.loads(store.get(record.key))
    assert (said["scan_ids"], said["who"], said["reason"]) == (["canary-1"], "somebody", "consent withdrawn")
    assert (said["version"], bool(said["finished"]), withdrawals(store)) == (4, True, [record])
    assert all(secret not in store.get(record.key) for secret in SECRETS[1:])


def test_a_mask_goes_with_its_image(store: ObjectStore) -> None:
    image, mask = (catalog_row(stored(tiny(9), name, store).stored) for name in ("canary-2", "canary-2-mask"))
    commit_to(store, [replace(image, mask="canary-2-mask"), replace(mask, mask_of="canary-2")])
    assert withdraw(store, "canary-1", "canary-2").scan_ids == ("canary-1", "canary-2", "canary-2-mask")
    assert secrets_in(store) == []


def test_an_image_whose_mask_is_withdrawn_has_none(folder: ObjectStore) -> None:
    image, mask = (catalog_row(stored(tiny(9), name, folder).stored) for name in ("image", "canary-mask"))
    commit_to(folder, [replace(image, mask="canary-mask"), replace(mask, mask_of="image")])
    withdraw(folder, "canary-1", "canary-mask")
    assert [open_catalog(folder, version).row("image").mask for version in (4, 5)] == [None, None]
    assert secrets_in(folder) == []


def test_a_scan_that_only_old_versions_have_is_withdrawn_from_them(folder: ObjectStore) -> None:
    withdraw(folder, "b")
    withdraw(folder, "canary-1")
    assert [open_catalog(folder, version).scan_ids for version in range(6)] == [["a"], *[["a", "c"]] * 5]


def test_objects_without_a_row_are_withdrawn_too(store: ObjectStore) -> None:
    stored(tiny(4), "canary-3", store)
    assert withdraw(store, "canary-3").version is None
    assert [key for key, _ in store.list("scans/canary-3")] == []


def test_an_unknown_scan_is_not_found_and_nothing_is_changed(store: ObjectStore) -> None:
    before = contents(store)
    with pytest.raises(ScanNotFound, match="no scan is called 'nope' in any version"):
        withdraw(store, "canary-1", "nope")
    assert contents(store) == before


def test_a_second_withdrawal_changes_nothing(store: ObjectStore) -> None:
    first = withdraw(store, "canary-1")
    before = contents(store)
    assert withdraw(store, "canary-1") == first
    assert contents(store) == before


def test_a_scan_may_be_ingested_again_after_its_withdrawal(folder: ObjectStore) -> None:
    withdraw(folder, "canary-1")
    row_of(folder, "canary-1", 0)
    assert "canary-1" in open_catalog(folder)
    withdraw(folder, "canary-1")
    assert secrets_in(folder) == []
    assert len(withdrawals(folder)) == 2


def test_the_last_scan_may_be_withdrawn(folder: ObjectStore) -> None:
    withdraw(folder, "a", "b", "c", "canary-1")
    assert [len(open_catalog(folder, version)) for version in range(5)] == [0] * 5
    row_of(folder, "new", 1, site="s")
    assert open_catalog(folder).scan_ids == ["new"]


def test_a_checkpoint_is_written_every_so_many_versions_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mist_storage.delta_commit.CHECKPOINT_VERSIONS", 5)
    store = open_store(str(tmp_path / "many"))
    scan = stored(tiny(), "a", store).stored
    for number in range(8):
        commit_to(store, [catalog_row(scan, {"n": number})])
    assert [key for key, _ in store.list("catalog") if "checkpoint" in key] == [
        "catalog/_delta_log/00000000000000000005.checkpoint.parquet",
        "catalog/_delta_log/_last_checkpoint",
    ]
    assert [open_catalog(store, version).row("a").labels for version in (2, 5, 7)] == [{"n": 2}, {"n": 5}, {"n": 7}]


@pytest.mark.parametrize("data", [b"canary-1", b""])
def test_a_published_file_that_is_no_catalog_is_removed(store: ObjectStore, data: bytes) -> None:
    store.put("catalog.parquet", data)
    withdraw(store, "canary-1")
    assert [key for key, _ in store.list("") if key == "catalog.parquet"] == []


def test_a_version_sets_the_tables_columns_only_where_they_are_new(store: ObjectStore) -> None:
    row_of(store, "z", 0, site="x")
    assert [entry.metadata is not None for entry in read_log(store)] == [True, True, True, False, False]


def test_files_that_a_system_puts_beside_the_records_are_no_records() -> None:
    store = memory_store()
    fill(store)
    withdraw(store, "a")
    for name in (".DS_Store", "._x.json", "README"):
        store.put(f"withdrawals/{name}", b"\xff")
    assert [each.scan_ids for each in withdrawals(store)] == [("a",)]
