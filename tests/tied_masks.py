"""What an ingest made of scans and their masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import mist_client
from mist.ingest.report import IngestReport, ScanOutcome
from mist.ingest.run import ingest
from mist_storage.dataset import open_dataset


def outcomes(report: IngestReport) -> dict[str, ScanOutcome]:
    """What became of each scan."""
    return {outcome.scan_id: outcome for outcome in report.outcomes}


def statuses(folder: Path, url: str, **options: object) -> dict[str, str]:
    """How the ingest of a folder ended for each scan."""
    report = ingest([folder], url, workers=1, **options)  # type: ignore[arg-type]
    return {scan_id: outcome.status.value for scan_id, outcome in outcomes(report).items()}


def ties(url: str) -> dict[str, tuple[str | None, str | None]]:
    """The mask of each scan, and whose mask it is."""
    catalog = open_dataset(url).catalog
    return {row.scan_id: (row.mask, row.mask_of) for row in map(catalog.row, catalog.scan_ids)}


def labels_of(url: str, scan_id: str, level: int = 0) -> np.ndarray:
    """The voxels of a scan's mask."""
    mask = mist_client.open(url)[scan_id].mask
    assert mask is not None
    return mask.read(level=level).voxels
