"""Damaged DICOM files end in a scan or a refusal, soon and in bounds; `tests.fuzz.fuzz_dicom` tries many more."""

from __future__ import annotations

from itertools import islice

import numpy as np

from tests.dicom_mutants import MUTATIONS, mutants, seeds
from tests.fuzz.fuzz_dicom import fuzz


def test_damaged_files_are_stored_or_refused_in_one_line() -> None:
    told = fuzz(300, seed=1, seconds=200)

    assert told.total() == 300
    assert {kind for kind, _ in told} == set(MUTATIONS)
    assert [(kind, result) for kind, result in told if result.startswith("FAILED")] == []


def test_the_same_seed_makes_the_same_mutants() -> None:
    files = seeds()[:5]

    first, again = (list(islice(mutants(files, np.random.default_rng(3)), 50)) for _ in range(2))

    assert first == again
    assert {kind for kind, _ in first} == set(MUTATIONS)
