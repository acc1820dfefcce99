"""The frequencies with which tokens are expected in each context: several sets, of which a block names the best.

The rule: the sets are part of the format. They were trained by `mist_eval.train_tables` on images that no figure is
reported on, lie in `tables.npy`, and never change under one codec version.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final

import numba
import numpy as np
import numpy.typing as npt

from mist.codec.context import CONTEXTS
from mist.codec.tokens import ESCAPE, LENGTH_BITS, RAW_BITS, TOKENS

FREQUENCY_BITS: Final = 12
"""Frequencies of a context add up to two to this power."""

FREQUENCY_TOTAL: Final = 1 << FREQUENCY_BITS

Frequencies = npt.NDArray[np.uint16]
"""(sets, contexts, tokens); a token of frequency 0 is coded as `ESCAPE`."""


@lru_cache(maxsize=1)
def frequencies() -> Frequencies:
    """The table sets, uint16 (sets, `CONTEXTS`, `TOKENS`)."""
    with files("mist.codec").joinpath("tables.npy").open("rb") as file:
        tables: Frequencies = np.load(file, allow_pickle=False)
    return tables


@lru_cache(maxsize=1)
def starts() -> Frequencies:
    """Where each token's range of slots begins, in the shape of `frequencies()`."""
    tables = frequencies().astype(np.int64)
    return (np.cumsum(tables, axis=2) - tables).astype(np.uint16)


@lru_cache(maxsize=1)
def decoding_slots() -> npt.NDArray[np.uint32]:
    """For each set, context and slot: token | (frequency - 1) << 8 | (slot - start of the token's range) << 20."""
    tables = frequencies()
    slots = np.empty((len(tables), CONTEXTS, FREQUENCY_TOTAL), np.uint32)
    _fill_slots(tables, slots)
    return slots


@lru_cache(maxsize=1)
def bit_costs() -> npt.NDArray[np.float32]:
    """For each set, context and token: the bits that it takes, raw bits included, in the shape of `frequencies()`."""
    tables = frequencies()
    with np.errstate(divide="ignore"):
        coded = FREQUENCY_BITS - np.log2(tables)
    escaped = coded[:, :, ESCAPE, np.newaxis] + LENGTH_BITS + np.maximum(RAW_BITS + 1, 2)
    costs: npt.NDArray[np.float32] = np.where(tables > 0, coded + RAW_BITS, escaped).astype(np.float32)
    return costs


@numba.njit(nogil=True, cache=True)
def _fill_slots(tables, slots):
    for table in range(tables.shape[0]):
        for context in range(CONTEXTS):
            start = 0
            for token in range(TOKENS):
                frequency = np.uint32(tables[table, context, token])
                for place in range(frequency):
                    packed = np.uint32(token) | (frequency - np.uint32(1)) << np.uint32(8)
                    slots[table, context, start + place] = packed | np.uint32(place) << np.uint32(20)
                start += frequency
