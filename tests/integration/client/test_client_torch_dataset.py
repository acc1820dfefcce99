from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from monai.data.meta_tensor import MetaTensor
from torch.utils.data import DataLoader, Subset

import mist_client
from mist.errors import InvalidRequest, StoreError
from mist_client.torch_dataset import Item, ScanDataset, collate, data_loader

Fetches = list[tuple[str, int, int]]


@pytest.fixture
def cts(dataset: mist_client.Dataset) -> mist_client.Dataset:
    return dataset.where("modality = 'CT'")


def test_an_item_is_an_image_and_the_id_of_its_scan(cts: mist_client.Dataset) -> None:
    item = ScanDataset(cts, level=1)[2]
    assert item["scan_id"] == "ct-2"
    assert image_of(item).shape == (1, 40, 48, 40)


def test_images_are_physical_values_in_float32(cts: mist_client.Dataset) -> None:
    image = image_of(ScanDataset(cts, level=1)[0])
    assert image.dtype == torch.float32
    assert np.array_equal(image[0].numpy(), cts["ct-0"].read(level=1).values().astype(np.float32))


def test_raw_images_are_the_stored_samples(cts: mist_client.Dataset) -> None:
    image = image_of(ScanDataset(cts, level=1, raw=True)[0])
    assert image.dtype == torch.int16
    assert np.array_equal(image[0].numpy(), cts["ct-0"].read(level=1).voxels)


def test_raw_uint16_samples_come_in_a_type_that_torch_calculates_in(dataset: mist_client.Dataset) -> None:
    image = image_of(ScanDataset(dataset.where("modality = 'DX'"), raw=True)[0])
    assert image.dtype == torch.int32
    assert np.array_equal(image[0].numpy(), dataset["xr-0"].read().voxels)


def test_colours_are_channels(dataset: mist_client.Dataset) -> None:
    image = image_of(ScanDataset(dataset.where("modality = 'XC'"))[0])
    assert np.array_equal(image.numpy(), np.moveaxis(dataset["photo-0"].read().voxels, -1, 0))


def test_a_size_is_delivered_exactly(cts: mist_client.Dataset) -> None:
    assert image_of(ScanDataset(cts, size=(32, 30))[0]).shape[-2:] == (32, 30)


def test_nothing_is_fetched_before_an_item_is_asked_for(counted: tuple[mist_client.Dataset, Fetches]) -> None:
    dataset, fetches = counted
    scans = ScanDataset(dataset.where("mask IS NOT NULL"), level=2, label="finding", mask=True)
    assert (len(scans), fetches) == (4, [])


def test_text_labels_are_indices_of_sorted_classes(cts: mist_client.Dataset) -> None:
    scans = ScanDataset(cts, level=2, label="finding")
    assert scans.classes == ("clear", "effusion", "nodule")
    assert [scans[i]["label"] for i in range(4)] == [2, 0, 2, 1]


def test_classes_may_be_put_in_order(cts: mist_client.Dataset) -> None:
    chosen = cts.where("split = 'train'")
    assert ScanDataset(chosen, level=2, label="finding", classes=["nodule", "clear"])[1]["label"] == 1


def test_whole_numbers_stay_as_they_are(cts: mist_client.Dataset) -> None:
    label = ScanDataset(cts, level=2, label="age")[0]["label"]
    assert isinstance(label, torch.Tensor)
    assert (label.dtype, int(label)) == (torch.int64, 71)


def test_a_scan_without_a_label_is_refused_before_training(dataset: mist_client.Dataset) -> None:
    with pytest.raises(InvalidRequest, match=r"'photo-0' has no value.*finding IS NOT NULL"):
        ScanDataset(dataset, label="finding")


def test_a_label_outside_the_classes_is_refused_before_training(cts: mist_client.Dataset) -> None:
    with pytest.raises(InvalidRequest, match="'ct-3' has finding 'effusion'"):
        ScanDataset(cts, label="finding", classes=["nodule", "clear"])


def test_classes_without_a_label_are_refused(cts: mist_client.Dataset) -> None:
    with pytest.raises(InvalidRequest, match="without the label"):
        ScanDataset(cts, classes=["nodule"])


def test_a_scan_without_a_mask_is_refused_before_training(dataset: mist_client.Dataset) -> None:
    with pytest.raises(InvalidRequest, match=r"'photo-0' has no mask.*mask IS NOT NULL"):
        ScanDataset(dataset, mask=True)


@pytest.mark.parametrize("wanted", [{"level": 1}, {"size": 33}, {"spacing_mm": 3.0}, {"max_bytes": 20_000}], ids=str)
def test_the_mask_lies_on_the_grid_of_its_image(cts: mist_client.Dataset, wanted: dict[str, int]) -> None:
    item = ScanDataset(cts, mask=True, as_meta=True, **wanted)[3]  # type: ignore[arg-type]  # one of each kind
    image, mask = item["image"], item["mask"]
    assert isinstance(image, MetaTensor)
    assert isinstance(mask, MetaTensor)
    assert (mask.shape, mask.dtype) == (image.shape, torch.int64)
    assert torch.equal(mask.affine, image.affine)


def test_a_meta_tensor_has_the_true_affine(cts: mist_client.Dataset) -> None:
    image = ScanDataset(cts, level=2, as_meta=True)[1]["image"]
    assert isinstance(image, MetaTensor)
    last = np.array(image.shape[1:]) - 1
    ras = image.affine.numpy() @ [*last, 1]
    lps = cts["ct-1"].geometry.positions(last * (2, 4, 4))
    assert np.allclose(ras[:3], lps * (-1, -1, 1), atol=1e-9)


def test_a_batch_of_meta_tensors_keeps_the_affine_of_each(cts: mist_client.Dataset) -> None:
    scans = ScanDataset(cts, level=2, as_meta=True)
    batch = next(iter(data_loader(scans, batch_size=2)))
    assert torch.equal(batch["image"].affine[1], cast("MetaTensor", scans[1]["image"]).affine)


def test_a_transform_gets_the_item_and_its_answer_is_delivered(cts: mist_client.Dataset) -> None:
    scans = ScanDataset(cts, level=2, transform=lambda item: {"seen": item["scan_id"]})
    assert scans[0] == {"seen": "ct-0"}


def test_several_crops_of_a_scan_count_as_so_many_items() -> None:
    crops = [[{"image": torch.zeros(1, 2)}, {"image": torch.ones(1, 2)}], [{"image": torch.ones(1, 2)}]]
    batch = collate(crops)  # type: ignore[arg-type]  # what a transform that crops makes of items
    assert cast("Item", batch)["image"].shape == (3, 1, 2)  # type: ignore[union-attr]  # an image is no text


def test_a_dataset_of_items_ends(cts: mist_client.Dataset) -> None:
    with pytest.raises(IndexError):
        ScanDataset(cts, level=2)[4]


def test_a_scan_dataset_pickles_light(cts: mist_client.Dataset) -> None:
    assert len(pickle.dumps(ScanDataset(cts, level=2, label="finding", mask=True, as_meta=True))) < 2048


def test_workers_give_what_this_process_gives(cts: mist_client.Dataset) -> None:
    scans = ScanDataset(cts, level=1, label="finding", mask=True)
    alone = list(data_loader(scans, batch_size=2))
    shared = list(data_loader(scans, batch_size=2, num_workers=2, timeout=120))
    assert [batch["scan_id"] for batch in shared] == [["ct-0", "ct-1"], ["ct-2", "ct-3"]]
    for ours, theirs in zip(alone, shared, strict=True):
        assert all(torch.equal(ours[key], theirs[key]) for key in ("image", "mask", "label"))


def test_workers_read_meta_tensors_of_a_part_of_a_dataset_from_the_web(web: tuple[str, Fetches]) -> None:
    cts = mist_client.open(web[0]).where("modality = 'CT'")
    scans = ScanDataset(cts, level=2, as_meta=True)
    batches = list(data_loader(Subset(scans, [3, 1]), batch_size=1, num_workers=2, timeout=120))
    assert [batch["scan_id"] for batch in batches] == [["ct-3"], ["ct-1"]]
    assert torch.equal(batches[1]["image"].affine[0], cast("MetaTensor", scans[1]["image"]).affine)


def test_a_corrupt_scan_in_a_worker_is_named(copied: Path) -> None:
    next(copied.glob("scans/ct-1/*/c/0/0/0/0")).write_bytes(b"")
    scans = ScanDataset(mist_client.open(str(copied)).where("modality = 'CT'"), level=2)
    with pytest.raises(RuntimeError, match="scan 'ct-1', level 2"):  # PyTorch cannot make a ScanCorrupt of a text
        list(data_loader(scans, num_workers=1, timeout=120))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_workers_forked_from_a_process_with_an_open_dataset_fail_at_once(cts: mist_client.Dataset) -> None:
    began = time.monotonic()
    with pytest.raises(StoreError, match="forkserver"):
        list(DataLoader(ScanDataset(cts, level=1), num_workers=1, multiprocessing_context="fork", timeout=60))
    assert time.monotonic() - began < 20


def image_of(item: Item) -> torch.Tensor:
    image = item["image"]
    assert isinstance(image, torch.Tensor)
    return image
