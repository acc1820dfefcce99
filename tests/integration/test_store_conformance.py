"""What every kind of store must do, in one class that all of them pass."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mist.errors import InvalidRequest, ObjectNotFound
from mist_storage.store import ObjectStore, open_store

WEIRD_KEYS = (
    "a b",
    "ü/ß",
    "日本",
    "e\u0301",
    "a%20b",
    "100%",
    "%2e%2e/k",
    "x#y",
    "q?x=1&y=2",
    "plus+eq=",
    "~tilde",
    "a:b",
    "star*",
    "[b]{c}",
    "<x>",
    "'q'",
    '"dq"',
    "`bt`",
    "^c|p",
    "..a",
    "a..",
    ".hidden/k",
    "@12",
    "403 Forbidden/NoSuchBucket/quota/os error 28",
)
BAD_KEYS = ("", "/", "/k", "k/", "a//b", "..", "../k", "a/../k", ".", "./k", "a/./b", "a\\b", "a\nb", "a\x00b", "k#1")


def local_address(request: pytest.FixtureRequest) -> str:
    folder: Path = request.getfixturevalue("tmp_path")
    return str(folder / "my data, 100% ü #1" / "cxr")


def memory_address(request: pytest.FixtureRequest) -> str:  # noqa: ARG001 - one of a table of functions
    return f"memory://{uuid.uuid4().hex}"


def s3_address(request: pytest.FixtureRequest) -> str:
    return f"{request.getfixturevalue('s3_url')}/my data, ü/cxr"


ADDRESSES: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "file": local_address,
    "memory": memory_address,
    "s3": s3_address,
}


@pytest.fixture(params=sorted(ADDRESSES))
def address(request: pytest.FixtureRequest) -> str:
    """The address of an empty store of each kind."""
    return ADDRESSES[request.param](request)


@pytest.fixture
def store(address: str) -> ObjectStore:
    """An empty store of each kind."""
    return open_store(address)


class TestStoreConformance:
    """One behaviour a test, on every kind of store."""

    def test_what_was_put_can_be_got(self, store: ObjectStore) -> None:
        store.put("a/b/c", b"bytes")
        assert store.get("a/b/c") == b"bytes"

    def test_putting_again_replaces(self, store: ObjectStore) -> None:
        store.put("k", b"long bytes")
        store.put("k", b"short")
        assert store.get("k") == b"short"

    def test_an_object_is_created_once(self, store: ObjectStore) -> None:
        assert store.create("k", b"first")
        assert not store.create("k", b"second")
        assert store.get("k") == b"first"

    def test_of_many_that_create_an_object_one_succeeds(self, store: ObjectStore) -> None:
        with ThreadPoolExecutor(8) as threads:
            created = list(threads.map(lambda number: store.create("a/k", bytes([number])), range(8)))
        assert created.count(True) == 1
        assert store.get("a/k") == bytes([created.index(True)])

    def test_an_empty_object_is_an_object(self, store: ObjectStore) -> None:
        store.put("k", b"")
        assert store.get("k") == b""

    def test_a_large_object_comes_back_whole(self, store: ObjectStore) -> None:
        data = bytes(range(256)) * 100_000
        store.put("k", data)
        assert store.get("k") == data

    def test_two_stores_at_one_address_see_the_same(self, store: ObjectStore, address: str) -> None:
        store.put("k", b"bytes")
        assert open_store(address).get("k") == b"bytes"

    def test_a_pickled_store_sees_the_same(self, store: ObjectStore) -> None:
        store.put("k", b"bytes")
        assert pickle.loads(pickle.dumps(store)).get("k") == b"bytes"  # noqa: S301 - made here

    @pytest.mark.parametrize(
        ("start", "stop", "found"),
        [(0, 1, b"b"), (1, 4, b"yte"), (0, 5, b"bytes"), (3, 99, b"es"), (0, 99, b"bytes"), (5, 6, b""), (50, 60, b"")],
    )
    def test_a_range_is_what_of_it_is_there(self, store: ObjectStore, start: int, stop: int, found: bytes) -> None:
        store.put("k", b"bytes")
        assert store.get_range("k", start, stop) == found

    def test_a_range_of_an_empty_object_is_empty(self, store: ObjectStore) -> None:
        store.put("k", b"")
        assert store.get_range("k", 0, 10) == b""

    @pytest.mark.parametrize(("start", "stop"), [(0, 0), (3, 2), (-1, 3)])
    def test_a_range_that_is_none_is_refused(self, store: ObjectStore, start: int, stop: int) -> None:
        store.put("k", b"bytes")
        with pytest.raises(InvalidRequest, match="start < stop"):
            store.get_range("k", start, stop)

    def test_several_ranges_come_in_the_order_asked_for(self, store: ObjectStore) -> None:
        store.put("k", b"0123456789")
        assert store.get_ranges("k", [(7, 9), (0, 2), (1, 4), (7, 9)]) == [b"78", b"01", b"123", b"78"]

    def test_several_ranges_are_what_of_them_is_there(self, store: ObjectStore) -> None:
        store.put("k", b"0123456789")
        assert store.get_ranges("k", [(0, 2), (8, 12), (10, 12), (90, 99)]) == [b"01", b"89", b"", b""]

    def test_no_ranges_are_no_bytes(self, store: ObjectStore) -> None:
        assert store.get_ranges("k", []) == []

    def test_getting_a_missing_object_says_so(self, store: ObjectStore) -> None:
        with pytest.raises(ObjectNotFound, match="absent"):
            store.get("absent")

    def test_a_range_of_a_missing_object_says_so(self, store: ObjectStore) -> None:
        with pytest.raises(ObjectNotFound, match="absent"):
            store.get_range("absent", 0, 5)

    def test_several_ranges_of_a_missing_object_say_so(self, store: ObjectStore) -> None:
        with pytest.raises(ObjectNotFound, match="absent"):
            store.get_ranges("absent", [(0, 5), (7, 9)])

    def test_a_folder_is_no_object(self, store: ObjectStore) -> None:
        store.put("folder/k", b"bytes")
        with pytest.raises(ObjectNotFound):
            store.get("folder")

    def test_nothing_lies_below_an_object(self, store: ObjectStore) -> None:
        store.put("k", b"bytes")
        with pytest.raises(ObjectNotFound):
            store.get("k/below")

    def test_a_deleted_object_is_gone(self, store: ObjectStore) -> None:
        store.put("k", b"bytes")
        store.delete(["k"])
        with pytest.raises(ObjectNotFound):
            store.get("k")

    def test_deleting_what_is_not_there_deletes_the_rest(self, store: ObjectStore) -> None:
        store.put("k", b"bytes")
        store.delete(["absent", "k", "absent/too"])
        assert list(store.list("")) == []

    def test_an_empty_store_lists_nothing(self, store: ObjectStore) -> None:
        assert (list(store.list("")), list(store.list("scans")), store.folders()) == ([], [], [])

    def test_a_list_has_keys_and_sizes_of_all_below(self, store: ObjectStore) -> None:
        for key, data in (("a", b"1"), ("f/b", b"22"), ("f/g/c", b"")):
            store.put(key, data)
        assert sorted(store.list("")) == [("a", 1), ("f/b", 2), ("f/g/c", 0)]

    @pytest.mark.parametrize("prefix", ["f", "f/"])
    def test_a_list_of_a_folder_leaves_out_its_namesakes(self, store: ObjectStore, prefix: str) -> None:
        for key in ("f/a", "fo/b", "f.c", "g/f/d"):
            store.put(key, b"")
        assert list(store.list(prefix)) == [("f/a", 0)]

    def test_a_list_is_longer_than_one_page(self, store: ObjectStore) -> None:
        keys = [f"k/{number:04}" for number in range(1050)]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda key: store.put(key, b""), keys))
        assert sorted(key for key, _ in store.list("k")) == keys

    def test_folders_are_those_directly_below(self, store: ObjectStore) -> None:
        for key in ("k", "f/a", "g h/i/b", "ü/c"):
            store.put(key, b"")
        assert store.folders() == ["f", "g h", "ü"]

    @pytest.mark.parametrize("key", WEIRD_KEYS)
    def test_a_weird_key_is_a_key(self, store: ObjectStore, key: str) -> None:
        store.put(key, b"bytes")
        assert (store.get(key), list(store.list(""))) == (b"bytes", [(key, 5)])

    @pytest.mark.parametrize("key", WEIRD_KEYS)
    def test_a_missing_weird_key_is_a_missing_object(self, store: ObjectStore, key: str) -> None:
        store.put("k", b"")
        with pytest.raises(ObjectNotFound):
            store.get(key)

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_what_is_no_key_is_refused(self, store: ObjectStore, key: str) -> None:
        with pytest.raises(InvalidRequest, match="key"):
            store.get(key)
        with pytest.raises(InvalidRequest, match="key"):
            store.put(key, b"")

    def test_threads_share_a_store(self, store: ObjectStore) -> None:
        def put_and_get(number: int) -> bool:
            store.put(f"k/{number}", bytes([number]) * 1000)
            return store.get_range(f"k/{number}", 0, 1000) == bytes([number]) * 1000

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(put_and_get, range(64)))
