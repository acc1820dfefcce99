# /// script
# dependencies = ["mist-streaming[torch]"]
# ///
"""Train a small segmentation network from a MIST dataset of volumes and masks: python train_monai.py DATASET_URL.

Volumes arrive resampled to 2 mm, with their true affine, so MONAI's spatial transforms know where each voxel lies.
"""

from __future__ import annotations

import sys
from itertools import chain, islice, repeat

import torch
from monai.losses.dice import DiceCELoss
from monai.networks.nets.unet import UNet
from monai.transforms.compose import Compose
from monai.transforms.croppad.dictionary import ResizeWithPadOrCropd
from monai.transforms.intensity.dictionary import NormalizeIntensityd
from monai.transforms.spatial.dictionary import Orientationd

import mist_client
from mist_client.torch_dataset import ScanDataset, data_loader

IMAGES = ("image", "mask")
PATCH = (32, 32, 32)
"""What the network sees of a volume, in voxels along (right, front, head)."""


def train(url: str, steps: int = 50, workers: int = 0) -> list[float]:
    """The loss of each training step on the scans at `url` that have a mask."""
    dataset = mist_client.open(url).where("mask IS NOT NULL")
    prepare = Compose(
        [
            Orientationd(IMAGES, axcodes="RAS", labels=None),
            NormalizeIntensityd("image"),
            ResizeWithPadOrCropd(IMAGES, PATCH),
        ]
    )
    scans = ScanDataset(dataset, spacing_mm=2.0, mask=True, as_meta=True, transform=prepare)
    loader = data_loader(scans, batch_size=2, shuffle=True, num_workers=workers)
    network = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=(8, 16, 32), strides=(2, 2))
    criterion = DiceCELoss(to_onehot_y=True, softmax=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for batch in islice(chain.from_iterable(repeat(loader)), steps):
        loss = criterion(network(batch["image"]), batch["mask"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    for step, loss in enumerate(train(sys.argv[1], workers=2)):
        sys.stdout.write(f"step {step}: loss {loss:.3f}\n")
