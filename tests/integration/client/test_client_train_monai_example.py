from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "train_monai.py"


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: on a busy machine its threads wait for each other, and take ten times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_the_training_example_learns_on_a_phantom_cohort(folder: Path) -> None:
    train = runpy.run_path(str(EXAMPLE))["train"]
    torch.manual_seed(0)
    losses = train(folder.as_uri(), steps=8)
    assert losses[-1] < losses[0]


def test_the_training_example_fits_a_page() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 60
