from __future__ import annotations

import hashlib
from importlib.resources import files

import numpy as np
import pytest

from mist.codec.tables import bit_costs, decoding_tables, frequencies, starts
from mist.codec.tokens import ESCAPE

TABLES_SHA256 = "571807e8e84e71773c81155a019c423f36e0806ed6622ddffec0a328e462c644"
"""Part of the format: blocks that were coded with other tables do not decode with these."""


def test_the_tables_are_those_of_the_format() -> None:
    data = files("mist.codec").joinpath("tables.npy").read_bytes()
    assert hashlib.sha256(data).hexdigest() == TABLES_SHA256


def test_there_are_16_sets_of_32_contexts_of_45_tokens() -> None:
    assert frequencies().shape == (16, 32, 45)
    assert frequencies().dtype == np.uint16


def test_the_frequencies_of_every_context_add_up_to_4096() -> None:
    assert (frequencies().sum(axis=2, dtype=np.int64) == 4096).all()


def test_every_context_can_escape() -> None:
    assert (frequencies()[:, :, ESCAPE] > 0).all()


@pytest.mark.parametrize("table", range(16))
def test_a_slot_leads_to_the_token_whose_range_it_lies_in(table: int) -> None:
    tokens, spans = decoding_tables().tokens[table], decoding_tables().ranges[table].astype(np.int64)
    frequency, start = spans & 0xFFFF, spans >> 16
    np.testing.assert_array_equal(frequency, frequencies()[table])
    np.testing.assert_array_equal(start, starts()[table])
    contexts, slots = np.arange(32)[:, np.newaxis], np.arange(4096)
    place = slots - start[contexts, tokens]
    assert ((place >= 0) & (place < frequency[contexts, tokens])).all()


def test_every_token_has_a_cost_and_an_escape_costs_at_most_12_bits() -> None:
    assert bit_costs()[:, :, ESCAPE].max() <= 12
    assert np.isfinite(bit_costs()).all()
