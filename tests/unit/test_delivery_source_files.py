from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from mist.delivery.source_files import GivenBack, file_path, give_back
from mist.errors import ScanCorrupt, ScanNotFound, StoreUnavailable
from mist.ingest.run import ingest
from mist.request import Request
from mist_storage.catalog import Catalog
from mist_storage.dataset import Dataset, open_dataset
from mist_storage.keys import BLOCKS, KEPT, SOURCE, scan_key
from mist_storage.label_columns import table_of
from mist_storage.scan_writer import StoredScan, write_scan
from tests.stored_scan import CountingStore, catalog_row, tiny


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source" / "deep"
    folder.mkdir(parents=True)
    for name in "ab":
        np.save(folder / f"{name}.npy", np.random.default_rng(ord(name)).integers(0, 99, (20, 30), np.uint8))
    return folder.parent


@pytest.fixture
def dataset(source: Path, tmp_path: Path) -> Dataset:
    """Two scans, `deep-a` and `deep-b`, with a file each."""
    ingest([source], str(tmp_path / "dataset"), workers=1)
    return open_dataset(str(tmp_path / "dataset"))


def key(dataset: Dataset, name: str, scan_id: str = "deep-a") -> str:
    return scan_key(scan_id, dataset.catalog.row(scan_id).digest, name)


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def reasons(given: GivenBack) -> list[str]:
    return [problem.reason for problem in given.problems]


def test_each_scan_gets_a_folder_with_its_files(dataset: Dataset, source: Path, tmp_path: Path) -> None:
    given = give_back(dataset, [], tmp_path / "out")
    assert (given.exact, given.problems) == (2, ())
    assert written(tmp_path / "out") == ["deep-a/a.npy", "deep-b/b.npy"]
    assert given.files[0].path.read_bytes() == (source / "deep" / "a.npy").read_bytes()


def test_only_what_was_asked_for_is_given_back(dataset: Dataset, tmp_path: Path) -> None:
    give_back(dataset, ["deep-b", "deep-b"], tmp_path / "out")
    assert written(tmp_path / "out") == ["deep-b/b.npy"]


def test_progress_is_told(dataset: Dataset, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    give_back(dataset, [], tmp_path / "out", on_progress=lambda *step: told.append(step))
    assert told == [(1, 2, "deep-a"), (2, 2, "deep-b")]


def test_a_scan_that_is_not_there_is_an_error_before_anything_is_written(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ScanNotFound):
        give_back(dataset, ["deep-a", "deep-z"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_there_is_left_alone_and_nothing_of_its_scan_is_fetched(
    dataset: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "out" / "deep-a" / "a.npy"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    counting = CountingStore(dataset.store)
    given = give_back(dataclasses.replace(dataset, store=counting), ["deep-a"], tmp_path / "out")
    assert reasons(given) == [f"{path} is there already; --overwrite replaces it"]
    assert counting.requests == ["get"]
    assert path.read_text() == "mine"


def test_a_file_that_is_there_gives_way_where_that_is_asked_for(dataset: Dataset, source: Path, tmp_path: Path) -> None:
    give_back(dataset, ["deep-a"], tmp_path / "out")
    (tmp_path / "out" / "deep-a" / "a.npy").write_text("altered")
    given = give_back(dataset, ["deep-a"], tmp_path / "out", overwrite=True)
    assert given.exact == 1
    assert given.files[0].path.read_bytes() == (source / "deep" / "a.npy").read_bytes()


@pytest.mark.parametrize("name", [KEPT, SOURCE, BLOCKS])
def test_an_altered_object_is_named_and_the_other_scan_given_back(dataset: Dataset, tmp_path: Path, name: str) -> None:
    data = bytearray(dataset.store.get(key(dataset, name)))
    data[len(data) // 2] ^= 1
    dataset.store.put(key(dataset, name), bytes(data))
    given = give_back(dataset, [], tmp_path / "out")
    assert [problem.scan_id for problem in given.problems] == ["deep-a"]
    assert "digest" in given.problems[0].reason
    assert written(tmp_path / "out") == ["deep-b/b.npy"]


@pytest.mark.parametrize("name", [KEPT, SOURCE, BLOCKS])
def test_a_missing_object_is_named(dataset: Dataset, tmp_path: Path, name: str) -> None:
    dataset.store.delete([key(dataset, name)])
    given = give_back(dataset, ["deep-a"], tmp_path / "out")
    assert "is missing" in given.problems[0].reason
    assert written(tmp_path / "out") == []


def test_a_scan_of_an_older_ingest_says_what_to_do(dataset: Dataset, tmp_path: Path) -> None:
    old = write_scan(dataset.store, "deep-a", tiny(), sources=[{"name": "a"}])
    given = give_back(with_row(dataset, old), ["deep-a"], tmp_path / "out")
    assert reasons(given) == ["it was stored by an older MIST, which kept no files; ingest them again, with --replace"]


def with_row(dataset: Dataset, scan: StoredScan) -> Dataset:
    return dataclasses.replace(dataset, catalog=Catalog(table_of([catalog_row(scan)]), version=0))


HOSTILE = ("../a", "/etc/passwd", "x/../../a", "C:/a", "a\\b", "", "a//b", "./a", "a/", "a\nb", "..")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ScanCorrupt, match="would lie outside"):
        file_path(tmp_path, "scan", name)


@pytest.mark.parametrize("name", ["a.dcm", "deep/er/..a", "at 12:30.dcm", "ärzte/…/x"])
def test_other_names_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    assert file_path(tmp_path, "scan", name) == tmp_path / "scan" / name


def test_no_link_leads_out_of_the_folder(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "deep-a").symlink_to(tmp_path / "elsewhere")
    given = give_back(dataset, ["deep-a"], tmp_path / "out", overwrite=True)
    assert "would lie outside" in given.problems[0].reason
    assert written(tmp_path / "elsewhere") == []


def altered(dataset: Dataset, change: dict[str, object]) -> Dataset:
    """The dataset with a scan whose file is described otherwise, by somebody who knows how to make digests fit."""
    document = json.loads(dataset.store.get(key(dataset, SOURCE)))
    file, row = {**document["files"][0], **change}, dataset.catalog.row("deep-a")
    volume = dataset.reader("deep-a")
    scan = write_scan(dataset.store, "deep-a", volume.read(Request()), sources=[file], kept=b"x" * 128)
    assert scan.header == row.header
    return with_row(dataset, scan)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../a.npy"},
        {"spans": [[0, 7, 1, True]]},
        {"spans": [[0, 0, 10**12, True]]},
        {"body_bytes": 10**15},
        {"body_bytes": -5},
        {"body_sha256": "0" * 64},
        {"wrapping": "png"},
        {"type": "O"},
    ],
)
def test_a_hostile_description_writes_nothing(dataset: Dataset, tmp_path: Path, change: dict[str, object]) -> None:
    given = give_back(altered(dataset, change), ["deep-a"], tmp_path / "out")
    assert len(given.problems) == 1
    assert written(tmp_path) == [name for name in written(tmp_path) if name.startswith(("dataset/", "source/"))]


class FailingStore(CountingStore):
    """A store that cannot be reached."""

    def get(self, key: str) -> bytes:
        raise StoreUnavailable(f"{key}: no answer")


def test_a_store_that_fails_is_no_finding_about_the_scan(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        give_back(dataclasses.replace(dataset, store=FailingStore(dataset.store)), [], tmp_path / "out")


def test_what_is_stored_beside_the_voxels_is_small(dataset: Dataset) -> None:
    assert len(dataset.store.get(key(dataset, KEPT))) < 128
    assert (
        hashlib.sha256(dataset.store.get(key(dataset, KEPT))).hexdigest()
        in dataset.store.get(key(dataset, SOURCE)).decode()
    )
