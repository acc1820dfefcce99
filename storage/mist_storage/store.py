"""One interface to the objects of a dataset, whether they lie in a folder, in a bucket, on a web server or in memory.

The rule: every failure of a store becomes one of `mist.errors`, with the address in its message; a missing object is
`ObjectNotFound` and nothing else is. obstore does the work, retries included. Reading creates nothing. Knows nothing of
scans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import obstore.exceptions as failures
from obstore.store import HTTPStore, LocalStore, MemoryStore, S3Store

from mist.errors import InvalidRequest, ObjectNotFound, StoreUnavailable
from mist_storage.address import Address
from mist_storage.connection import opened
from mist_storage.durable_file import remove_file, staged_files, sync_files, write_file
from mist_storage.fork_guard import refuse_after_fork
from mist_storage.keys import checked_key
from mist_storage.store_failures import AlreadyStored, RangeBeyondEnd, translate_failure

Result = TypeVar("Result")

_RANGES_AT_ONCE = 8
"""Requests in flight for the ranges of one object."""


class Store(Protocol):
    """The objects below one address. Keys are relative to it, with `/` between their parts."""

    @property
    def url(self) -> str:
        """The address, for messages."""

    def get(self, key: str) -> bytes:
        """The whole object; `ObjectNotFound` where there is none."""

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """Bytes [start, stop) of an object, fewer where it ends before; `ObjectNotFound` where there is none."""

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Several ranges [start, stop) of one object, fetched together."""

    def put(self, key: str, data: bytes | memoryview) -> None:
        """Store an object, whole or not at all."""

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there are no error."""

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Keys and sizes in bytes of all objects below `prefix`, a whole folder name."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object, without its bytes."""

    key: str
    bytes: int
    """Its size."""
    modified: datetime
    """When it was last written, by the store's clock; with a time zone."""


class WritableStore(Store, Protocol):
    """A store that several writers share, and that an administrator looks after."""

    def create(self, key: str, data: bytes) -> bool:
        """Store an object where there is none of that key; whether it was stored. Of many callers one succeeds."""

    def flush(self) -> None:
        """Return when all that was put and deleted until now survives a power cut.

        What `create` stores, and what takes the place of another object, does so at once.
        """

    def inventory(self, prefix: str) -> Iterator[StoredObject]:
        """All objects below `prefix`, a whole folder name."""

    def remove_staged(self, prefix: str, before: datetime) -> int:
        """Remove what interrupted writes below `prefix` left earlier than `before`; how many bytes were freed."""


class ObjectStore:
    """The objects below an address, by obstore. Opens when first used, in each process anew; pickles by address."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._inner: LocalStore | S3Store | HTTPStore | MemoryStore | None = None

    def __reduce__(self) -> tuple[type[Self], tuple[Address]]:
        """Pickle by address: a runtime does not travel."""
        return type(self), (self._address,)

    @property
    def url(self) -> str:
        """The address."""
        return self._address.url

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        return self._do(checked_key(key), lambda store: bytes(store.get(key).bytes()))

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """See `Store.get_range`."""
        if not 0 <= start < stop:
            raise InvalidRequest(f"a range of an object is 0 <= start < stop, not {start} to {stop}")
        try:
            return self._do(checked_key(key), lambda store: bytes(store.get_range(key, start=start, end=stop)))
        except RangeBeyondEnd:
            return b""

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """See `Store.get_ranges`."""
        # Not by obstore's get_ranges: it fetches what lies between ranges less than 1 MiB apart as well, and panics
        # where an object ends before a range does.
        if len(ranges) < 2 or self._address.scheme in ("file", "memory"):
            return [self.get_range(key, start, stop) for start, stop in ranges]
        with ThreadPoolExecutor(min(len(ranges), _RANGES_AT_ONCE)) as threads:
            return list(threads.map(lambda span: self.get_range(key, *span), ranges))

    def put(self, key: str, data: bytes | memoryview) -> None:
        """See `Store.put`."""
        try:
            self._do(checked_key(key), lambda store: self._put(store, key, data), create=True)
        except ObjectNotFound:  # what is not found cannot be an object that is only being written
            raise StoreUnavailable(
                f"{self.url}/{key}: cannot be written; a part of the path is a file where a folder must be"
            ) from None

    def create(self, key: str, data: bytes) -> bool:
        """See `WritableStore.create`."""
        try:
            self._do(checked_key(key), lambda store: self._put(store, key, data, is_new=True), create=True)
        except AlreadyStored:
            return False
        return True

    def delete(self, keys: Sequence[str]) -> None:
        """See `Store.delete`."""
        for key in map(checked_key, keys):
            try:
                self._do(key, lambda store, key=key: self._remove(store, key))  # type: ignore[misc]
            except ObjectNotFound:
                continue

    def folders(self) -> list[str]:
        """The names of the folders directly below the address."""
        try:
            found = self._do("", lambda store: store.list_with_delimiter())
        except ObjectNotFound:
            return []
        return sorted(str(name).rstrip("/") for name in found["common_prefixes"])

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Store.list`."""
        return ((entry.key, entry.bytes) for entry in self.inventory(prefix))

    def flush(self) -> None:
        """See `WritableStore.flush`. Only folders are waited for; elsewhere what is stored is stored."""
        if self._address.scheme == "file" and self._address.path.is_dir():
            self._do("", lambda _: sync_files(self._address.path))

    def inventory(self, prefix: str) -> Iterator[StoredObject]:
        """See `WritableStore.inventory`."""
        folder = checked_key(prefix.rstrip("/")) if prefix else None
        try:
            batches = self._do(prefix, lambda store: [*store.list(folder)])
        except ObjectNotFound:
            return iter(())
        entries = (entry for batch in batches for entry in batch)
        return (StoredObject(entry["path"], entry["size"], entry["last_modified"]) for entry in entries)

    def remove_staged(self, prefix: str, before: datetime) -> int:
        """See `WritableStore.remove_staged`. Only folders have such files; elsewhere a write leaves nothing."""
        if self._address.scheme != "file":
            return 0
        folder = self._address.path / checked_key(prefix)
        return self._do(prefix, lambda _: _removed_staged(folder, self._address.path, before)) if folder.is_dir() else 0

    def _put(self, store: Any, key: str, data: bytes | memoryview, *, is_new: bool = False) -> None:  # noqa: ANN401
        """Store an object; in a folder by ourselves, since obstore never waits for the disk."""
        if self._address.scheme != "file":
            store.put(key, data, mode="create" if is_new else "overwrite")
            return
        try:
            write_file(self._address.path / key, data, replace=not is_new)
        except FileExistsError:
            raise failures.AlreadyExistsError(key) from None

    def _remove(self, store: Any, key: str) -> None:  # noqa: ANN401
        if self._address.scheme == "file":
            remove_file(self._address.path / key, self._address.path)
        else:
            store.delete(key)

    def _do(self, key: str, act: Callable[[Any], Result], *, create: bool = False) -> Result:
        """What `act` returns; its failures as `mist.errors`. A local folder is made only where `create` is true."""
        refuse_after_fork()
        try:
            if self._inner is None:
                self._inner = opened(self._address, create=create)
            return act(self._inner)
        except (failures.BaseError, OSError, ValueError) as error:
            raise translate_failure(error, self.url, key) from None


def open_store(url: str) -> ObjectStore:
    """The store at `url`: `file://`, `s3://`, `https://`, `http://`, `memory://`, or a path of a local folder.

    S3 is configured by the usual environment variables (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
    AWS_ENDPOINT_URL, AWS_SKIP_SIGNATURE for public buckets); how long a request may take by MIST_STORE_TIMEOUT_S and
    MIST_STORE_RETRIES.
    """
    return ObjectStore(Address.parse(url))


def _removed_staged(folder: Path, root: Path, before: datetime) -> int:
    freed = 0
    for path in staged_files(folder):
        facts = path.stat()
        if facts.st_mtime < before.timestamp():
            freed += facts.st_size
            remove_file(path, root)
    return freed
