"""The demo: from files to a trained model, through everything that MIST does.

The rule: nothing is special to the demo. It ingests, serves, fetches and trains through the same doors as its users,
and every number that it prints is measured while it runs.
"""

from __future__ import annotations

import shutil
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mist.console import note, progress, say, say_table, size
from mist.errors import InvalidRequest
from mist.ingest.report import IngestReport
from mist.ingest.run import ingest
from mist.request import Request
from mist_client.dataset import Dataset
from mist_client.dataset import open as open_dataset
from mist_eval.demo_sources import DemoSource, default_sources, own_source
from mist_eval.local_server import local_server
from mist_eval.resolution_table import ResolutionRow, classification_task, resolution_rows

DEMO_MARK = ".mist-demo"
"""A file that says that a folder was made by the demo, and may be emptied by it."""

LEVELS = 4
"""Resolutions compared: full resolution and three halvings, where a scan has them."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """A dataset that the demo has made."""

    source: DemoSource
    report: IngestReport
    seconds: float


def run_demo(folder: Path, data: Path | None = None, sizes: Sequence[int] | None = None) -> None:
    """Run the demo in `folder`, on the images of the folder `data` if one is given, and print its tables.

    Parameters
    ----------
    folder
        Where sources and datasets are put. It is emptied first, which is refused unless the demo made it.
    data
        A user's own images; images that pydicom ships and generated phantoms without it.
    sizes
        In-plane sizes in pixels to compare; levels 0 to 3 without them.

    Raises
    ------
    InvalidRequest
        `folder` holds something else, `data` is no folder, or nothing in it could be ingested.
    """
    _empty(folder)
    note(f"demo: files go to {folder.absolute()}")
    sources = [own_source(data)] if data is not None else default_sources(folder / "sources")
    ingested = [_ingest(source, folder / "store") for source in sources]
    say_table("1. Ingested: one lossless copy of each scan", [_ingest_row(done) for done in ingested])
    _say_refusals(ingested)
    with local_server(str(folder / "store")) as address:
        say(f"\n2. Served at {address}; one scan by REST, at three resolutions:\n")
        main = ingested[-1].source.name
        say_table("", _rest_rows(address, main))
        for done in ingested:
            _say_resolutions(f"{address}/v1/datasets/{done.source.name}/store", done, sizes)
    say(f"\nThe datasets stay in {folder / 'store'}; try: mist ls {folder / 'store' / main}")


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
        raise InvalidRequest(f"{source.folder}: nothing could be ingested: {_reasons(report)[:3]}")
    return Ingested(source, report, time.perf_counter() - started)


def _reasons(report: IngestReport) -> list[str]:
    return [outcome.reason for outcome in report.refused]


def _ingest_row(done: Ingested) -> dict[str, object]:
    report = done.report
    return {
        "dataset": done.source.name,
        "scans": len(report.outcomes) - len(report.refused),
        "refused": len(report.refused),
        "source bytes": size(report.source_bytes),
        "stored bytes": size(report.stored_bytes),
        "stored / source": f"{report.stored_bytes / max(1, report.source_bytes):.2f}",
        "seconds": f"{done.seconds:.1f}",
    }


def _say_refusals(ingested: Sequence[Ingested]) -> None:
    refused = [outcome for done in ingested for outcome in done.report.refused]
    if refused:
        say_table("Refused, and why", [{"source": o.source, "reason": o.reason} for o in refused[:20]])


def _rest_rows(address: str, name: str) -> list[dict[str, object]]:
    """Download the dataset's largest scan at three levels through the image route."""
    dataset = open_dataset(f"{address}/v1/datasets/{name}/store")
    scan = max(dataset, key=lambda scan: scan.levels[0].end_byte)
    coarsest = min(2, len(scan.levels) - 1)
    return [
        _rest_row(f"{address}/v1/datasets/{name}/scans/{scan.id}/image", level) for level in range(coarsest, -1, -1)
    ]


def _rest_row(image: str, level: int) -> dict[str, object]:
    url = f"{image}?level={level}&format=npy"
    started = time.perf_counter()
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own server
        body, headers = answer.read(), answer.headers
    return {
        "GET": url.removeprefix(url.split("/v1/", maxsplit=1)[0]),
        "shape": headers["Mist-Shape"],
        "spacing": headers["Mist-Spacing"],
        "stored bytes read": size(int(headers["Mist-Bytes-Read"])),
        "voxels sent": size(len(body)),
        "ms": f"{1000 * (time.perf_counter() - started):.0f}",
    }


def _say_resolutions(url: str, done: Ingested, sizes: Sequence[int] | None) -> None:
    dataset = open_dataset(url)
    task = classification_task(dataset)
    if task is not None:
        note(f"{done.source.name}: training a network at each resolution on {', '.join(map(str, task.classes))}")
    rows = resolution_rows(url, _requests(dataset, sizes), task)
    title = f"\n3. {done.source.name}: every scan streamed once over HTTP, at each resolution"
    say_table(title, [_resolution_row(row, done) for row in rows])


def _requests(dataset: Dataset, sizes: Sequence[int] | None) -> list[Request]:
    if sizes is not None:
        return [Request(size=side) for side in sizes]
    levels = min(LEVELS, *(len(scan.levels) for scan in dataset))
    return [Request(level=level) for level in range(levels)]


def _resolution_row(row: ResolutionRow, done: Ingested) -> dict[str, object]:
    shapes = " or ".join(" x ".join(map(str, shape)) for shape in row.shapes[:2])
    asked = f"level {row.request.level}" if row.request.size is None else f"size {row.request.size}"
    return {
        "resolution": asked,
        "shape": shapes if len(row.shapes) <= 2 else f"{len(row.shapes)} shapes",
        "GETs": row.requests,
        "bytes moved": size(row.bytes_moved),
        "of source": f"{row.bytes_moved / max(1, done.report.source_bytes):.1%}",
        "of stored": f"{row.bytes_moved / max(1, done.report.stored_bytes):.1%}",
        "seconds": f"{row.seconds:.1f}",
        "accuracy": "" if row.accuracy is None else f"{row.accuracy:.2f}",
    }
