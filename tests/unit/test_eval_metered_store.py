from __future__ import annotations

from mist_eval.metered_store import MeteredStore
from mist_storage.prefix_cache import PrefixCache
from tests.stored_scan import memory_store


def filled() -> MeteredStore:
    store = memory_store()
    store.put("k", bytes(range(100)))
    return MeteredStore(store)


def test_every_byte_and_request_is_counted() -> None:
    store = filled()
    store.get("k")
    store.get_range("k", 10, 30)
    store.get_ranges("k", [(0, 5), (50, 60)])
    assert (store.requests, store.bytes) == (4, 100 + 20 + 15)


def test_bytes_are_those_that_came_not_those_asked_for() -> None:
    store = filled()
    store.get_range("k", 90, 300)
    assert store.bytes == 10


def test_what_fetches_nothing_is_not_counted() -> None:
    store = filled()
    store.put("other", b"x")
    assert dict(store.list("")) == {"k": 100, "other": 1}
    store.delete(["other"])
    assert (store.requests, store.bytes) == (0, 0)


def test_below_a_cache_only_what_is_new_is_counted() -> None:
    store = filled()
    cache = PrefixCache(store, 1000)
    for stop in (40, 40, 70):
        cache.get_range("k", 0, stop)
    assert store.bytes == 70
