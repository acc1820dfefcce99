"""`mist_block` as Zarr and numcodecs know it."""

from __future__ import annotations

from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.registry import get_codec_class

from mist.codec import encode_block
from mist.errors import InvalidRequest
from mist_storage.zarr_codec import MistBlock, MistBlockCodec

BLOCKS = np.random.default_rng(7).integers(-40, 40, (3, 8, 16, 24)).astype(np.int32)


def test_zarr_finds_the_codec_by_its_entry_point() -> None:
    assert get_codec_class("mist_block") is MistBlockCodec


def test_zarr_writes_and_reads_an_array_with_the_codec(tmp_path: Path) -> None:
    array = zarr.create_array(
        str(tmp_path / "a"),
        shape=BLOCKS.shape,
        chunks=(1, 8, 16, 24),
        dtype="int32",
        serializer=MistBlockCodec(),
        compressors=None,
    )
    array[:] = BLOCKS
    np.testing.assert_array_equal(np.asarray(zarr.open_array(str(tmp_path / "a"), mode="r")[:]), BLOCKS)
    assert (tmp_path / "a" / "c" / "1" / "0" / "0" / "0").read_bytes() == encode_block(BLOCKS[1])


def test_a_version_that_is_not_known_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="version 1 here, not 2"):
        MistBlockCodec.from_dict({"name": "mist_block", "configuration": {"version": 2}})


def test_numcodecs_finds_the_codec_and_gives_the_array_back() -> None:
    codec = numcodecs.get_codec({"id": "mist_block", "dtype": "int32", "shape": (8, 16, 24)})
    np.testing.assert_array_equal(codec.decode(codec.encode(BLOCKS[0])), BLOCKS[0])


def test_numcodecs_decodes_into_an_array_that_is_given() -> None:
    codec = MistBlock("int32", (8, 16, 24))
    out = np.empty((8, 16, 24), np.int32)
    codec.decode(codec.encode(BLOCKS[2]), out)
    np.testing.assert_array_equal(out, BLOCKS[2])


def test_a_chunk_of_more_than_one_block_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="one block"):
        MistBlock("int32", (2, 8, 16, 24)).encode(BLOCKS[:2])


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="int32 or int64"):
        MistBlock("float32", (8, 16, 24))
