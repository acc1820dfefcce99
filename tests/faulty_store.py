"""A store that fails at a chosen operation, and one that keeps its own time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TypeVar

from mist.errors import ObjectNotFound, StoreFull, StoreUnavailable
from mist_storage.store import StoredObject, WritableStore

Result = TypeVar("Result")


class Fault(Enum):
    """How an operation fails."""

    BEFORE = auto()
    """HTTP 500, 503, a lost connection: nothing was done, and the caller is told so."""
    LOST_ACKNOWLEDGEMENT = auto()
    """All was done, and the caller is told of a timeout."""
    FULL = auto()
    """A write finds no room; reading goes on as ever."""
    REPEATED = auto()
    """All was done, the answer was lost, and the operation was done again, as retries do."""


READS = ("get", "get_range", "get_ranges", "list", "inventory")


@dataclass
class FaultyStore:
    """`inner`, whose operation number `fails_at`, from 0, fails; and all after it, if `is_dead`."""

    inner: WritableStore
    fails_at: int | None = None
    fault: Fault = Fault.BEFORE
    is_dead: bool = False
    """Whether nothing works any more after the fault, as for a process that was killed."""
    operations: list[str] = field(default_factory=list)
    """The names of the methods called, in order."""

    @property
    def url(self) -> str:
        return self.inner.url

    def get(self, key: str) -> bytes:
        return self._do("get", lambda: self.inner.get(key))

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        return self._do("get_range", lambda: self.inner.get_range(key, start, stop))

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._do("get_ranges", lambda: self.inner.get_ranges(key, ranges))

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        return self._do("list", lambda: iter([*self.inner.list(prefix)]))

    def inventory(self, prefix: str) -> Iterator[StoredObject]:
        return self._do("inventory", lambda: iter([*self.inner.inventory(prefix)]))

    def put(self, key: str, data: bytes | memoryview) -> None:
        self._do("put", lambda: self.inner.put(key, data))

    def create(self, key: str, data: bytes) -> bool:
        return self._do("create", lambda: self.inner.create(key, data))

    def flush(self) -> None:
        self._do("flush", self.inner.flush)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._do("delete", lambda key=key: self.inner.delete([key]))  # type: ignore[misc]

    def remove_staged(self, prefix: str, before: datetime) -> int:
        return self._do("remove_staged", lambda: self.inner.remove_staged(prefix, before))

    def _do(self, name: str, act: Callable[[], Result]) -> Result:
        number = len(self.operations)
        self.operations.append(name)
        if self.fails_at is None or number < self.fails_at or (number > self.fails_at and not self.is_dead):
            return act()
        if self.fault is Fault.FULL and name in READS:
            return act()
        if number == self.fails_at and self.fault is Fault.REPEATED:
            act()
            return act()
        if number == self.fails_at and self.fault is Fault.LOST_ACKNOWLEDGEMENT:
            act()
        if self.fault is Fault.FULL:
            raise StoreFull(f"{self.url}: the store is full")
        raise StoreUnavailable(f"{self.url}: operation {number}, {name}, failed")


@dataclass
class ShortReads(FaultyStore):
    """Gives half of the object that operation number `fails_at` gets."""

    def get(self, key: str) -> bytes:
        number = len(self.operations)
        self.operations.append("get")
        data = self.inner.get(key)
        return data[: len(data) // 2] if number == self.fails_at else data


@dataclass
class ClockedStore(FaultyStore):
    """A store that never fails, whose objects are as old as its own clock says."""

    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    written: dict[str, datetime] = field(default_factory=dict)

    def wait(self, hours: int) -> None:
        """Let time go by."""
        self.now += timedelta(hours=hours)

    def put(self, key: str, data: bytes | memoryview) -> None:
        super().put(key, data)
        self.written[key] = self.now

    def create(self, key: str, data: bytes) -> bool:
        is_new = super().create(key, data)
        if is_new:
            self.written[key] = self.now
        return is_new

    def inventory(self, prefix: str) -> Iterator[StoredObject]:
        return (replace(each, modified=self.written[each.key]) for each in super().inventory(prefix))


def contents(store: WritableStore) -> dict[str, bytes]:
    """All objects of a store."""
    found = {}
    for key, _ in store.list(""):
        try:
            found[key] = store.get(key)
        except ObjectNotFound:
            continue
    return found
