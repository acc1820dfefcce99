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
from mist.codec.tokens import CODES, ESCAPE_CODE, LONG

FREQUENCY_BITS: Final = 11
"""Frequencies of a context add up to two to this power: few enough that a block's contexts stay in a core's cache."""

FREQUENCY_TOTAL: Final = 1 << FREQUENCY_BITS

SYMBOLS: Final = LONG + 1
"""What tables hold: the tokens below `LONG`, and the escape, for all others and for those of frequency 0."""

ESCAPE: Final = LONG
"""The escape's place in a table."""

ESCAPED_BITS: Final = 7
"""After an escape comes the token itself, all of 128 equally likely."""

ESCAPED_FREQUENCY: Final = np.uint32(1 << (FREQUENCY_BITS - ESCAPED_BITS))
"""The frequency of each of these tokens."""

SYMBOL_OF: Final = np.full(256, ESCAPE, np.uint8)
"""The symbol of each code."""
SYMBOL_OF[CODES[:LONG]] = np.arange(LONG)

# An entry of the decoding table is code | frequency << 8 | (slot - start) << 20.
CODE_MASK: Final = np.uint32(0xFF)
FREQUENCY_SHIFT: Final = np.uint32(8)
FREQUENCY_MASK: Final = np.uint32(0xFFF)
OFFSET_SHIFT: Final = np.uint32(20)

Frequencies = npt.NDArray[np.uint16]
"""(sets, contexts, symbols)."""


@lru_cache(maxsize=1)
def frequencies() -> Frequencies:
    """The table sets, uint16 (sets, `CONTEXTS`, `SYMBOLS`)."""
    with files("mist.codec").joinpath("tables.npy").open("rb") as file:
        tables: Frequencies = np.load(file, allow_pickle=False)
    return tables


def _starts() -> npt.NDArray[np.uint32]:
    """Where each symbol's range of slots begins, in the shape of `frequencies()`."""
    tables = frequencies().astype(np.uint32)
    return np.cumsum(tables, axis=2, dtype=np.uint32) - tables


@lru_cache(maxsize=1)
def decoding_table() -> npt.NDArray[np.uint32]:
    """For each set, context and slot what a decoder must know: see above; (sets, contexts * slots)."""
    counts = frequencies().reshape(-1, SYMBOLS).astype(np.uint32)
    codes = np.append(CODES[:LONG], np.uint8(ESCAPE_CODE)).astype(np.uint32)
    entries = np.empty((len(counts), FREQUENCY_TOTAL), np.uint32)
    for row, context in zip(entries, counts, strict=True):
        offsets = np.concatenate([np.arange(count, dtype=np.uint32) for count in context])
        row[:] = np.repeat(codes | context << FREQUENCY_SHIFT, context) | offsets << OFFSET_SHIFT
    return entries.reshape(len(frequencies()), CONTEXTS * FREQUENCY_TOTAL)


class EncodingTables(NamedTuple):
    """The table sets as an encoder wants them; compiled code takes them as one argument."""

    ranges: npt.NDArray[np.uint32]
    """(sets, contexts * symbols): frequency | start << 16; 0 for what takes the escape, and for the escape itself."""
    escapes: npt.NDArray[np.uint32]
    """(sets, contexts): the same of the escapes."""
    costs: npt.NDArray[np.uint32]
    """(sets, contexts * symbols): what a symbol takes, in 1/256 bits; whole numbers add up alike on all machines."""


@lru_cache(maxsize=1)
def encoding_tables() -> EncodingTables:
    """All table sets for an encoder."""
    counts = frequencies()
    ranges = np.where(counts > 0, counts.astype(np.uint32) | _starts() << np.uint32(16), np.uint32(0))
    escapes = ranges[:, :, ESCAPE].copy()
    ranges[:, :, ESCAPE] = 0
    bits = FREQUENCY_BITS - np.log2(np.where(ranges > 0, counts, counts[:, :, ESCAPE:]))
    bits += np.where(ranges > 0, 0, ESCAPED_BITS)
    flat = len(counts), CONTEXTS * SYMBOLS
    return EncodingTables(ranges.reshape(flat), escapes, np.round(256 * bits).astype(np.uint32).reshape(flat))
