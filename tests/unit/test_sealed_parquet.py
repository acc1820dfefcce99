from __future__ import annotations

import io

import polars as pl
import pytest

from mist_storage.sealed_parquet import SEAL_BYTES, require_whole, sealed

NAME = "rows.parquet"

ROWS = pl.DataFrame({"scan_id": ["a", "b"], "note": ["", "\xffMIST sha256\xff"]})


@pytest.fixture(scope="module")
def bare() -> bytes:
    buffer = io.BytesIO()
    ROWS.write_parquet(buffer)
    return buffer.getvalue()


def test_a_seal_is_void_to_readers_of_parquet(bare: bytes) -> None:
    data = sealed(bare, NAME, void_bytes=7)
    assert len(data) == len(bare) + SEAL_BYTES + 7
    assert pl.read_parquet(io.BytesIO(data)).equals(ROWS)
    require_whole(data, NAME)


def test_every_flipped_bit_is_found(bare: bytes) -> None:
    data = sealed(bare, NAME)
    for at in range(len(data)):
        altered = bytearray(data)
        altered[at] ^= 1 << at % 8
        with pytest.raises(ValueError, match="bytes"):
            require_whole(bytes(altered), NAME)


def test_every_beginning_is_found(bare: bytes) -> None:
    data = sealed(bare, NAME)
    for stop in range(len(data)):
        with pytest.raises(ValueError, match="bytes"):
            require_whole(data[:stop], NAME)


def test_a_file_without_a_seal_is_damaged(bare: bytes) -> None:
    with pytest.raises(ValueError, match="have no digest"):
        require_whole(bare, NAME)


def test_a_file_in_the_place_of_another_is_damaged(bare: bytes) -> None:
    with pytest.raises(ValueError, match="altered, lost or moved"):
        require_whole(sealed(bare, NAME), "other.parquet")
