"""The volumes in folders of images, read as ingest reads them, for measurements that need voxels and no dataset."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mist.console import note
from mist.errors import SourceRefused
from mist.ingest.discover import Discovery, discover
from mist.ingest.join import join_labels
from mist.ingest.labels import read_labels
from mist.ingest.load import load_scan
from mist.volume import Volume


@dataclass(frozen=True, slots=True)
class NamedVolume:
    """A volume and what it is called."""

    name: str
    volume: Volume
    is_mask: bool
    modality: str = ""
    """DICOM's Modality; empty where the source is silent."""


def volumes_in(source: Path, *, splits: tuple[str, ...] | None = None, every: int = 1) -> Iterator[NamedVolume]:
    """The volumes that `source`, a file or a folder, holds; what cannot be read is noted and left out.

    Parameters
    ----------
    splits
        Only what the folder's `labels.csv` puts into one of these splits; everything where None or without such a file.
    every
        Only every so manieth scan.
    """
    labels = source / "labels.csv"
    found = discover([source])
    if labels.is_file():
        found = join_labels(found, read_labels(labels))
        if splits is not None and _has_splits(labels):
            found = Discovery(tuple(task for task in found.tasks if task.labels.get("split") in splits), found.refusals)
    for refusal in found.refusals:
        note(f"left out: {refusal.reason}")
    for task in found.tasks[::every]:
        try:
            scan = load_scan(task)
        except SourceRefused as error:
            note(f"left out: {error}")
            continue
        yield NamedVolume(task.scan_id, scan.decoded.volume, task.is_mask, scan.decoded.modality)


def _has_splits(labels: Path) -> bool:
    with labels.open(newline="") as file:
        return "split" in next(csv.reader(file))
