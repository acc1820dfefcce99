"""Scans as a PyTorch dataset, fetched at one resolution while a model trains.

The rule: an item depends on its index alone, so shuffling, workers and several machines change nothing but the order.
Nothing is fetched before an item is asked for. Knows nothing of how scans are stored.

Worker processes must not be forked from a process that has opened a dataset: the first item is then a `StoreError` that
says so. `data_loader` starts them by `forkserver`.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.context import ForkServerContext
from typing import TypedDict, TypeVar, Unpack

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler, default_collate
from torch.utils.data import Dataset as TorchDataset

from mist.errors import InvalidRequest
from mist.plan import make_plan
from mist.request import Request
from mist.volume import Volume, Voxels
from mist_client.channel_first import array_affine, same_grid, sample_array, value_array
from mist_client.dataset import Dataset
from mist_client.scan import Scan
from mist_client.target import Target
from mist_storage.catalog import Label

Item = dict[str, torch.Tensor | str]
"""What an index gives: `image`, `scan_id`, and `label` and `mask` where they were asked for."""

Transform = Callable[[Item], Item]
"""From an item to what is trained on: a function, or a MONAI dictionary transform."""

Sample = TypeVar("Sample")

_WIDER = {"uint16": np.int32, "uint32": np.int64}
"""Sample types in which PyTorch hardly calculates, and the least one that holds them and in which it does."""


class ScanDataset(TorchDataset[Item]):
    """A map-style dataset: item `i` is the i-th scan of `dataset` at one resolution.

    An item is a dictionary:

    `image`
        float32 (channels, *spatial), spatial axes in the scan's order (z, y, x); each frame of each colour is one of
        the channels. Values are physical: samples after the source's rescaling, so Hounsfield units for CT. With `raw`
        they are the stored samples in their own type (uint16 as int32, uint32 as int64).
    `mask`
        int64 (channels, *spatial), the labels of the scan's mask on the grid of `image`.
    `label`
        int64 () the index of a class, a whole number or a truth value; float32 () a real number.
    `scan_id`
        The scan's id, a str.

    Scans of different shapes give images of different shapes; to batch them, crop, pad or give `size=(height, width)`.

    Parameters
    ----------
    dataset
        The scans, as of `mist_client.open` and `Dataset.where`.
    level, size, spacing_mm, max_bytes
        The resolution, as of `Scan.read`; level 0 where none is given.
    label
        The label column to deliver as `label`, or None for none.
    classes
        The values of `label` in the order of their indices. None takes text as `Dataset.classes` sorts it, and numbers
        as they are.
    mask
        Whether to deliver the scan's mask.
    raw
        Whether `image` holds stored samples in place of physical values.
    as_meta
        Whether `image` and `mask` are MONAI `MetaTensor`, with the true affine (array indices to RAS millimetres).
    transform
        Called with each item; what it returns is delivered.

    Raises
    ------
    InvalidRequest
        Two resolutions are given, or classes without a label; a scan has no value in `label`, or none of `classes`; a
        mask is asked for and a scan has none.
    """

    def __init__(  # noqa: PLR0913 - each says one thing of what is delivered
        self,
        dataset: Dataset,
        *,
        level: int | None = None,
        size: int | tuple[int, int] | None = None,
        spacing_mm: float | None = None,
        max_bytes: int | None = None,
        label: str | None = None,
        classes: Sequence[Label] | None = None,
        mask: bool = False,
        raw: bool = False,
        as_meta: bool = False,
        transform: Transform | None = None,
    ) -> None:
        self._dataset = dataset
        self._count = len(dataset.scan_ids)
        self._request = Request(level, size, spacing_mm, max_bytes)
        if label is None and classes is not None:
            raise InvalidRequest(f"classes {list(classes)} were given without the label column that holds them")
        self._target = None if label is None else Target.for_dataset(dataset, label, classes)
        self._mask = mask
        self._raw = raw
        self._tensor = _meta_tensor if as_meta else _plain_tensor
        self._transform = transform
        if mask:
            _require_masks(dataset)

    @property
    def classes(self) -> tuple[Label, ...] | None:
        """The values of the label in the order of their indices; None where labels are numbers or not asked for."""
        return None if self._target is None else self._target.classes

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Item:
        """The item of a scan, fetched now.

        Raises
        ------
        IndexError
            There is no such scan.
        InvalidRequest
            The scan cannot be had at this resolution, or its mask lies on another grid.
        ScanCorrupt, StoreError
            As of `Scan.read`.
        """
        scan = self._dataset[self._dataset.scan_ids[index]]
        item = self._item(scan)
        return item if self._transform is None else self._transform(item)

    def _item(self, scan: Scan) -> Item:
        volume = scan.reader.read(self._request)
        array = sample_array(volume) if self._raw else value_array(volume)
        item: Item = {"image": self._tensor(array, volume, scan), "scan_id": scan.id}
        if self._mask:
            mask = _mask_volume(scan, volume, self._request)
            item["mask"] = self._tensor(sample_array(mask).astype(np.int64), mask, scan)
        if self._target is not None:
            item["label"] = torch.tensor(self._target.of(scan))
        return item


def _plain_tensor(array: Voxels, volume: Volume, scan: Scan) -> torch.Tensor:  # noqa: ARG001 - as `_meta_tensor`
    return torch.from_numpy(np.array(array, _WIDER.get(array.dtype.name, array.dtype), order="C"))


def _meta_tensor(array: Voxels, volume: Volume, scan: Scan) -> torch.Tensor:
    from monai.data.meta_tensor import MetaTensor  # noqa: PLC0415 - optional, and slow to import

    meta = {"filename_or_obj": scan.uri, "space": "RAS"}
    return MetaTensor(_plain_tensor(array, volume, scan), affine=torch.from_numpy(array_affine(volume)), meta=meta)


def _require_masks(dataset: Dataset) -> None:
    for scan_id, mask_id in zip(dataset.scan_ids, dataset.column("mask"), strict=True):
        if mask_id is None:
            raise InvalidRequest(
                f'scan {scan_id!r} has no mask; choose those that do: dataset.where("mask IS NOT NULL")'
            )


def _mask_volume(scan: Scan, image: Volume, request: Request) -> Volume:
    """The mask of `scan` on the grid of `image`, which was read as `request` says."""
    if scan.mask is None:
        raise InvalidRequest(f"scan {scan.id!r} has no mask in this version of the dataset")
    if request.max_bytes is not None:  # the image's budget decides the level of both
        request = Request(level=make_plan(scan.reader.header, request).level)
    mask = scan.mask.reader.read(request)
    if not same_grid(image, mask):
        raise InvalidRequest(
            f"mask {scan.mask.id!r}, {mask.spatial_shape}, does not lie on the grid of scan {scan.id!r}, "
            f"{image.spatial_shape}, at this resolution"
        )
    return mask


class LoaderOptions(TypedDict, total=False):
    """What `data_loader` passes on to `torch.utils.data.DataLoader`, which describes each."""

    shuffle: bool
    sampler: Sampler[int] | Iterable[int]
    batch_sampler: Sampler[list[int]] | Iterable[list[int]]
    collate_fn: Callable[[list[Item]], object]
    pin_memory: bool
    drop_last: bool
    timeout: float
    worker_init_fn: Callable[[int], None]
    generator: torch.Generator
    prefetch_factor: int


def data_loader(
    dataset: TorchDataset[Sample], *, batch_size: int | None = 1, num_workers: int = 0, **options: Unpack[LoaderOptions]
) -> DataLoader[Sample]:
    """A `DataLoader` whose workers can read from a store, stay alive between epochs and use one thread each.

    Batches are made by `collate` unless `collate_fn` says otherwise. A script that uses workers must run under
    `if __name__ == "__main__":`, since each worker imports it.

    Parameters
    ----------
    dataset
        A `ScanDataset`, or what wraps one (`Subset`, `ConcatDataset`, MONAI's datasets).
    batch_size
        Items a batch; None delivers items one by one.
    num_workers
        Worker processes; 0 reads in this one. Each keeps a cache of its own: see `mist_client.open`.
    options
        As of `DataLoader`.
    """
    if batch_size is not None:
        options.setdefault("collate_fn", collate)
    if not num_workers:
        return DataLoader(dataset, batch_size, **options)
    return DataLoader(
        dataset,
        batch_size,
        num_workers=num_workers,
        multiprocessing_context=_worker_context(),
        persistent_workers=True,
        **options,
    )


def collate(items: list[Item]) -> object:
    """One batch of items, as PyTorch makes it; of `MetaTensor`s as MONAI makes it, with the affine of each item.

    A list in place of an item, as transforms return that take several crops, counts as so many items.
    """
    flat = [item for entry in items for item in (entry if isinstance(entry, list) else [entry])]
    if not (isinstance(flat[0], dict) and any(hasattr(value, "affine") for value in flat[0].values())):
        return default_collate(flat)
    from monai.data.utils import list_data_collate  # noqa: PLC0415 - loaded already where there are MetaTensors

    return list_data_collate(flat)


def _worker_context() -> ForkServerContext:
    """The forkserver, which imports this module once for all workers: PyTorch takes seconds to import."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context
