"""Bytes of version 1 decode to what they were made from, in this and in every later release."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mist.codec import decode_block, encode_block
from mist.subbands import Coefficients
from tests.golden.write import BLOCKS
from tests.reference import mist_block

GOLDEN = Path(__file__).parents[1] / "golden" / "mist-block-1.npz"

EVERY_BLOCK = pytest.mark.parametrize("name", BLOCKS)


def read(name: str) -> tuple[bytes, Coefficients]:
    with np.load(GOLDEN) as file:
        return file[f"{name}: bytes"].tobytes(), file[f"{name}: values"]


@EVERY_BLOCK
def test_golden_bytes_decode_to_their_values(name: str) -> None:
    data, values = read(name)
    decoded = decode_block(data, values.dtype, values.shape)
    np.testing.assert_array_equal(decoded, values, strict=True)


@EVERY_BLOCK
def test_the_reference_decodes_golden_bytes_as_well(name: str) -> None:
    data, values = read(name)
    decoded = mist_block.decode(data, values.dtype, values.shape)
    np.testing.assert_array_equal(decoded, values, strict=True)


@EVERY_BLOCK
def test_golden_values_encode_to_their_bytes(name: str) -> None:
    data, values = read(name)
    assert encode_block(values) == data


def test_the_file_holds_every_golden_block_and_no_other() -> None:
    with np.load(GOLDEN) as file:
        assert {key.partition(":")[0] for key in file} == set(BLOCKS)
