from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pytest

from mist.encoded_level import encoded_level
from mist.errors import InvalidRequest, StoreFull
from mist.geometry import geometry_from_spacing
from mist.request import Request
from mist.scan import Display
from mist.volume import Rescale, Volume
from mist_storage.keys import BLOCKS, KEPT, SOURCE, ZARR_JSON
from mist_storage.scan_writer import EncodingFailed, encode_scan, write_scan
from mist_storage.zarr_shard import header_digest
from tests.stored_scan import CountingStore, blobs, memory_store, one_millimetre, stored, tiny

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
AXES = {
    "x": (70,),
    "yx": (40, 50),
    "zyx": (9, 20, 40),
    "tyx": (3, 20, 40),
    "yxc": (40, 50, 3),
    "tzyxc": (2, 3, 8, 40, 3),
}


@dataclass(frozen=True)
class FullStore(CountingStore):
    """A store in which only some objects find room."""

    room: int = 0

    def put(self, key: str, data: bytes | memoryview) -> None:
        if self.requests.count("put") >= self.room:
            raise StoreFull(f"{self.url}/{key}: the store is full")
        super().put(key, data)


@pytest.mark.parametrize("axes", sorted(AXES))
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_kind_of_volume_comes_back_bit_for_bit(axes: str, dtype: str) -> None:
    volume = blobs(axes, AXES[axes], dtype)
    back = stored(volume).reader().read(Request())
    assert back.voxels.dtype == volume.voxels.dtype
    np.testing.assert_array_equal(back.voxels, volume.voxels)
    assert (back.axes, back.geometry, back.rescale) == (volume.axes, volume.geometry, volume.rescale)


def test_the_full_range_of_a_dtype_comes_back() -> None:
    voxels = np.array([[-(2**31), 2**31 - 1], [0, -1]], np.int32).repeat(20, 0).repeat(20, 1)
    np.testing.assert_array_equal(stored(Volume(voxels, "yx", one_millimetre())).read(Request()), voxels)


def test_not_a_number_and_minus_zero_come_back() -> None:
    voxels = np.array([[np.nan, -0.0], [np.inf, 1e-40]], np.float32)
    assert stored(Volume(voxels, "yx", one_millimetre())).read(Request()).tobytes() == voxels.tobytes()


@pytest.mark.parametrize("axes", sorted(AXES))
def test_doubles_that_are_multiples_of_nothing_come_back(axes: str) -> None:
    voxels = np.random.default_rng(0).normal(0, 1e30, AXES[axes])
    assert stored(Volume(voxels, axes, one_millimetre())).read(Request()).tobytes() == voxels.tobytes()


def test_a_level_of_doubles_is_nearly_that_of_the_same_floats() -> None:
    z, y, x = np.indices((12, 60, 50)) / 10
    voxels = 3 + np.sin(z) * np.cos(y) + np.cos(x) / 7
    doubles, floats = (
        stored(Volume(voxels.astype(dtype), "zyx", one_millimetre())).read(Request(level=1))
        for dtype in (np.float64, np.float32)
    )
    np.testing.assert_allclose(doubles, floats, rtol=1e-5)


def test_a_scan_is_four_objects_and_the_last_is_its_metadata() -> None:
    store = CountingStore(memory_store())
    scan = stored(tiny(), store=store)
    keys = [key for key, _ in store.inner.list("")]
    assert sorted(keys) == sorted(scan.key(name) for name in (BLOCKS, KEPT, SOURCE, ZARR_JSON))


def test_objects_are_put_once_blocks_first_and_metadata_last() -> None:
    for room, there in enumerate([(), (BLOCKS,), (BLOCKS, SOURCE)]):
        store = FullStore(memory_store(), room=room)
        with pytest.raises(StoreFull):
            write_scan(store, "scan", tiny())
        assert sorted(key.split("/", 3)[3] for key, _ in store.list("")) == sorted(there)


def test_the_stored_size_is_that_of_all_objects() -> None:
    scan = stored(tiny())
    assert scan.stored.stored_bytes == sum(size for _, size in scan.store.list(""))


def test_what_is_known_of_the_source_files_is_kept() -> None:
    scan = stored(tiny(), "ct")
    said, data = json.loads(scan.object(SOURCE)), scan.object(KEPT)
    assert said["files"] == [{"name": "ct"}]
    assert said["kept"] == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "content_bytes": 12}


def test_another_source_makes_another_key() -> None:
    store = memory_store()
    digests = {write_scan(store, "scan", tiny(), sources=[{"name": name}]).digest for name in "aab"}
    assert len(digests) == 2


def test_writing_the_same_scan_again_changes_nothing() -> None:
    scan = stored(tiny())
    before = {key: scan.store.get(key) for key, _ in scan.store.list("")}
    stored(tiny(), store=scan.store)
    assert {key: scan.store.get(key) for key, _ in scan.store.list("")} == before


def test_the_header_is_the_one_that_readers_will_have() -> None:
    volume = Volume(tiny().voxels, "tyx", geometry_from_spacing((1, 2, 3)), Rescale(1, -1024, "HU"))
    header = encode_scan(volume, display=Display(40, 400)).header
    assert header_digest(header) == header_digest(type(header).from_json(json.loads(json.dumps(header.to_json()))))


def test_a_bad_scan_id_is_refused_and_nothing_is_stored() -> None:
    store = memory_store()
    with pytest.raises(InvalidRequest):
        write_scan(store, "../scan", tiny())
    assert list(store.list("")) == []


def test_an_encoder_that_loses_something_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store = memory_store()
    monkeypatch.setattr(
        "mist_storage.scan_writer.encoded_level",
        lambda layout, level, bands: encoded_level(layout, level, {name: band & ~1 for name, band in bands.items()}),
    )
    with pytest.raises(EncodingFailed, match="scan 'scan' did not come back"):
        write_scan(store, "scan", tiny())
    assert list(store.list("")) == []
