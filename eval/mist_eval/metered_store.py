"""A store that counts what is fetched from it: the bytes and requests that a measurement reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mist_storage.store import Store


class MeteredStore:
    """`store`, counting. Put it below a cache to count what crosses the network, above one to count what is used."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.requests = 0
        self.bytes = 0

    @property
    def url(self) -> str:
        """The address."""
        return self._store.url

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        return self._counted(self._store.get(key))

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """See `Store.get_range`."""
        return self._counted(self._store.get_range(key, start, stop))

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """See `Store.get_ranges`."""
        return [self._counted(part) for part in self._store.get_ranges(key, ranges)]

    def put(self, key: str, data: bytes | memoryview) -> None:
        """See `Store.put`."""
        self._store.put(key, data)

    def delete(self, keys: Sequence[str]) -> None:
        """See `Store.delete`."""
        self._store.delete(keys)

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Store.list`."""
        return self._store.list(prefix)

    def _counted(self, data: bytes) -> bytes:
        self.requests += 1
        self.bytes += len(data)
        return data
