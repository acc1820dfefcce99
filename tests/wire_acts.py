"""What is done to a dataset through a failing wire, and what must be true of the dataset before and after.

The rule: acts go by the environment's store, whichever that is; checks are asked over a wire that does not fail.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import numpy as np

import mist_client
from mist.ingest.run import ingest
from mist_storage.address import Address
from mist_storage.bucket_policy import NO_POLICY, statement_id
from mist_storage.buckets import bucket_policy, cors_rules, set_bucket_policy, set_cors_rules
from mist_storage.catalog import published_version
from mist_storage.dataset import open_dataset
from mist_storage.garbage import find_garbage, remove_garbage
from mist_storage.public_access import folder_of, public_url
from mist_storage.publication import excess, plan_publication, publish
from mist_storage.store import open_store
from mist_storage.verify import verify_scans
from mist_storage.withdrawal import carry_out, plan_withdrawal, withdrawals
from tests.aws_environment import environment
from tests.faulty_store import contents
from tests.stored_scan import rows_by_version

ORPHAN = f"scans/orphan/{'0123' * 12}/zarr.json"


@dataclass(frozen=True)
class Act(ABC):
    """Something that is done to a dataset."""

    is_reading: ClassVar[bool] = False
    """Whether it changes nothing, so that one dataset does for many times."""

    source: Path
    """A folder with `first/` and `second/`, each with files of scans; `second/` has another `b`."""

    def prepare(self, url: str) -> None:
        """Make what the act is done to: a dataset of `first/`, and an orphan."""
        ingest([self.source / "first"], url, workers=1)
        open_store(url).put(ORPHAN, b"{}")

    @abstractmethod
    def do(self, url: str) -> None:
        """Do it."""

    def check_between(self, url: str) -> None:
        """Hold what must hold where it failed: every version is whole."""
        check_whole(url)

    @abstractmethod
    def check_after(self, url: str) -> None:
        """Hold what must hold where it was done."""

    def is_same(self, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> bool:
        """Whether doing it again has changed nothing that it should not."""
        return before == after

    def check_objects(self, url: str, expected: str) -> None:
        """Hold that the scans' objects are byte for byte those of an ingest into a folder."""
        objects = contents(open_store(str(self.source / expected)))
        found = contents(open_store(url))
        assert {key: found.get(key) for key in objects if key.startswith("scans/")} == {
            key: data for key, data in objects.items() if key.startswith("scans/")
        }, "other objects"

    def voxels(self, name: str, folder: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """The voxels of a file of the source."""
        found: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = np.load(self.source / folder / f"{name}.npy")
        return found


class Ingest(Act):
    """Two scans into a dataset that is not there yet."""

    def prepare(self, url: str) -> None:
        """Leave the folder empty."""

    def do(self, url: str) -> None:
        assert ingest([self.source / "first"], url, workers=1).ok

    def check_after(self, url: str) -> None:
        check_rows(url, versions=1, scans="ab")
        check_voxels(self, url, {"a": "first", "b": "first"})
        self.check_objects(url, "after-first")


class Reingest(Act):
    """One scan that is new and one that takes the place of another, into a dataset of two."""

    def do(self, url: str) -> None:
        assert ingest([self.source / "second"], url, workers=1, replace=True).ok

    def check_after(self, url: str) -> None:
        check_rows(url, versions=2, scans="abc")
        check_voxels(self, url, {"a": "first", "b": "second", "c": "second"})
        self.check_objects(url, "after-second")


class Read(Act):
    """Each scan read, a coarse level and the finest."""

    is_reading = True

    def do(self, url: str) -> None:
        dataset = mist_client.open(url, cache_bytes=0)
        for name in "ab":
            scan = dataset[name]
            coarse, full = scan.read(level=1).voxels, scan.read().voxels
            expected = self.voxels(name, "first")
            assert np.array_equal(full, expected), "wrong pixels"
            assert coarse.shape == scan.levels[1].shape, "wrong shape"
            assert np.array_equal(coarse, self._coarse(name)), "wrong pixels of level 1"

    def _coarse(self, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        found: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = np.load(self.source / "coarse" / f"{name}.npy")
        return found

    def check_after(self, url: str) -> None:
        check_rows(url, versions=1, scans="ab")


class ReadPublished(Read):
    """The same by a stranger, from the bucket's own address."""

    def prepare(self, url: str) -> None:
        super().prepare(url)
        publish(plan_publication(open_store(url), with_sources=False))

    def do(self, url: str) -> None:
        public = public_url(Address.parse(url))
        with environment({}):
            super().do(public)


class Withdraw(Act):
    """One of two scans withdrawn."""

    def do(self, url: str) -> None:
        store = open_store(url)
        carry_out(store, plan_withdrawal(store, ["b"], "who", "why"))

    def check_between(self, url: str) -> None:
        """The scan that stays is whole; the other one may be half gone."""
        check_voxels(self, url, {"a": "first"})

    def check_after(self, url: str) -> None:
        check_rows(url, versions=2, scans="a")
        check_voxels(self, url, {"a": "first"})
        store = open_store(url)
        assert all("b" not in version for version in rows_by_version(store)), "an old version has it"
        assert not [key for key in contents(store) if key.startswith("scans/b/")], "objects are left"
        assert [record.scan_ids for record in withdrawals(store) if record.finished] == [("b",)], "not one record"


class Collect(Act):
    """An orphan removed."""

    def do(self, url: str) -> None:
        store = open_store(url)
        remove_garbage(store, find_garbage(store, datetime.now(UTC) + timedelta(days=1)))

    def check_after(self, url: str) -> None:
        check_rows(url, versions=1, scans="ab")
        check_voxels(self, url, {"a": "first", "b": "first"})
        assert ORPHAN not in contents(open_store(url)), "the orphan is left"


class Publish(Act):
    """Two scans published, in a bucket where others have set something."""

    def prepare(self, url: str) -> None:
        super().prepare(url)
        bucket = str(Address.parse(url).bucket)
        theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket"}
        set_bucket_policy(bucket, {**NO_POLICY, "Statement": [{**theirs, "Resource": f"arn:aws:s3:::{bucket}"}]})
        set_cors_rules(bucket, [{"ID": "theirs", "AllowedOrigins": ["https://a.example"], "AllowedMethods": ["PUT"]}])

    def do(self, url: str) -> None:
        plan = plan_publication(open_store(url), with_sources=False)
        publish(plan)
        assert excess(plan, 0) == []

    def check_after(self, url: str) -> None:
        check_rows(url, versions=1, scans="ab")
        address = Address.parse(url)
        statements = [each.get("Sid") for each in bucket_policy(str(address.bucket))["Statement"]]
        assert statements == ["Theirs", statement_id(folder_of(address))], "other statements"
        assert [rule["ID"] for rule in cors_rules(str(address.bucket))] == ["theirs", "MistPublish"], "other rules"
        assert published_version(open_store(url)) == 0, "not published"


ACTS: dict[str, type[Act]] = {
    "ingest": Ingest,
    "re-ingest": Reingest,
    "read": Read,
    "read published": ReadPublished,
    "rm": Withdraw,
    "gc": Collect,
    "publish": Publish,
}


def make_source(folder: Path) -> Path:
    """The files of all acts, below `folder`."""
    for seed, name in enumerate(("first/a", "first/b", "second/b", "second/c")):
        file = folder / f"{name}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.random.default_rng(seed).integers(0, 60, (40, 72), np.uint8))
    at_rest = folder / "after-first"
    for place in (at_rest, folder / "after-second"):
        ingest([folder / "first"], str(place), workers=1)
    ingest([folder / "second"], str(folder / "after-second"), workers=1, replace=True)
    (folder / "coarse").mkdir()
    for name in "ab":
        np.save(folder / "coarse" / f"{name}.npy", mist_client.open(str(at_rest))[name].read(level=1).voxels)
    return folder


def check_rows(url: str, versions: int, scans: str) -> None:
    """Hold that there are so many versions, and of the newest one row for each scan."""
    catalog = open_dataset(url).catalog
    assert catalog.frame["scan_id"].to_list() == list(scans), "not one row a scan"
    assert catalog.version == versions - 1, f"{catalog.version + 1} versions, not {versions}: a commit was made twice"


def check_voxels(act: Act, url: str, scans: Mapping[str, str]) -> None:
    """Hold that scans have the voxels of their files, by the names of the files' folders."""
    for name, folder in scans.items():
        voxels = mist_client.open(url, cache_bytes=0)[name].read().voxels
        assert np.array_equal(voxels, act.voxels(name, folder)), f"other voxels of {name}"


def check_whole(url: str) -> None:
    """Hold that every version's every scan is whole."""
    for version in range(len(rows_by_version(open_store(url)))):
        dataset = open_dataset(url, version)
        assert [problem for _, bad in verify_scans(dataset.store, dataset.catalog) for problem in bad] == []
