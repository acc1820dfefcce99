"""What the server's tests share: a small dataset with one scan of each kind, and a server on a real port."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from aiohttp import web

from mist.codec import Json
from mist.geometry import geometry_from_dicom, geometry_from_spacing, geometry_of_indices
from mist.scan import Display
from mist.server.app import create_app
from mist.server.settings import ServerSettings
from mist.volume import Rescale, Volume, Voxels
from mist.wavelet import IMAGE_WAVELET, MASK_WAVELET
from mist_storage.catalog import CatalogRow, commit_rows
from mist_storage.scan_writer import write_scan
from mist_storage.store import open_store

CT_WINDOW = Display(window_center=40.0, window_width=400.0)
INVERTED = Display(inverted=True)


@dataclass(frozen=True, slots=True)
class SmallDataset:
    """A dataset in a folder, and what was put into it."""

    root: Path
    """The folder below which the dataset lies."""
    volumes: Mapping[str, Volume]
    """The volumes stored, by scan id."""
    rows: Mapping[str, CatalogRow]
    """Their rows."""

    @property
    def folder(self) -> Path:
        """The dataset itself, which is called `small`."""
        return self.root / "small"

    def blocks_file(self, scan_id: str) -> Path:
        """The file that holds a scan's blocks."""
        return self.folder / "scans" / scan_id / self.rows[scan_id].digest / "c/0/0/0/0"


def volumes() -> dict[str, Volume]:
    """One volume of each kind, small and full of structure."""
    random = np.random.default_rng(7)
    z, y, x = np.mgrid[0:18, 0:150, 0:130]
    ct = (900 * np.sin(z / 3) * np.cos(y / 9) * np.sin(x / 11) + random.integers(-20, 20, z.shape)).astype(np.int16)
    mask = (np.hypot(y - 70, x - 60) < 40).astype(np.uint8) * (1 + z // 9).astype(np.uint8)
    position = geometry_from_dicom((-120.0, -100.5, 30.25), (1, 0, 0, 0, 0.8, 0.6), (0.7, 0.7), (0.0, -3.0, 4.0))
    rows, columns = np.mgrid[0:257, 0:190]
    radiograph = ((rows * columns) % 251 + random.integers(0, 5, rows.shape)).astype(np.uint8)
    photo = random.integers(0, 256, (120, 90, 3), np.uint8)
    cine = random.integers(0, 256, (6, 80, 70), np.uint8)
    fine = (radiograph.astype(np.uint16) * 257)[:100, :90]
    return {
        "cine": Volume(cine, "tyx", geometry_of_indices()),
        "ct": Volume(ct, "zyx", position, Rescale(2.0, -24.0, "HU")),
        "ct-mask": Volume(mask, "zyx", position),
        "fine": Volume(fine, "yx", geometry_of_indices()),
        "photo": Volume(photo, "yxc", geometry_of_indices()),
        "radiograph": Volume(radiograph, "yx", geometry_from_spacing((1.0, 0.2, 0.2))),
    }


def make_dataset(root: Path, images: Mapping[str, Voxels] | None = None) -> SmallDataset:
    """A dataset called `small` below `root`: the `volumes`, or `images` (z, y, x)."""
    stored = volumes() if images is None else {k: Volume(v, "zyx", geometry_of_indices()) for k, v in images.items()}
    return SmallDataset(root, stored, store_volumes(str(root / "small"), stored))


def store_volumes(url: str, stored: Mapping[str, Volume]) -> dict[str, CatalogRow]:
    """Put volumes into the dataset at `url`; the rows committed are returned, by scan id."""
    rows = {scan_id: _store(url, scan_id, volume) for scan_id, volume in stored.items()}
    commit_rows(url, list(rows.values()))
    return rows


def _store(url: str, scan_id: str, volume: Volume) -> CatalogRow:
    wavelet = MASK_WAVELET if scan_id == "ct-mask" else IMAGE_WAVELET
    display = {"ct": CT_WINDOW, "radiograph": INVERTED}.get(scan_id)
    sources: list[dict[str, Json]] = [{"name": f"{scan_id}.dat", "bytes": volume.voxels.nbytes}]
    scan = write_scan(open_store(url), scan_id, volume, wavelet=wavelet, display=display, sources=sources)
    return CatalogRow(
        scan_id=scan_id,
        digest=scan.digest,
        header=scan.header,
        modality="CT" if scan_id.startswith("ct") else "OT",
        body_part="",
        mask="ct-mask" if scan_id == "ct" else None,
        mask_of="ct" if scan_id == "ct-mask" else None,
        source_sha256="0" * 64,
        source_bytes=volume.voxels.nbytes,
        stored_bytes=scan.stored_bytes,
        labels={"age": len(scan_id) * 10, "score": float("nan") if scan_id == "photo" else 0.5},
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the server says
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server on a real port."""

    url: str
    """Such as `http://127.0.0.1:40000`."""
    served: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Range of every request, in order."""

    def ask(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to one request, on a connection of its own; `path` is sent as it is."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


@contextmanager
def running_server(root_url: str, settings: ServerSettings | None = None) -> Iterator[RunningServer]:
    """A server of `root_url` in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        runner, server = asyncio.run_coroutine_threadsafe(_started(root_url, settings), loop).result(30)
        yield server
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _started(root_url: str, settings: ServerSettings | None) -> tuple[web.AppRunner, RunningServer]:
    app = create_app(root_url, settings)
    served: list[tuple[str, str, str]] = []

    async def note(request: web.Request, _: web.StreamResponse) -> None:
        served.append((request.method, request.path, request.headers.get("Range", "")))

    app.on_response_prepare.append(note)
    runner = web.AppRunner(app, shutdown_timeout=2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, RunningServer(f"http://127.0.0.1:{runner.addresses[0][1]}", served)
