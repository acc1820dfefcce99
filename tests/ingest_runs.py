"""Arrays to ingest, and what a dataset then holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mist.ingest.run import ingest
from mist.request import Request
from mist_storage.dataset import Dataset


def voxels_of(seed: int, *shape: int) -> npt.NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 4000, shape or (40, 50)).astype(np.uint16)


def mask_of(seed: int, *shape: int) -> npt.NDArray[np.uint8]:
    return (voxels_of(seed, *shape) > 3000).astype(np.uint8)


def read(dataset: Dataset, scan_id: str) -> npt.NDArray[np.integer | np.floating]:
    return dataset.reader(scan_id).read(Request()).voxels


def statuses(source: Path, url: str, *, replace: bool = False, dry_run: bool = False) -> dict[str, str]:
    report = ingest([source], url, workers=1, replace=replace, dry_run=dry_run)
    return {outcome.scan_id: outcome.status.value for outcome in report.outcomes}


def objects(url: str) -> dict[str, bytes]:
    """Every file of a dataset."""
    root = Path(url.removeprefix("file://"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def stored(url: str) -> dict[str, bytes]:
    return {key: data for key, data in objects(url).items() if key.startswith("scans/")}
