"""A small cohort of phantoms whose values tell where their voxels lie, on every kind of address.

Physical values of the CTs are a linear function of the position in LPS millimetres, which no level, size or spacing may
change: so an affine is checked against the voxels themselves.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import mist_client
from mist.geometry import Geometry, Space, geometry_from_spacing, geometry_of_indices
from mist.volume import Rescale, Volume
from mist.wavelet import IMAGE_WAVELET, MASK_WAVELET
from mist_client.dataset import Source
from mist_storage.catalog import CatalogRow, Label, commit_rows, open_catalog, publish_catalog
from mist_storage.dataset import Dataset as StoredDataset
from mist_storage.prefix_cache import PrefixCache
from mist_storage.scan_writer import write_scan
from mist_storage.store import ObjectStore, open_store

HOUNSFIELD = Rescale(0.5, -1000.0, "HU")
GRADIENT_PER_MM = np.array([12.0, 8.0, -6.0])
CT_SHAPE = (40, 96, 80)
LABELS: dict[str, dict[str, Label]] = {
    "ct-0": {"finding": "nodule", "age": 71, "split": "train"},
    "ct-1": {"finding": "clear", "age": 44, "split": "train"},
    "ct-2": {"finding": "nodule", "age": 63, "split": "train"},
    "ct-3": {"finding": "effusion", "age": 58, "split": "test"},
}

FieldOf = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
Fetches = list[tuple[str, int, int]]


def field_of(positions_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The physical value at LPS positions (..., 3)."""
    return np.asarray(positions_mm @ GRADIENT_PER_MM + 100, np.float64)


@pytest.fixture(scope="session")
def value_at() -> FieldOf:
    """The physical value that a CT of the cohort has at LPS positions (..., 3)."""
    return field_of


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohort's folder: a Delta Lake table and the published catalog; read only."""
    folder = tmp_path_factory.mktemp("cohort")
    store = open_store(str(folder))
    commit_rows(str(folder), [row for number in range(4) for row in ct_rows(store, number)])
    commit_rows(str(folder), [radiograph_row(store), photograph_row(store)])
    publish_catalog(store, open_catalog(store))
    return folder


@pytest.fixture
def dataset(folder: Path) -> mist_client.Dataset:
    """The cohort."""
    return mist_client.open(folder.as_uri())


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A copy of the cohort that a test may spoil."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture(params=["file", "memory", "http"])
def url(request: pytest.FixtureRequest, folder: Path, web: tuple[str, Fetches]) -> str:
    """The cohort's address: a folder, memory, and plain web hosting."""
    addresses = {"file": folder.as_uri(), "http": web[0]}
    return addresses.get(request.param) or in_memory(folder)


@pytest.fixture
def counted(folder: Path) -> tuple[mist_client.Dataset, Fetches]:
    """The cohort, and every range of a blocks object that is fetched from below its cache."""
    store = open_store(str(folder))
    counting = CountingStore(store)
    stored = StoredDataset(store.url, PrefixCache(counting, 1 << 24), open_catalog(store))
    return mist_client.Dataset(Source(store.url, None, 1 << 24), stored=stored), counting.fetches


@pytest.fixture
def web(folder: Path) -> Iterator[tuple[str, Fetches]]:
    """The address of a plain web server on the cohort, and every range that it has sent, `start` -1 for whole files."""
    sent: Fetches = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, sent, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", sent
        server.shutdown()
        thread.join()


def ct_rows(store: ObjectStore, number: int) -> list[CatalogRow]:
    """A CT, tilted a little more for each number, and its mask."""
    turn = np.deg2rad(4 * number)
    affine = np.eye(4)
    affine[:3, 0] = (0, 0, 2.0)  # z
    affine[:3, 1] = (-np.sin(turn), np.cos(turn), 0)  # y
    affine[:3, 2] = (np.cos(turn), np.sin(turn), 0)  # x
    affine[:3, 3] = (-20.0, -30.0 + number, 5.0)
    geometry = Geometry(affine, Space.PATIENT)
    values = field_of(geometry.positions(np.moveaxis(np.indices(CT_SHAPE), 0, -1)))
    samples = np.rint((values - HOUNSFIELD.intercept) / HOUNSFIELD.slope).astype(np.int16)
    image = Volume(samples, "zyx", geometry, HOUNSFIELD)
    mask = Volume((values > 150).astype(np.uint8), "zyx", geometry)
    name, mask_name = f"ct-{number}", f"ct-{number}-mask"
    return [
        stored_row(store, name, image, "CT", mask=mask_name),
        stored_row(store, mask_name, mask, "CT", mask_of=name),
    ]


def radiograph_row(store: ObjectStore) -> CatalogRow:
    samples = np.random.default_rng(1).integers(0, 4096, (90, 70), dtype=np.uint16)
    return stored_row(store, "xr-0", Volume(samples, "yx", geometry_from_spacing((1.0, 0.5, 0.5))), "DX")


def photograph_row(store: ObjectStore) -> CatalogRow:
    samples = np.random.default_rng(2).integers(0, 256, (48, 40, 3), dtype=np.uint8)
    return stored_row(store, "photo-0", Volume(samples, "yxc", geometry_of_indices()), "XC")


def stored_row(  # noqa: PLR0913 - what a catalog row says
    store: ObjectStore,
    name: str,
    volume: Volume,
    modality: str,
    *,
    mask: str | None = None,
    mask_of: str | None = None,
) -> CatalogRow:
    stored = write_scan(store, name, volume, wavelet=MASK_WAVELET if mask_of else IMAGE_WAVELET)
    return CatalogRow(
        scan_id=name,
        digest=stored.digest,
        header=stored.header,
        modality=modality,
        body_part="CHEST",
        mask=mask,
        mask_of=mask_of,
        source_sha256="0" * 64,
        source_bytes=volume.voxels.nbytes,
        stored_bytes=stored.stored_bytes,
        labels=LABELS.get(name, {}),
    )


_numbers = count()


def in_memory(folder: Path) -> str:
    """The address of a new copy in memory of the published dataset in `folder`."""
    source, target = open_store(str(folder)), open_store(f"memory://cohort-{next(_numbers)}")
    for key, _ in source.list(""):
        target.put(key, source.get(key))
    return target.url


@dataclass
class CountingStore:
    """A store that notes every range that is fetched of it, as (key, start, stop)."""

    inner: ObjectStore
    fetches: Fetches = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address."""
        return self.inner.url

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        data = self.inner.get(key)
        self.fetches.append((key, 0, len(data)))
        return data

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """See `Store.get_range`."""
        self.fetches.append((key, start, stop))
        return self.inner.get_range(key, start, stop)

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """See `Store.get_ranges`."""
        self.fetches.extend((key, start, stop) for start, stop in ranges)
        return self.inner.get_ranges(key, ranges)

    def put(self, key: str, data: bytes | memoryview) -> None:
        """See `Store.put`."""
        self.inner.put(key, data)

    def delete(self, keys: Sequence[str]) -> None:
        """See `Store.delete`."""
        self.inner.delete(keys)

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Store.list`."""
        return self.inner.list(prefix)


class RangeHandler(SimpleHTTPRequestHandler):
    """Plain web hosting: files, and single ranges of them (RFC 9110 14.2)."""

    protocol_version = "HTTP/1.1"

    def __init__(self, sent: Fetches, *args: object, **kwargs: str) -> None:
        self.sent = sent
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # as the base class has them

    def do_GET(self) -> None:
        """A file, or the range of it that is asked for."""
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data, wanted = path.read_bytes(), self.headers.get("Range")
        start, stop = (0, len(data)) if wanted is None else half_open(wanted, len(data))
        self.sent.append((self.path, -1 if wanted is None else start, stop))
        self.send_response(200 if wanted is None else 206)
        self.send_header("Content-Length", str(stop - start))
        if wanted is not None:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[start:stop])

    def log_message(self, *_: object) -> None:
        """Tests print nothing."""


def half_open(header: str, length: int) -> tuple[int, int]:
    first, last = header.removeprefix("bytes=").split("-")
    return int(first), min(int(last) + 1, length)
