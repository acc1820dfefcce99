"""A store that remembers the prefixes it has read, so that refining a scan never fetches a byte twice.

The rule: for each key the bytes [0, n) that have been read are kept; a range that begins inside them costs only what
lies beyond, and threads that want the same prefix wait for one fetch. The least recently used prefixes go first when
memory runs out. Objects must never change under their key, which scans' objects do not.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from weakref import WeakValueDictionary

from mist_storage.fork_guard import refuse_after_fork
from mist_storage.store import Store


class PrefixCache:
    """`store`, with at most `max_bytes` of prefixes kept in memory. Safe to use from several threads."""

    def __init__(self, store: Store, max_bytes: int) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._prefixes: OrderedDict[str, bytes] = OrderedDict()
        self._held_bytes = 0
        self._lock = threading.Lock()
        self._fetching: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()

    def __reduce__(self) -> tuple[type[PrefixCache], tuple[Store, int]]:
        """Pickle without what is held: another process has its own memory."""
        return type(self), (self._store, self._max_bytes)

    @property
    def url(self) -> str:
        """The address."""
        return self._store.url

    @property
    def held_bytes(self) -> int:
        """How many bytes are kept at present."""
        return self._held_bytes

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        return self._store.get(key)

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """See `Store.get_range`."""
        held = self._held(key)
        if start <= len(held) < stop:
            held = self._extended(key, stop)
        if start <= len(held):
            return held[start:stop]
        return self._store.get_range(key, start, stop)

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """See `Store.get_ranges`."""
        held = self._held(key)
        beyond = [(max(start, len(held)), stop) for start, stop in ranges if stop > len(held)]
        fetched = iter(self._store.get_ranges(key, beyond) if beyond else ())
        return [held[start:stop] + (next(fetched) if stop > len(held) else b"") for start, stop in ranges]

    def put(self, key: str, data: bytes | memoryview) -> None:
        """See `Store.put`."""
        try:
            self._store.put(key, data)
        finally:
            self.forget([key])

    def delete(self, keys: Sequence[str]) -> None:
        """See `Store.delete`."""
        try:
            self._store.delete(keys)
        finally:
            self.forget(keys)

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Store.list`."""
        return self._store.list(prefix)

    def forget(self, keys: Sequence[str]) -> None:
        """Drop what is held of `keys`."""
        with self._lock:
            for key in keys:
                self._held_bytes -= len(self._prefixes.pop(key, b""))

    def _held(self, key: str) -> bytes:
        refuse_after_fork()  # a lock that another thread held at the fork stays locked for ever in the child
        with self._lock:
            if key in self._prefixes:
                self._prefixes.move_to_end(key)
            return self._prefixes.get(key, b"")

    def _extended(self, key: str, stop: int) -> bytes:
        """The prefix of `key` up to `stop`, or to its end; what is not held is fetched, by one thread at a time."""
        with self._lock:
            fetching = self._fetching.setdefault(key, threading.Lock())
        with fetching:
            held = self._held(key)
            if stop > len(held):
                held += self._store.get_range(key, len(held), stop)
                self._keep(key, held)
            return held

    def _keep(self, key: str, prefix: bytes) -> None:
        """Hold `prefix`, or what was held of `key` before where that is longer, within the bound."""
        if len(prefix) > self._max_bytes:
            return
        with self._lock:
            held = self._prefixes.pop(key, b"")
            self._prefixes[key] = max(prefix, held, key=len)
            self._held_bytes += len(self._prefixes[key]) - len(held)
            while self._held_bytes > self._max_bytes:
                _, dropped = self._prefixes.popitem(last=False)
                self._held_bytes -= len(dropped)
