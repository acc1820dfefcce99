"""One interface to the objects of a dataset, whether they lie in a folder, in a bucket, on a web server or in memory.

The rule: every failure of a store becomes one of `mist.errors`, with the address in its message; a missing object is
`ObjectNotFound` and nothing else is. obstore does the work, retries included. Knows nothing of scans.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar, cast
from urllib.parse import unquote, urlsplit

import obstore.exceptions as failures
from obstore.store import HTTPStore, LocalStore, MemoryStore, S3Store

from mist.errors import (
    DatasetNotFound,
    InvalidRequest,
    MistError,
    ObjectNotFound,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnavailable,
)

Result = TypeVar("Result")

SCHEMES = ("file", "s3", "https", "http", "memory")
"""The kinds of address that a dataset may have."""

_TIMEOUTS = {"connect_timeout": "10s", "timeout": "120s"}


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

    def put(self, key: str, data: bytes) -> None:
        """Store an object, whole or not at all."""

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there are no error."""

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Keys and sizes in bytes of all objects below `prefix`, a whole folder name."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address of a dataset or of a folder of datasets, parsed and made canonical."""

    url: str
    """Without a slash at the end; `file://` with an absolute path."""
    scheme: str
    """One of `SCHEMES`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address in `text`: a URL, or a path of a local folder.

        Raises
        ------
        InvalidRequest
            The scheme is not one of `SCHEMES`, or the address names no bucket or host.
        """
        if "://" not in text:
            return cls(Path(text).absolute().as_uri().rstrip("/"), "file")
        parts = urlsplit(text)
        if parts.scheme not in SCHEMES:
            raise InvalidRequest(f"an address begins with {', '.join(s + '://' for s in SCHEMES)}, not {text!r}")
        if parts.scheme in ("s3", "https", "http") and not parts.netloc:
            raise InvalidRequest(f"{text!r} names no bucket or host")
        if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
            raise InvalidRequest(f"{text!r}: a file address has three slashes: file:///folder")
        return cls(text.rstrip("/"), parts.scheme)

    @property
    def path(self) -> Path:
        """The local folder of a `file` address."""
        return Path(unquote(urlsplit(self.url).path))

    def joined(self, *names: str) -> Address:
        """The address of something below this one."""
        return Address("/".join((self.url, *names)), self.scheme)


class ObjectStore:
    """The objects below an address, by obstore. Opens when first used, in each process anew; pickles by address."""

    _opened_in: int | None = None  # the process whose obstore runtime has been started

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
        return self._do(key, lambda store: store.get(key).bytes().to_bytes())

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """See `Store.get_range`."""
        if start >= stop:
            raise InvalidRequest(f"a range is start < stop, not {start} to {stop}")
        try:
            return self._do(key, lambda store: store.get_range(key, start=start, end=stop).to_bytes())
        except StoreError:
            if self._size(key) <= start:
                return b""
            raise

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """See `Store.get_ranges`."""
        starts, ends = [start for start, _ in ranges], [stop for _, stop in ranges]
        try:
            found = self._do(key, lambda store: store.get_ranges(key, starts=starts, ends=ends))
        except StoreError:
            return [self.get_range(key, start, stop) for start, stop in ranges]
        return [part.to_bytes() for part in found]

    def put(self, key: str, data: bytes) -> None:
        """See `Store.put`."""
        self._do(key, lambda store: store.put(key, data))

    def delete(self, keys: Sequence[str]) -> None:
        """See `Store.delete`."""
        for key in keys:
            try:
                self._do(key, lambda store, key=key: store.delete(key))
            except ObjectNotFound:
                continue

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Store.list`."""
        batches = self._do(prefix, lambda store: list(store.list(prefix or None)))
        return ((entry["path"], entry["size"]) for batch in batches for entry in batch)

    def folders(self) -> list[str]:
        """The names of the folders directly below the address."""
        found = self._do("", lambda store: store.list_with_delimiter())
        return sorted(str(name).rstrip("/") for name in found["common_prefixes"])

    def _size(self, key: str) -> int:
        return self._do(key, lambda store: store.head(key))["size"]

    def _do(self, key: str, act: Callable[[Any], Result]) -> Result:
        """What `act` returns; its failures as `mist.errors`."""
        if ObjectStore._opened_in not in (None, os.getpid()):
            raise StoreError(
                "a store that was used before a fork cannot be used after it; start worker processes by 'forkserver' or "
                "'spawn', as in DataLoader(..., multiprocessing_context='forkserver')"
            )
        if self._inner is None:
            self._inner = _opened(self._address)
        ObjectStore._opened_in = os.getpid()
        try:
            return act(self._inner)
        except (failures.BaseError, OSError, ValueError) as error:
            raise translate_failure(error, self.url, key) from None


def open_store(url: str) -> ObjectStore:
    """The store at `url`: `file://`, `s3://`, `https://`, `http://`, `memory://`, or a path of a local folder.

    S3 is configured by the usual environment variables (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
    AWS_ENDPOINT_URL, AWS_SKIP_SIGNATURE for public buckets).
    """
    return ObjectStore(Address.parse(url))


def s3_options() -> dict[str, str]:
    """What obstore and Delta Lake must be told of S3 beyond what they read from the environment themselves."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return {"endpoint": endpoint, "region": region} if endpoint else {"region": region}


_memory_stores: dict[str, MemoryStore] = {}
"""In-memory stores by address: opening an address twice in a process gives the same objects."""


def _opened(address: Address) -> LocalStore | S3Store | HTTPStore | MemoryStore:
    if address.scheme == "memory":
        return _memory_stores.setdefault(address.url, MemoryStore())
    if address.scheme == "file":
        return LocalStore(address.path, mkdir=True)
    if address.scheme == "s3":
        options = s3_options()
        plain = options.get("endpoint", "").startswith("http://")
        client = cast("Any", {**_TIMEOUTS, "allow_http": plain})
        return S3Store.from_url(address.url, config=cast("Any", options), client_options=client)
    client = cast("Any", {**_TIMEOUTS, "allow_http": address.scheme == "http"})
    return HTTPStore.from_url(address.url, client_options=client)


_KINDS: tuple[tuple[tuple[str, ...], type[MistError], str], ...] = (
    (("No space left", "os error 28", "quota"), StoreFull, "the store is full"),
    (("NoSuchBucket",), StoreUnavailable, "the bucket does not exist; create it, or check its name"),
    (("InvalidAccessKeyId", "SignatureDoesNotMatch", "401 Unauthorized"), StoreDenied, "the credentials are wrong"),
    (("403 Forbidden", "AccessDenied", "Permission denied"), StoreDenied, "access is denied; check the credentials"),
    (("CredentialsProvider", "169.254.169.254"), StoreDenied, "no credentials were found; set AWS_ACCESS_KEY_ID"),
)
"""Words in a store's message, the error that they mean, and what to say; the first that fits is taken."""


def translate_failure(error: Exception, url: str, key: str) -> MistError:
    """The error of `mist.errors` that a failure of obstore or Delta Lake at `url`/`key` stands for."""
    text = str(error)
    where = f"{url}/{key}" if key else url
    for words, kind, meaning in _KINDS:
        if any(word in text for word in words):
            return kind(f"{where}: {meaning}")
    if isinstance(error, (failures.NotFoundError, FileNotFoundError)):
        return ObjectNotFound(f"{where}: no such object")
    if isinstance(error, (failures.PermissionDeniedError, failures.UnauthenticatedError, PermissionError)):
        return StoreDenied(f"{where}: access is denied; check the credentials")
    if isinstance(error, (failures.InvalidPathError, failures.NotSupportedError)):
        return InvalidRequest(f"{where}: {_first_line(text)}")
    return StoreUnavailable(f"{where}: {_first_line(text)}")


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]


def require_folder(address: Address) -> None:
    """Make sure that a `file` address is a folder that is there, before anything is created in it by reading.

    Raises
    ------
    DatasetNotFound
        There is no such folder.
    """
    if address.scheme == "file" and not address.path.is_dir():
        raise DatasetNotFound(f"{address.url}: there is no such folder")
