"""Memory that one reconstruction leaves to the next.

The rule: fresh memory costs more time than what is done in it, since the system clears it page by page. What is left is
limited, in size and in number.
"""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.signedinteger]

LARGEST_KEPT_BYTES: Final = 24 << 20
"""An array of more bytes is made afresh: the system clears large pages fast enough."""

MOST_KEPT: Final = 2
"""Reconstructions whose memory is kept for later ones."""


class Scratch:
    """Arrays by name, of which each is good until the next one of that name is asked for."""

    def __init__(self) -> None:
        self._buffers: dict[str, npt.NDArray[np.uint8]] = {}

    def empty(self, name: str, shape: Sequence[int], dtype: np.dtype[np.signedinteger]) -> Integers:
        """An array of any content, C order."""
        size = math.prod(shape) * dtype.itemsize
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < size:
            buffer = np.empty(size, np.uint8)
            if size <= LARGEST_KEPT_BYTES:
                self._buffers[name] = buffer
        return buffer[:size].view(dtype).reshape(shape)


_idle: deque[Scratch] = deque(maxlen=MOST_KEPT)


def scratch_for(owner: object) -> Scratch:
    """A scratch that nobody else has, until `owner` is gone."""
    try:
        scratch = _idle.pop()
    except IndexError:
        scratch = Scratch()
    weakref.finalize(owner, _idle.append, scratch).atexit = False
    return scratch
