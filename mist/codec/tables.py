"""The frequencies with which tokens are expected in each context: several sets, of which a block names the best.

The rule: the sets are part of the format. They were trained by `mist_eval.train_tables` on images that no figure is
reported on, lie in `tables.npy`, and never change under one codec version.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

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


class DecodingTables(NamedTuple):
    """The table sets as a decoder wants them; compiled code takes them as one argument."""

    tokens: npt.NDArray[np.uint8]
    """(sets, contexts, slots): the token of each slot; one byte, so that a block's contexts stay in a core's cache."""
    ranges: npt.NDArray[np.uint32]
    """(sets, contexts, tokens): frequency | start << 16."""


@lru_cache(maxsize=1)
def decoding_tables() -> DecodingTables:
    """All table sets for a decoder."""
    counts = frequencies()
    slots = [np.repeat(np.arange(TOKENS, dtype=np.uint8), row) for table in counts for row in table]
    tokens = np.stack(slots).reshape(len(counts), CONTEXTS, FREQUENCY_TOTAL)
    return DecodingTables(tokens, counts.astype(np.uint32) | starts().astype(np.uint32) << np.uint32(16))


@lru_cache(maxsize=1)
def bit_costs() -> npt.NDArray[np.float32]:
    """For each set, context and token: the bits that it takes, raw bits included, in the shape of `frequencies()`."""
    tables = frequencies()
    with np.errstate(divide="ignore"):
        coded = FREQUENCY_BITS - np.log2(tables)
    escaped = coded[:, :, ESCAPE, np.newaxis] + LENGTH_BITS + np.maximum(RAW_BITS + 1, 2)
    costs: npt.NDArray[np.float32] = np.where(tables > 0, coded + RAW_BITS, escaped).astype(np.float32)
    return costs
