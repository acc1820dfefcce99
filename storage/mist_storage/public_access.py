"""What a client without credentials may do with a dataset in a bucket, found out by trying.

The rule: settings say what should be, and this says what is, by the address that everybody uses. Nothing is left in the
bucket by trying.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, unquote, urlsplit

import tenacity

from mist.errors import ObjectNotFound, StoreDenied
from mist_storage.address import Address
from mist_storage.buckets import PUBLIC_ACCESS, anyone_may_list, anyone_may_write
from mist_storage.connection import s3_options
from mist_storage.store import open_store

_PROBE = "scans/_mist_publish_probe"
"""A key that no dataset has, to try whether anybody may write."""

SETTLING_S = 10.0
"""For so many seconds after new settings a store may go by the old ones."""


def folder_of(address: Address) -> str:
    """The folder of its bucket that an `s3` address names; empty for the whole bucket."""
    return unquote(urlsplit(address.url).path).strip("/")


def public_url(address: Address) -> str:
    """Where anybody reads what is public of a dataset in a bucket."""
    options, path = s3_options(), quote(folder_of(address))
    if "endpoint" in options:
        return f"{options['endpoint']}/{address.bucket}/{path}".rstrip("/")
    domain = f"s3.{options['region']}.amazonaws.com" + (".cn" if options["region"].startswith("cn-") else "")
    # A certificate for *.s3... does not hold for a name with further dots.
    is_dotted = "." in str(address.bucket)
    host = f"{domain}/{address.bucket}" if is_dotted else f"{address.bucket}.{domain}"
    return f"https://{host}/{path}".rstrip("/")


def require_readable(address: Address, objects: Sequence[str], settling_s: float = SETTLING_S) -> None:
    """Return once anybody can read `objects`, by their keys.

    Raises
    ------
    StoreDenied
        Nobody can, after `settling_s` seconds.
    StoreError
        The store failed.
    """
    store = open_store(public_url(address))
    for key in objects:
        try:
            _settled(tenacity.retry_if_exception_type(StoreDenied), settling_s)(store.get_range, key, 0, 1)
        except StoreDenied:
            raise StoreDenied(
                f"{store.url}/{key}: still denied without credentials, though the policy lets anybody read it; an "
                f"explicit Deny or the encryption (SSE-KMS) forbids it, or {PUBLIC_ACCESS}"
            ) from None


def powers(address: Address, private: Sequence[str], settling_s: float = SETTLING_S) -> list[str]:
    """What anybody may do of: reading the objects `private`, by their keys, listing, writing; in words.

    Where there is anything it is looked at again, for `settling_s` seconds.

    Raises
    ------
    StoreError
        The store failed.
    """
    return _settled(tenacity.retry_if_result(bool), settling_s)(_powers, address, private)


def _settled(again: tenacity.retry_base, settling_s: float) -> tenacity.Retrying:
    """Does something `again` for as long as a store may take to settle; what came last is what comes back."""
    return tenacity.Retrying(
        retry=again,
        stop=tenacity.stop_after_delay(settling_s),
        wait=tenacity.wait_exponential(multiplier=0.1, max=2),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )


def _powers(address: Address, private: Sequence[str]) -> list[str]:
    bucket, folder = str(address.bucket), folder_of(address)
    found = [f"read {key}" for key in private if _is_readable(address, key)]
    if anyone_may_list(bucket, folder):
        found.append("list the folder")
    if anyone_may_write(bucket, f"{folder}/{_PROBE}".lstrip("/")):
        found.append("write to the folder")
    return found


def _is_readable(address: Address, key: str) -> bool:
    try:
        open_store(public_url(address)).get_range(key, 0, 1)
    except (StoreDenied, ObjectNotFound):
        return False
    return True
