"""The demo: from files to a trained model, through everything that MIST does.

The rule: nothing is special to the demo. It ingests, serves, fetches and trains through the same doors as its users,
and every number that it prints is measured while it runs.
"""

from __future__ import annotations

import json
import math
import shutil
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mist.console import note, progress, say, say_table, size
from mist.errors import InvalidRequest
from mist.ingest.report import IngestReport
from mist.ingest.run import ingest
from mist.request import Request
from mist_client.dataset import Dataset
from mist_client.dataset import open as open_dataset
from mist_client.scan import Scan
from mist_eval.demo_sources import DemoSource, default_sources, own_source
from mist_eval.local_server import local_server
from mist_eval.resolution_table import TRAINED_SIDE, ResolutionRow, Task, classification_task, resolution_rows

DEMO_MARK = ".mist-demo"
"""A file that says that a folder was made by the demo, and may be emptied by it."""

PHANTOMS = 240
"""Labelled phantoms: enough that a network learns from them what each resolution shows, in half a minute."""

SHOWN_REFUSALS = 20
"""Refused sources that are listed; there may be thousands in a user's folder."""

LEVELS = 4
"""Resolutions compared: full resolution and three halvings, where a scan has them."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """A dataset that the demo has made."""

    source: DemoSource
    folder: Path
    """Where it lies."""
    report: IngestReport
    seconds: float

    @property
    def name(self) -> str:
        """What it is called."""
        return self.source.name


def run_demo(
    folder: Path, data: Path | None = None, *, sizes: Sequence[int] | None = None, phantoms: int = PHANTOMS
) -> None:
    """Run the demo in `folder`, on the images of the folder `data` if one is given, and print its tables.

    Parameters
    ----------
    folder
        Where sources and datasets are put. It is emptied first, which is refused unless the demo made it.
    data
        A user's own images; images that pydicom ships and generated phantoms without it.
    sizes
        In-plane sizes in pixels to compare; levels 0 to 3 without them.
    phantoms
        How many labelled phantoms to generate.

    Raises
    ------
    InvalidRequest
        `folder` holds something else, `data` is no folder, or nothing in it could be ingested.
    """
    sources = _sources(folder, data, phantoms)
    note(f"demo: files go to {folder.absolute()}")
    ingested = [_ingest(source, folder / "store") for source in sources]
    say_table("1. Ingested: one lossless copy of each scan", [_ingest_row(done) for done in ingested], right=_NUMBERS)
    _say_refusals(ingested)
    with local_server(str(folder / "store")) as address:
        _say_one_scan(address, ingested)
        for done in ingested:
            _say_resolutions(f"{address}/v1/datasets/{done.name}/store", done, sizes)
    say()
    say(f"The datasets stay in {folder / 'store'}; try: mist ls {ingested[-1].folder}")


def _sources(folder: Path, data: Path | None, phantoms: int) -> list[DemoSource]:
    if data is None:
        _empty(folder)
        return default_sources(folder / "sources", phantoms)
    source = own_source(data)
    if folder.resolve() in (data.resolve(), *data.resolve().parents):
        raise InvalidRequest(f"{data} lies in {folder}, which the demo empties; name another --folder")
    _empty(folder)
    return [source]


def _empty(folder: Path) -> None:
    if folder.exists():
        if not folder.is_dir() or (any(folder.iterdir()) and not (folder / DEMO_MARK).exists()):
            raise InvalidRequest(f"{folder} holds something that the demo did not make; name another --folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / DEMO_MARK).touch()


def _ingest(source: DemoSource, store: Path) -> Ingested:
    started = time.perf_counter()
    with progress(f"ingest {source.name}") as advance:
        report = ingest(
            [source.folder],
            str(store / source.name),
            labels=source.labels,
            on_progress=lambda step: advance(step.done, step.total, step.outcome.source),
        )
    if len(report.refused) == len(report.outcomes):
        raise InvalidRequest(f"{source.folder}: nothing could be ingested: {report.refused[0].reason}")
    return Ingested(source, store / source.name, report, time.perf_counter() - started)


_NUMBERS = ("scans", "source", "voxels", "stored", "stored / source", "GETs", "bytes moved", "seconds", "ms")
_SHARES = ("of source", "of stored", "accuracy")


def _ingest_row(done: Ingested) -> dict[str, object]:
    report = done.report
    return {
        "dataset": done.name,
        "scans": len(report.outcomes) - len(report.refused),
        "source": size(report.source_bytes),
        "voxels": size(sum(map(_voxel_bytes, open_dataset(str(done.folder))))),
        "stored": size(report.stored_bytes),
        "stored / source": f"{report.stored_bytes / max(1, report.source_bytes):.2f}",
        "seconds": f"{done.seconds:.1f}",
    }


def _voxel_bytes(scan: Scan) -> int:
    """Size of a scan's voxels as a plain array, which source files may hold compressed; its mask's among them."""
    own = math.prod(scan.levels[0].shape) * np.dtype(scan.dtype).itemsize
    return own if scan.mask is None else own + _voxel_bytes(scan.mask)


def _say_refusals(ingested: Sequence[Ingested]) -> None:
    refused = [outcome for done in ingested for outcome in done.report.refused]
    if refused:
        say()
        shown = [{"source": outcome.source, "reason": outcome.reason} for outcome in refused[:SHOWN_REFUSALS]]
        say_table("Refused, and why", shown, folded="reason")


def _say_one_scan(address: str, ingested: Sequence[Ingested]) -> None:
    """Download one scan at three levels through the image route."""
    name, scan = max(((done.name, scan) for done in ingested for scan in open_dataset(str(done.folder))), key=_shows)
    image = f"/v1/datasets/{name}/scans/{scan.id}/image?format=npy&level="
    rows = [_download(f"{address}{image}", level) for level in range(min(3, len(scan.levels)) - 1, -1, -1)]
    say()
    say_table(f"2. Served at {address}; one scan at several resolutions", rows, right=_NUMBERS)
    say(f"GET {image}...")


def _shows(named: tuple[str, Scan]) -> tuple[bool, bool, int]:
    """What makes a scan worth showing: several levels, a spacing in millimetres, size."""
    full = named[1].levels[0]
    return len(named[1].levels) >= 3, full.spacing_mm is not None, full.end_byte


def _download(image: str, level: int) -> dict[str, object]:
    started = time.perf_counter()
    with urllib.request.urlopen(f"{image}{level}") as answer:  # noqa: S310 - our own server
        body, headers = answer.read(), answer.headers
    return {
        "level": level,
        "shape": _times(json.loads(headers["Mist-Shape"])),
        "spacing (mm)": _times(json.loads(headers["Mist-Spacing"]) or ()),
        "stored": size(int(headers["Mist-Bytes-Read"])),
        "voxels": size(len(body)),
        "ms": f"{1000 * (time.perf_counter() - started):.0f}",
    }


def _times(lengths: Sequence[float]) -> str:
    return " x ".join(f"{length:g}" for length in lengths)


def _say_resolutions(url: str, done: Ingested, sizes: Sequence[int] | None) -> None:
    dataset = open_dataset(url)
    task = classification_task(dataset)
    if task is not None:
        note(f"{done.name}: training a network at each resolution on {', '.join(map(str, task.classes))}")
    rows = resolution_rows(url, _requests(dataset, sizes), task)
    say()
    title = f"3. {done.name}: every scan streamed once over HTTP, at each resolution"
    say_table(title, [_resolution_row(row, done, task) for row in rows], right=(*_NUMBERS, *_SHARES))
    if task is not None:
        say(f"accuracy: balanced, on the test split; no network is trained above {TRAINED_SIDE} pixels")


def _requests(dataset: Dataset, sizes: Sequence[int] | None) -> list[Request]:
    if sizes is not None:
        return [Request(size=side) for side in sizes]
    levels = min(len(scan.levels) for scan in dataset)
    return [Request(level=level) for level in range(min(LEVELS, levels))]


def _resolution_row(row: ResolutionRow, done: Ingested, task: Task | None) -> dict[str, object]:
    asked = f"level {row.request.level}" if row.request.size is None else f"size {row.request.size}"
    measured = {
        "resolution": asked,
        "shape": " or ".join(map(_times, row.shapes)) if len(row.shapes) <= 2 else f"{len(row.shapes)} shapes",
        "GETs": row.requests,
        "bytes moved": size(row.bytes_moved),
        "of source": f"{row.bytes_moved / max(1, done.report.source_bytes):.1%}",
        "of stored": f"{row.bytes_moved / max(1, done.report.stored_bytes):.1%}",
        "seconds": f"{row.seconds:.1f}",
    }
    if task is None:
        return measured
    return {**measured, "accuracy": "" if row.accuracy is None else f"{row.accuracy:.2f}"}
