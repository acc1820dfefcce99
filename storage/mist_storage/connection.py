"""How obstore is told to reach a store: by the environment, and by MIST's patience.

The rule: the one place that knows the settings of S3 and HTTP.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from obstore.store import HTTPStore, LocalStore, MemoryStore, S3Store

from mist_storage.address import Address
from mist_storage.patience import RETRY_TIMEOUT_S, Patience

_memory_stores: dict[str, MemoryStore] = {}
"""In-memory stores by address: opening an address twice in a process gives the same objects."""


def opened(address: Address, *, create: bool) -> LocalStore | S3Store | HTTPStore | MemoryStore:
    """The store at `address`; a local folder is made only where `create` is true.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    """
    if address.scheme == "memory":
        return _memory_stores.setdefault(address.url, MemoryStore())
    if address.scheme == "file":
        if not create and not address.path.is_dir():
            raise FileNotFoundError(address.path)
        return LocalStore(address.path, mkdir=create)
    options = s3_options()
    plain = address.scheme == "http" or options.get("endpoint", "").startswith("http://")
    patience = Patience.of_environment()
    client: Any = {**_timeouts(patience), "allow_http": plain}
    settings: Any = options
    retries: Any = _retries(patience)
    if address.scheme == "s3":
        return S3Store.from_url(address.url, config=settings, client_options=client, retry_config=retries)
    return HTTPStore.from_url(address.url, client_options=client, retry_config=retries)


def _timeouts(patience: Patience) -> dict[str, timedelta]:
    return {
        "connect_timeout": timedelta(seconds=patience.connect_timeout_s),
        "timeout": timedelta(seconds=patience.timeout_s),
    }


def _retries(patience: Patience) -> dict[str, object]:
    return {
        "max_retries": patience.retries,
        "retry_timeout": timedelta(seconds=RETRY_TIMEOUT_S),
        "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
    }


def s3_options() -> dict[str, str]:
    """What obstore must be told of S3 beyond what it reads from the environment itself."""
    endpoint = (os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "").rstrip("/")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return {"endpoint": endpoint, "region": region} if endpoint else {"region": region}


def is_unsigned() -> bool:
    """Whether buckets are read without credentials, by the environment."""
    return os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true", "yes", "on")
