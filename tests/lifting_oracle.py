"""Lifting in plain NumPy: walks a wavelet's steps over a signal that is extended beforehand, along the last axis.

Slow and simple on purpose. The extension is NumPy's own `reflect`, which is whole-sample symmetric; steps are symmetric
too, so the extended signal stays symmetric and no step needs to know of boundaries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mist.wavelet import Phase, Step, Wavelet

Signal = npt.NDArray[Any]
Divide = Callable[[Signal, int], Signal]

_PAD = 16  # even, and more than the reach of any wavelet here


def divide_exactly(total: Signal, shift: int) -> Signal:
    """Without rounding: what a filter bank computes."""
    return np.asarray(total / 2.0**shift)


def divide_to_nearest(total: Signal, shift: int) -> Signal:
    """To the nearest integer, halves up."""
    return np.asarray((total + 2 ** (shift - 1)) // 2**shift)


def split(signal: Signal, wavelet: Wavelet, divide: Divide) -> tuple[Signal, Signal]:
    """The low-pass and high-pass halves of `signal` along its last axis."""
    length = signal.shape[-1]
    if length == 1:
        return signal, signal[..., :0]
    widths = [(0, 0)] * (signal.ndim - 1) + [(_PAD, _PAD + length % 2)]
    extended = np.pad(signal, widths, mode="reflect")
    even, odd = extended[..., 0::2].copy(), extended[..., 1::2].copy()
    for step in wavelet.steps:
        if step.target is Phase.ODD:
            odd += divide(_weighted(even, step, (0, 1), (-1, 2)), step.shift)
        else:
            even += divide(_weighted(odd, step, (-1, 0), (-2, 1)), step.shift)
    first = _PAD // 2
    return even[..., first : first + (length + 1) // 2], odd[..., first : first + length // 2]


def _weighted(source: Signal, step: Step, inner: tuple[int, int], outer: tuple[int, int]) -> Signal:
    near, far = (np.add(*(np.roll(source, -offset, axis=-1) for offset in offsets)) for offsets in (inner, outer))
    total: Signal = step.inner * near + step.outer * far
    return total


def filters(wavelet: Wavelet) -> tuple[dict[int, float], dict[int, float]]:
    """The filter bank that the steps amount to: weights of the low-pass and the high-pass filter.

    Low-pass sample i is the sum of weight * signal[2 i + offset], high-pass sample i likewise.
    """
    even, odd = {0: 1.0}, {1: 1.0}
    for step in wavelet.steps:
        if step.target is Phase.ODD:
            odd = _plus(odd, even, step, ((0, 2), (-2, 4)))
        else:
            even = _plus(even, odd, step, ((-2, 0), (-4, 2)))
    return even, odd


def _plus(
    target: dict[int, float], source: dict[int, float], step: Step, shifts: tuple[tuple[int, int], tuple[int, int]]
) -> dict[int, float]:
    total = dict(target)
    for weight, pair in zip((step.inner, step.outer), shifts, strict=True):
        for shift in pair:
            for offset, value in source.items():
                total[offset + shift] = total.get(offset + shift, 0.0) + weight * value / 2**step.shift
    return total
