from __future__ import annotations

import hashlib
from importlib.resources import files

import numpy as np
import pytest

from mist.codec.tables import (
    CODE_MASK,
    ESCAPE,
    FREQUENCY_MASK,
    FREQUENCY_SHIFT,
    OFFSET_SHIFT,
    SYMBOL_OF,
    decoding_table,
    encoding_tables,
    frequencies,
)
from mist.codec.tokens import ESCAPE_CODE

TABLES_SHA256 = "e84dbbb0ce32a4585b40e9e56b6cf635d53872a3315bfea03adac9fca4ad3423"
"""Part of the format: blocks that were coded with other tables do not decode with these."""


def test_the_tables_are_those_of_the_format() -> None:
    data = files("mist.codec").joinpath("tables.npy").read_bytes()
    assert hashlib.sha256(data).hexdigest() == TABLES_SHA256


def test_there_are_16_sets_of_22_contexts_of_75_symbols() -> None:
    assert frequencies().shape == (16, 22, 75)
    assert frequencies().dtype == np.uint16


def test_the_frequencies_of_every_context_add_up_to_2048() -> None:
    assert (frequencies().sum(axis=2, dtype=np.int64) == 2048).all()


def test_every_context_can_escape() -> None:
    assert (frequencies()[:, :, ESCAPE] > 0).all()
    assert (encoding_tables().escapes > 0).all()


@pytest.mark.parametrize("table", range(16))
def test_a_slot_leads_to_the_symbol_whose_range_it_lies_in(table: int) -> None:
    entries = decoding_table()[table].reshape(22, 2048)
    codes = entries & CODE_MASK
    symbols = np.where(codes == ESCAPE_CODE, ESCAPE, SYMBOL_OF[codes])
    contexts, slots = np.arange(22)[:, np.newaxis], np.arange(2048)
    start = slots - (entries >> OFFSET_SHIFT)
    frequency = entries >> FREQUENCY_SHIFT & FREQUENCY_MASK
    np.testing.assert_array_equal(frequency, frequencies()[table][contexts, symbols])
    np.testing.assert_array_equal(
        start, (np.cumsum(frequencies()[table], axis=1) - frequencies()[table])[contexts, symbols]
    )


def test_an_encoder_finds_the_slots_that_a_decoder_reads() -> None:
    ranges = encoding_tables().ranges.reshape(16, 22, 75)
    counts = frequencies().copy()
    counts[:, :, ESCAPE] = 0
    np.testing.assert_array_equal(ranges & 0xFFFF, counts)
    starts = np.cumsum(frequencies(), axis=2) - frequencies()
    np.testing.assert_array_equal((ranges >> 16)[counts > 0], starts[counts > 0])
    np.testing.assert_array_equal(encoding_tables().escapes, frequencies()[:, :, ESCAPE] | starts[:, :, ESCAPE] << 16)


def test_no_symbol_costs_more_than_the_escape_and_its_token() -> None:
    assert encoding_tables().costs.max() <= 256 * (11 + 7)
