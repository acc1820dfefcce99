from __future__ import annotations

import pytest
import torch

from mist_eval.classifier import Batch, Training, balanced_accuracy, standardised, train_classifier


def sides(items: int, seed: int) -> list[Batch]:
    """Images that are bright on the left (class 0) or on the right (class 1)."""
    noise = torch.Generator().manual_seed(seed)
    labels = torch.arange(items) % 2
    images = torch.randn(items, 1, 32, 32, generator=noise)
    images[labels == 0, :, :, :16] += 4
    images[labels == 1, :, :, 16:] += 4
    return [{"image": images[at : at + 16], "label": labels[at : at + 16]} for at in range(0, items, 16)]


def test_a_separable_set_is_learned() -> None:
    network = train_classifier(sides(64, seed=0), Training(classes=2, epochs=6))
    assert balanced_accuracy(network, sides(32, seed=1), classes=2) > 0.9


def test_the_same_seed_gives_the_same_network() -> None:
    first, second = (train_classifier(sides(16, seed=0), Training(classes=2, epochs=1)) for _ in range(2))
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


class Constant(torch.nn.Module):
    """Says class 0 of everything."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores of two classes."""
        return torch.tensor([1.0, 0.0]).expand(len(images), 2)


@pytest.mark.parametrize(("labels", "accuracy"), [([0, 0, 0, 1], 0.5), ([0, 0], 1.0), ([1], 0.0)])
def test_accuracy_is_the_mean_over_the_classes_that_there_are(labels: list[int], accuracy: float) -> None:
    batch = {"image": torch.zeros(len(labels), 1, 8, 8), "label": torch.tensor(labels)}
    assert balanced_accuracy(Constant(), [batch], classes=2) == accuracy


def test_each_item_is_standardised_by_itself() -> None:
    images = torch.stack([torch.arange(64.0), 1000 + 5 * torch.arange(64.0), torch.full((64,), 7.0)]).reshape(
        3, 1, 8, 8
    )
    plain = standardised(images)
    torch.testing.assert_close(plain[0], plain[1])
    assert plain[2].abs().max() == 0
