"""How fast scans are ingested: `python -m mist_eval.bench_ingest --help`.

The rule: what is timed is the whole way, from files to a committed row, into a new folder each time. Beside it stands
OpenJPH, which only encodes, from memory; both on one thread. Processes are those of the `mist` command.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer

from mist.console import say_table
from mist.errors import DatasetNotFound, InvalidRequest
from mist.ingest.run import ingest
from mist.warm_up import warm_up
from mist_eval.integer_volume import IntegerVolume
from mist_eval.paired_timing import paired_time
from mist_eval.rivals import encode_htj2k, fits
from mist_eval.volumes import volumes_in
from mist_storage.dataset import open_dataset
from mist_storage.decoding_threads import stay_on_one_thread
from mist_storage.keys import KEPT, SOURCE

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)

SIDE = 64
"""Pixels along each side of a generated image."""

Row = dict[str, object]


@app.command()
def speed(sources: Annotated[list[Path], typer.Argument(metavar="FOLDER...")]) -> None:
    """Ingest, as a multiple of the speed at which OpenJPH alone encodes the same voxels; one thread each."""
    stay_on_one_thread()
    warm_up(to_encode=True)
    say_table("Ingest beside OpenJPH", [_speed_row(source) for source in sources])


@app.command()
def scale(
    sources: Annotated[list[Path], typer.Argument(metavar="FOLDER...")],
    runs: Annotated[int, typer.Option(min=1, help="The median of so many is shown.")] = 3,
) -> None:
    """Files and megabytes a second by 1 process, 2 workers, and a Dask cluster of 2 workers."""
    rows = []
    with _dask(workers=2) as scheduler:
        ways = {
            "1 process": ["--workers", "1"],
            "2 workers": ["--workers", "2"],
            "Dask, 2 workers": ["--scheduler", scheduler],
        }
        for source in sources:
            rows += [_scale_row(source, name, options, runs) for name, options in ways.items()]
    say_table("Ingest", rows)


@app.command()
def size(sources: Annotated[list[Path], typer.Argument(metavar="FOLDER...")]) -> None:
    """Bytes of source files beside those that are stored: voxels, what gives the files back, everything else."""
    say_table("Bytes", [_size_row(source) for source in sources])


@app.command()
def resume(
    files: Annotated[int, typer.Option(min=2, help="How many images to generate.")] = 10_000,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Kill an ingest of many small files half-way, and run it again, twice."""
    with TemporaryDirectory() as folder:
        source, url = _images(Path(folder) / "source", files), (Path(folder) / "dataset").as_uri()
        parts = [
            asdict(part) | {"seconds": f"{part.seconds:.1f}"} for part in interrupted(source, url, files // 2, workers)
        ]
        say_table("An ingest that is killed", parts)


@dataclass(frozen=True, slots=True)
class Part:
    """One of several runs of an ingest."""

    run: str
    """What it was."""
    seconds: float
    """How long it took."""
    encoded: int
    """Scans that it read, encoded and wrote."""
    committed: int
    """Scans that the dataset had at its end."""


def interrupted(source: Path, url: str, kill_at: int, workers: int) -> list[Part]:
    """An ingest killed as soon as `kill_at` scans are committed, then run to its end, then once more."""
    command = ["--workers", str(workers)]
    start = time.perf_counter()
    process = _start(*_command(source, url, command))
    while _committed(url) < kill_at and process.poll() is None:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    first = Part("killed", time.perf_counter() - start, _written(url), _committed(url))
    return [first, *(_run(name, source, url, command) for name in ("resumed", "again"))]


def _run(name: str, source: Path, url: str, options: list[str]) -> Part:
    seconds, said = _timed(source, url, options)
    return Part(name, seconds, said["stored"], _committed(url))


def _timed(source: Path, url: str, options: list[str]) -> tuple[float, dict[str, int]]:
    """How long the command took, and how many scans it says it stored, and so on."""
    start = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - a command of ours
        _command(source, url, options), capture_output=True, check=False, text=True
    )
    seconds = time.perf_counter() - start
    if not done.stdout:
        raise InvalidRequest(f"{source}: the ingest failed: {done.stderr.strip()}")
    said: dict[str, int] = json.loads(done.stdout)["counts"]
    return seconds, said


def _command(source: Path, url: str, options: list[str]) -> list[str]:
    return [sys.executable, "-m", "mist.command", "ingest", str(source), url, "--json", *options]


def _committed(url: str) -> int:
    try:
        return len(open_dataset(url).catalog)
    except DatasetNotFound:
        return 0


def _written(url: str) -> int:
    """Scans whose objects are all there."""
    return len(list((Path(url.removeprefix("file://")) / "scans").glob("*/*/zarr.json")))


def _images(folder: Path, count: int) -> Path:
    """Small images with a little noise."""
    folder.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 16, (SIDE, SIDE))
        np.save(folder / f"{number:06}.npy", (noise + np.arange(SIDE) * 8).astype(np.uint16))
    return folder


def _speed_row(source: Path) -> Row:
    volumes = [scan.volume for scan in volumes_in(source)]
    slices = [plane for volume in volumes for plane in IntegerVolume.of(volume).slices]
    if not fits(np.concatenate([plane.ravel() for plane in slices])[None, None, None]):
        raise InvalidRequest(f"{source}: OpenJPH does not take its samples")
    with TemporaryDirectory() as folder:  # removed when nothing is timed: that takes up to a second
        fresh = (Path(folder, str(number)).as_uri() for number in count())
        time_of = paired_time(
            lambda: [encode_htj2k(plane) for plane in slices], lambda: ingest([source], next(fresh), workers=1)
        )
    megabytes = sum(volume.voxels.nbytes for volume in volumes) / 1e6
    return {
        "source": source.name,
        "scans": len(volumes),
        "ingest / OpenJPH": str(time_of),
        "ingest MB/s": f"{megabytes / time_of.b_seconds:.1f}",
        "OpenJPH MB/s": f"{megabytes / time_of.a_seconds:.1f}",
    }


def _size_row(source: Path) -> Row:
    with TemporaryDirectory() as folder:
        outcomes = [each for each in ingest([source], Path(folder).as_uri()).outcomes if each.stored_bytes]
        found = [(path.name, path.parts, path.stat().st_size) for path in Path(folder).rglob("*") if path.is_file()]
    given, stored = sum(each.source_bytes for each in outcomes), sum(size for _, _, size in found)
    kept = sum(size for name, _, size in found if name in (SOURCE, KEPT))
    voxels = sum(size for _, parts, size in found if "c" in parts)
    return {
        "source": source.name,
        "scans": len(outcomes),
        "source bytes": given,
        "stored": stored,
        "voxels": voxels,
        "to give files back": kept,
        "else": stored - voxels - kept,
        "stored / source": f"{stored / given:.3f}" if given else "",
    }


def _scale_row(source: Path, name: str, options: list[str], runs: int) -> Row:
    seconds, said = zip(*(_fresh(source, options) for _ in range(runs)), strict=True)
    median = float(np.median(seconds))
    files = [path for path in source.rglob("*") if path.is_file()]
    return {
        "source": source.name,
        "by": name,
        "seconds": f"{median:.2f}",
        "files/s": f"{len(files) / median:.1f}",
        "MB/s": f"{sum(path.stat().st_size for path in files) / 1e6 / median:.1f}",
        "scans": said[0]["stored"],
    }


def _fresh(source: Path, options: list[str]) -> tuple[float, dict[str, int]]:
    with TemporaryDirectory() as folder:
        return _timed(source, Path(folder, "dataset").as_uri(), options)


@contextmanager
def _dask(workers: int) -> Iterator[str]:
    """The address of a scheduler on this machine with so many workers of one thread."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    with TemporaryDirectory() as folder:
        here = ["--host", "127.0.0.1", "--no-dashboard"]
        commands = [["dask_scheduler", *here, "--port", address.rpartition(":")[2]]]
        commands += [["dask_worker", address, *here, "--nthreads", "1", "--local-directory", folder]] * workers
        started = [_start(sys.executable, "-m", f"distributed.cli.{name}", *rest) for name, *rest in commands]
        try:
            yield address
        finally:
            for process in started:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()


def _start(*command: str) -> subprocess.Popen[bytes]:
    """A process without output, in a group of its own."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)  # noqa: S603 - a command of ours


if __name__ == "__main__":
    app()
