"""A small image classifier, trained from batches as they stream in.

The rule: the same seed, batches and thread count give the same result. Knows nothing of where batches come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from monai.networks.nets.densenet import DenseNet
from torch.nn.functional import cross_entropy

Batch = Mapping[str, torch.Tensor]
"""`image`, float (items, channels, *spatial), and `label`, int64 (items,)."""


@dataclass(frozen=True, slots=True)
class Training:
    """How a classifier is trained."""

    classes: int
    """Number of classes."""
    channels: int = 1
    """Colour channels of an image."""
    spatial_dims: int = 2
    """2 or 3."""
    epochs: int = 12
    """Passes over the training batches."""
    learning_rate: float = 3e-3
    """Peak of the one-cycle schedule of AdamW."""
    seed: int = 0
    """Of the weights."""


def train_classifier(batches: Iterable[Batch], training: Training) -> torch.nn.Module:
    """A densely connected network, trained on `batches`, which are gone through once in each epoch."""
    torch.manual_seed(training.seed)
    network = _network(training)
    optimizer = torch.optim.AdamW(network.parameters(), lr=training.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, training.epochs)
    network.train()
    for _ in range(training.epochs):
        for batch in batches:
            optimizer.zero_grad()
            loss = cross_entropy(network(standardised(batch["image"])), batch["label"])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    return network


def balanced_accuracy(network: torch.nn.Module, batches: Iterable[Batch], classes: int) -> float:
    """Mean over the classes of the share of items that `network` gets right; classes without items are left out."""
    right, total = torch.zeros(classes), torch.zeros(classes)
    network.eval()
    with torch.inference_mode():
        for batch in batches:
            hit = network(standardised(batch["image"])).argmax(dim=1) == batch["label"]
            right += torch.bincount(batch["label"], weights=hit.float(), minlength=classes)
            total += torch.bincount(batch["label"], minlength=classes)
    return float((right[total > 0] / total[total > 0]).mean())


def standardised(images: torch.Tensor) -> torch.Tensor:
    """`images` (items, channels, *spatial) with mean 0 and deviation 1 in each item; plain tensor, float32."""
    plain = images.as_subclass(torch.Tensor).float()
    axes = tuple(range(1, plain.ndim))
    mean, deviation = plain.mean(dim=axes, keepdim=True), plain.std(dim=axes, keepdim=True)
    return (plain - mean) / deviation.clamp_min(1e-6)


def _network(training: Training) -> torch.nn.Module:
    return DenseNet(
        spatial_dims=training.spatial_dims,
        in_channels=training.channels,
        out_channels=training.classes,
        init_features=16,
        growth_rate=8,
        block_config=(2, 3, 3),
    )
