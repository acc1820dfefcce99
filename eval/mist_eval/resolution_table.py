"""What each resolution of a dataset costs, and what a model makes of it.

The rule: bytes are counted where they cross the network. Every scan is read once at each resolution; a model is trained
where the scans have labels and can be batched.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mist.request import Request
from mist_client.dataset import CACHE_BYTES, Dataset, Source
from mist_client.torch_dataset import ScanDataset, data_loader
from mist_eval.classifier import Training, balanced_accuracy, train_classifier
from mist_eval.metered_store import MeteredStore
from mist_storage.catalog_row import Label
from mist_storage.dataset import Dataset as StoredDataset
from mist_storage.dataset import open_dataset
from mist_storage.prefix_cache import PrefixCache

BATCH_SIZE = 16

TRAINED_SIDE = 128
"""The most pixels along a side at which a model is trained: more takes a processor minutes."""


_CHOSEN = "split IN ('train', 'test') AND label IS NOT NULL"
"""The scans that a model is trained and tested on."""


@dataclass(frozen=True, slots=True)
class Task:
    """A classification that the labels of a dataset set."""

    label: str
    """The column to predict."""
    classes: tuple[Label, ...]
    """Its values."""


@dataclass(frozen=True, slots=True)
class ResolutionRow:
    """What one resolution of a dataset costs."""

    request: Request
    """The resolution."""
    shapes: tuple[tuple[int, ...], ...]
    """The distinct shapes of the scans' voxels at it."""
    bytes_moved: int
    """Bytes fetched to read every scan once."""
    requests: int
    """GETs that this took."""
    seconds: float
    """Time that this took, decoding included."""
    accuracy: float | None = None
    """Balanced accuracy on the test split of a model trained at this resolution; None where none was trained, for want
    of labels or of time."""


@dataclass(frozen=True, slots=True)
class MeteredDataset:
    """A dataset, and the count of what is fetched for it."""

    dataset: Dataset
    meter: MeteredStore


def metered(url: str) -> MeteredDataset:
    """The dataset at `url` with a meter below its cache."""
    stored = open_dataset(url)
    meter = MeteredStore(stored.store)
    cached = StoredDataset(stored.url, PrefixCache(meter, CACHE_BYTES), stored.catalog)
    return MeteredDataset(Dataset(Source(stored.url, stored.catalog.version, CACHE_BYTES), (), cached), meter)


def resolution_rows(url: str, requests: Sequence[Request], task: Task | None = None) -> list[ResolutionRow]:
    """A row for each of `requests`, each read anew from the dataset at `url`."""
    return [_row(url, request, task) for request in requests]


def classification_task(dataset: Dataset) -> Task | None:
    """The task that the columns `label` and `split` of a dataset set, or None where they set none.

    The scans that are trained and tested on must be 2-D and single-channel, and of more than one class.
    """
    if not {"label", "split"} <= set(dataset.label_columns):
        return None
    chosen = dataset.where(_CHOSEN)
    classes = tuple(sorted(set(chosen.column("label")), key=str))
    flat = all(scan.axes == "yx" for scan in chosen)
    both = set(chosen.column("split")) == {"train", "test"}
    return Task("label", classes) if flat and both and len(classes) > 1 else None


def _row(url: str, request: Request, task: Task | None) -> ResolutionRow:
    source = metered(url)
    started = time.perf_counter()
    shapes = {scan.id: scan.reader.read(request).voxels.shape for scan in source.dataset}
    seconds = time.perf_counter() - started
    moved, requests = source.meter.bytes, source.meter.requests
    accuracy = None
    if task is not None and _batches({shapes[scan.id] for scan in source.dataset.where(_CHOSEN)}):
        accuracy = _accuracy(source.dataset, request, task)
    return ResolutionRow(request, tuple(sorted(set(shapes.values()))), moved, requests, seconds, accuracy)


def _batches(shapes: set[tuple[int, ...]]) -> bool:
    """Whether images of these shapes make batches that a processor can train on in time."""
    return len(shapes) == 1 and max(max(shapes)) <= TRAINED_SIDE


def _accuracy(dataset: Dataset, request: Request, task: Task) -> float:
    """Train on the stream; what the cache holds is not fetched again, so all epochs cost what one does."""
    torch.manual_seed(0)
    loaders = {
        split: data_loader(
            ScanDataset(
                dataset.where(f"split = '{split}' AND {_CHOSEN}"),
                level=request.level,
                size=request.size,
                label=task.label,
                classes=task.classes,
            ),
            batch_size=BATCH_SIZE,
            shuffle=split == "train",
        )
        for split in ("train", "test")
    }
    network = train_classifier(loaders["train"], Training(len(task.classes)))
    return balanced_accuracy(network, loaders["test"], len(task.classes))
