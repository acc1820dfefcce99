"""Scans in memory stores, and a store that counts what is read of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mist.geometry import Geometry, geometry_from_spacing
from mist.request import Request
from mist.volume import Volume, Voxels
from mist.wavelet import IMAGE_WAVELET
from mist_storage.catalog import CatalogRow, Label
from mist_storage.catalog_commit import commit_to
from mist_storage.delta_log import read_log
from mist_storage.delta_snapshot import Snapshot, read_rows
from mist_storage.keys import BLOCKS, scan_key
from mist_storage.scan_reader import ScanReader
from mist_storage.scan_writer import StoredScan, write_scan
from mist_storage.store import ObjectStore, Store, WritableStore, open_store


@dataclass(frozen=True)
class CountingStore:
    """`inner`, with every range that is read of it noted down."""

    inner: Store
    ranges: list[tuple[int, int]] = field(default_factory=list)
    """What was asked for, as [start, stop)."""
    requests: list[str] = field(default_factory=list)
    """The names of the methods that were called, in order."""

    @property
    def url(self) -> str:
        return self.inner.url

    @property
    def bytes_read(self) -> int:
        """The bytes of all ranges."""
        return sum(stop - start for start, stop in self.ranges)

    def get(self, key: str) -> bytes:
        self.requests.append("get")
        return self.inner.get(key)

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        self.requests.append("get_range")
        self.ranges.append((start, stop))
        return self.inner.get_range(key, start, stop)

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        self.requests.append("get_ranges")
        self.ranges.extend(ranges)
        return self.inner.get_ranges(key, ranges)

    def put(self, key: str, data: bytes | memoryview) -> None:
        self.requests.append("put")
        self.inner.put(key, data)

    def delete(self, keys: Sequence[str]) -> None:
        self.requests.append("delete")
        self.inner.delete(keys)

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        self.requests.append("list")
        return self.inner.list(prefix)


@dataclass(frozen=True)
class ScanAtRest:
    """A volume, and where it lies as a scan."""

    volume: Volume
    store: Store
    stored: StoredScan

    def key(self, name: str = BLOCKS) -> str:
        """The key of one of the scan's objects."""
        return scan_key(self.stored.scan_id, self.stored.digest, name)

    def object(self, name: str = BLOCKS) -> bytes:
        """One of the scan's objects."""
        return self.store.get(self.key(name))

    def reader(self, store: Store | None = None) -> ScanReader:
        """A reader of the scan, from another store than its own where one is given."""
        return ScanReader(store or self.store, self.stored.scan_id, self.stored.digest, self.stored.header)

    def read(self, request: Request, store: Store | None = None) -> Voxels:
        """The voxels that answer `request`."""
        return self.reader(store).read(request).voxels


def memory_store() -> ObjectStore:
    """An empty store of its own."""
    return open_store(f"memory://{uuid.uuid4().hex}")


def stored(
    volume: Volume, scan_id: str = "scan", store: Store | None = None, wavelet: str = IMAGE_WAVELET
) -> ScanAtRest:
    """`volume`, written as a scan, with something kept of a source."""
    store, sources = store or memory_store(), [{"name": scan_id}]
    scan = write_scan(store, scan_id, volume, wavelet=wavelet, sources=sources, kept=f"header of {scan_id}".encode())
    return ScanAtRest(volume, store, scan)


def blobs(axes: str, shape: tuple[int, ...], dtype: str = "int16", seed: int = 0) -> Volume:
    """A smooth, noisy volume of `shape`, 1 mm apart."""
    noise = np.random.default_rng(seed)
    waves = [np.sin(np.linspace(0, 5 + seed, length)) for length in shape]
    smooth = np.prod(np.stack(np.meshgrid(*waves, indexing="ij")), axis=0)
    voxels = np.rint(100 + 80 * smooth + noise.normal(0, 2, shape)).astype(dtype)
    return Volume(voxels, axes, one_millimetre())


def one_millimetre() -> Geometry:
    return geometry_from_spacing((1.0, 1.0, 1.0))


def tiny(seed: int = 0) -> Volume:
    """Two frames of two levels and eight blocks, in less than 2 KB."""
    return blobs("tyx", (2, 20, 36), "uint8", seed)


def catalog_row(scan: StoredScan, labels: Mapping[str, Label] | None = None) -> CatalogRow:
    """What a catalog says of `scan`."""
    return CatalogRow(
        scan_id=scan.scan_id,
        digest=scan.digest,
        header=scan.header,
        modality="CT",
        body_part="CHEST",
        mask=None,
        mask_of=None,
        source_sha256="0" * 64,
        source_bytes=1000,
        stored_bytes=scan.stored_bytes,
        labels=labels or {},
    )


def named_row(scan: StoredScan, scan_id: str, /, **labels: Label) -> CatalogRow:
    """What a catalog says of `scan` where that is called `scan_id`."""
    return replace(catalog_row(scan, labels), scan_id=scan_id)


def committed(
    store: WritableStore, scan_id: str, seed: int = 0, labels: Mapping[str, Label] | None = None
) -> CatalogRow:
    """A tiny scan, written and committed to `store`; its row."""
    row = catalog_row(stored(tiny(seed), scan_id, store).stored, labels)
    commit_to(store, [row])
    return row


def rows_by_version(store: Store) -> list[dict[str, str]]:
    """The digest of each scan, by id, in every version of a dataset, by what the log and its files say."""
    entries = read_log(store)
    snapshots = [Snapshot.of(entries[: number + 1]) for number in range(len(entries))]
    tables = [read_rows(store, snapshot) for snapshot in snapshots]
    return [dict(table.select("scan_id", "digest").iter_rows()) for table in tables]
