from __future__ import annotations

import pickle
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from mist.errors import ObjectNotFound
from mist_storage.prefix_cache import PrefixCache
from tests.stored_scan import CountingStore, memory_store

DATA = bytes(range(100))


@pytest.fixture
def store() -> CountingStore:
    """Objects `a`, `b` and `c` of 100 bytes."""
    inner = memory_store()
    for key in "abc":
        inner.put(key, DATA)
    return CountingStore(inner)


def test_a_range_is_what_the_store_holds(store: CountingStore) -> None:
    cache = PrefixCache(store, 1000)
    ranges = [(0, 10), (5, 20), (0, 100), (90, 200), (30, 40), (150, 160)]
    assert [cache.get_range("a", *span) for span in ranges] == [DATA[a:b] for a, b in ranges]


def test_a_prefix_is_fetched_once(store: CountingStore) -> None:
    cache = PrefixCache(store, 1000)
    cache.get_range("a", 0, 50)
    cache.get_range("a", 0, 50)
    cache.get_range("a", 10, 30)
    assert store.ranges == [(0, 50)]


def test_a_longer_prefix_costs_only_what_lies_beyond(store: CountingStore) -> None:
    cache = PrefixCache(store, 1000)
    for stop in (10, 30, 100):
        cache.get_range("a", 0, stop)
    assert store.ranges == [(0, 10), (10, 30), (30, 100)]


def test_a_range_that_begins_where_the_prefix_ends_extends_it(store: CountingStore) -> None:
    cache = PrefixCache(store, 1000)
    cache.get_range("a", 0, 10)
    cache.get_range("a", 10, 30)
    assert (cache.get_range("a", 0, 30), store.ranges) == (DATA[:30], [(0, 10), (10, 30)])


def test_a_range_beyond_a_gap_is_not_kept(store: CountingStore) -> None:
    cache = PrefixCache(store, 1000)
    cache.get_range("a", 50, 60)
    assert cache.held_bytes == 0


def test_several_ranges_cost_only_what_is_not_held(store: CountingStore) -> None:
    cache = PrefixCache(store, 1000)
    cache.get_range("a", 0, 20)
    ranges = [(0, 5), (15, 30), (40, 50), (10, 20)]
    assert cache.get_ranges("a", ranges) == [DATA[a:b] for a, b in ranges]
    assert store.ranges[1:] == [(20, 30), (40, 50)]


def test_several_ranges_that_are_held_cost_no_request(store: CountingStore) -> None:
    cache = PrefixCache(store, 1000)
    cache.get_range("a", 0, 20)
    cache.get_ranges("a", [(0, 5), (6, 20)])
    assert store.requests == ["get_range"]


def test_no_more_is_kept_than_the_bound(store: CountingStore) -> None:
    cache = PrefixCache(store, 100)
    for key in "abcabc":
        for stop in (30, 60, 40):
            cache.get_range(key, 0, stop)
            assert cache.held_bytes <= 100


def test_the_least_recently_used_prefix_goes_first(store: CountingStore) -> None:
    cache = PrefixCache(store, 100)
    for key in "aba":
        cache.get_range(key, 0, 40)
    cache.get_range("c", 0, 40)
    store.ranges.clear()
    cache.get_range("a", 0, 40)
    assert store.ranges == []


def test_a_prefix_that_is_larger_than_the_bound_drops_no_other(store: CountingStore) -> None:
    cache = PrefixCache(store, 60)
    cache.get_range("a", 0, 50)
    assert cache.get_range("b", 0, 100) == DATA
    assert cache.held_bytes == 50


def test_a_missing_object_is_missing_every_time(store: CountingStore) -> None:
    cache = PrefixCache(store, 100)
    for _ in range(2):
        with pytest.raises(ObjectNotFound):
            cache.get_range("absent", 0, 10)


def test_what_is_put_through_the_cache_is_read_anew(store: CountingStore) -> None:
    cache = PrefixCache(store, 1000)
    cache.get_range("a", 0, 10)
    cache.put("a", b"other bytes")
    assert (cache.get_range("a", 0, 5), cache.get("a")) == (b"other", b"other bytes")


def test_what_is_deleted_through_the_cache_is_gone(store: CountingStore) -> None:
    cache = PrefixCache(store, 1000)
    cache.get_range("a", 0, 10)
    cache.delete(["a"])
    with pytest.raises(ObjectNotFound):
        cache.get_range("a", 0, 10)
    assert cache.held_bytes == 0


def test_listing_goes_through(store: CountingStore) -> None:
    assert sorted(PrefixCache(store, 10).list("")) == [(key, 100) for key in "abc"]


def test_a_pickled_cache_begins_empty() -> None:
    cache = PrefixCache(memory_store(), 1000)
    cache.put("a", DATA)
    cache.get_range("a", 0, 50)
    assert pickle.loads(pickle.dumps(cache)).held_bytes == 0  # noqa: S301 - made here


class SlowStore(CountingStore):
    """A store in which every range waits until as many threads as possible have asked."""

    gate = threading.Event()

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        self.gate.wait(1)
        return super().get_range(key, start, stop)


def in_threads(cache: PrefixCache, stops: Sequence[int]) -> list[bytes]:
    with ThreadPoolExecutor(len(stops)) as threads:
        found = [threads.submit(cache.get_range, "a", 0, stop) for stop in stops]
        SlowStore.gate.set()
        return [each.result() for each in found]


def test_threads_that_want_one_prefix_share_one_fetch(store: CountingStore) -> None:
    slow = SlowStore(store.inner)
    assert in_threads(PrefixCache(slow, 1000), [60] * 8) == [DATA[:60]] * 8
    assert slow.ranges == [(0, 60)]


def test_threads_that_want_prefixes_of_one_object_fetch_no_byte_twice(store: CountingStore) -> None:
    slow, stops = SlowStore(store.inner), [10, 80, 30, 100, 50, 20, 90, 70]
    cache = PrefixCache(slow, 1000)
    assert in_threads(cache, stops) == [DATA[:stop] for stop in stops]
    assert (slow.bytes_read, cache.held_bytes) == (100, 100)


def test_threads_at_random_get_what_is_there_within_the_bound(store: CountingStore) -> None:
    cache = PrefixCache(store, 150)

    def read(number: int) -> bool:
        start, stop, key = number * 7 % 50, 50 + number * 13 % 60, "abc"[number % 3]
        return cache.get_range(key, start, stop) == DATA[start:stop] and cache.held_bytes <= 300

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(2000)))
    assert cache.held_bytes <= 150
