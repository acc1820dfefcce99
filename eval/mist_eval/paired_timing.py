"""How much longer one thing takes than another, on a machine that others use too.

The rule: the two are run in turn, A B B A, so that drift falls on both; what is reported is the median of the ratios of
neighbours, with a bootstrap interval. Absolute times are medians, for orientation.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

PAIRS = 10
"""Ratios behind a median."""


@dataclass(frozen=True, slots=True)
class PairedTime:
    """How long A takes, as a multiple of B."""

    ratio: float
    """Median of the ratios A / B of neighbouring runs."""
    low: float
    high: float
    """Bounds of the median's 95 % bootstrap interval."""
    a_seconds: float
    """Median time of A."""
    b_seconds: float
    """Median time of B."""

    def __str__(self) -> str:
        return f"{self.ratio:.2f} ({self.low:.2f} to {self.high:.2f})"


def paired_time(a: Callable[[], object], b: Callable[[], object], pairs: int = PAIRS) -> PairedTime:
    """Run `a` and `b` once to warm up, then `pairs` times each in the order A B B A."""
    a()
    b()
    times = np.array([_pair(a, b) if number % 2 == 0 else _pair(b, a)[::-1] for number in range(pairs)])
    ratios = times[:, 0] / times[:, 1]
    interval = bootstrap((ratios,), np.median, rng=np.random.default_rng(0), method="percentile").confidence_interval
    a_seconds, b_seconds = np.median(times, axis=0)
    return PairedTime(
        float(np.median(ratios)), float(interval.low), float(interval.high), float(a_seconds), float(b_seconds)
    )


def _pair(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    start = time.perf_counter()
    first()
    middle = time.perf_counter()
    second()
    return middle - start, time.perf_counter() - middle
