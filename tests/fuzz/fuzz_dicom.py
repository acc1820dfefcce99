"""Damaged DICOM files by the thousand through the reading half of an ingest, in processes with limits.

    python -m tests.fuzz.fuzz_dicom --count 10000 --seed 0 --seconds 600

Each mutant is looked at (`discover`) and decoded (`load_scan`) within 512 MiB of memory and an alarm of 20 seconds.
What may happen: it is stored, refused with a reason of one line, or is no image. A decoder that ends its process costs
one mutant, as it costs one scan in an ingest, and is counted. What else happens is printed with the file that did it,
and the exit status is 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path

import numpy as np

from mist.errors import SourceRefused
from mist.ingest.discover import discover
from mist.ingest.limits import Limits, limited
from mist.ingest.load import load_scan
from tests.dicom_mutants import mutants, seeds

MOST_SECONDS = 2.0
"""Processor time that one mutant may take."""

LIMITS = Limits(seconds=20, seconds_per_mib=0, memory_bytes=512 << 20, memory_per_byte=0)
"""What one mutant may take before it is stopped; the alarm is of real time, on machines that are busy."""

DIED = "process ended"


def outcome(path: Path) -> tuple[str, float]:
    """What becomes of a file, and how many seconds of processor time that took."""
    begin = time.process_time()
    with limited(LIMITS, 0):
        result = _outcome(path)
    return result, time.process_time() - begin


def _outcome(path: Path) -> str:
    try:
        found = discover([path])
        for task in found.tasks:
            load_scan(task)
    except SourceRefused as error:
        return _told(str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return f"FAILED: {error!r}"
    if found.tasks:
        return "stored"
    return _told(found.refusals[0].reason) if found.refusals else "no image"


def _told(reason: str) -> str:
    if not reason or "\n" in reason:
        return f"FAILED: not one line: {reason!r}"
    return "refused: memory" if "MemoryError" in reason else "refused"


def outcomes(paths: list[Path]) -> Iterator[tuple[Path, str, float]]:
    """What becomes of `paths`, each with its seconds; a process that ends costs one of them."""
    left = list(paths)
    while left:
        done = 0
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                for path, (result, seconds) in zip(left, pool.map(outcome, left), strict=True):
                    yield path, result, seconds
                    done += 1
            except BrokenProcessPool:
                yield left[done], DIED, 0.0
                done += 1
        left = left[done:]


def fuzz(count: int, seed: int, seconds: float, folder: Path | None = None) -> Counter[tuple[str, str]]:
    """How often each outcome came of each kind of mutant, of `count` or as many as are done in `seconds`."""
    made = mutants(seeds(folder), np.random.default_rng(seed))
    told: Counter[tuple[str, str]] = Counter()
    begin = time.monotonic()
    while told.total() < count and time.monotonic() - begin < seconds:
        with tempfile.TemporaryDirectory(prefix="mist-fuzz-") as name:
            told += _fuzz_some(list(islice(made, min(500, count - told.total()))), Path(name))
    return told


def _fuzz_some(batch: list[tuple[str, bytes]], folder: Path) -> Counter[tuple[str, str]]:
    kinds = {folder / f"{number}.dcm": kind for number, (kind, _) in enumerate(batch)}
    for path, (_, data) in zip(kinds, batch, strict=True):
        path.write_bytes(data)
    told: Counter[tuple[str, str]] = Counter()
    for path, result, took in outcomes(list(kinds)):
        late = took > MOST_SECONDS and not result.startswith("FAILED")
        verdict = f"FAILED: {took:.1f} s, then {result}" if late else result
        told[kinds[path], verdict] += 1
        if verdict.startswith("FAILED"):
            sys.stdout.write(f"{verdict}\n  {kinds[path]}: {path.read_bytes()[:4096].hex()}\n")
    return told


def main() -> int:
    """Run the command; its exit status comes back."""
    parser = argparse.ArgumentParser(description="damaged DICOM files through the reading half of an ingest")
    parser.add_argument("--count", type=int, default=10_000, help="damaged files")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--seconds", type=float, default=600, help="begin no more after this time")
    parser.add_argument("--folder", type=Path, help="of further files to damage, beside pydicom's own")
    options = parser.parse_args()
    told = fuzz(options.count, options.seed, options.seconds, options.folder)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    sys.stdout.write(f"seed {options.seed}: {told.total()} damaged files; the largest process had {peak} MiB\n")
    sys.stdout.writelines(f"{times:7} {kind}: {result}\n" for (kind, result), times in sorted(told.items()))
    return int(any(result.startswith("FAILED") for _, result in told))


if __name__ == "__main__":
    sys.exit(main())
