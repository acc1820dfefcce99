"""A dataset opened to everybody, and closed again.

The rule: anybody may get the published catalog and the images, and nothing else: no list, no write, no other version,
no record of a withdrawal, and what is kept of source files only where that is asked for. The door is opened last and
closed first, so that what is interrupted has opened nothing more than it was to. One version is published, and stays
the one that is seen until the dataset is published anew: nothing becomes public by an ingest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mist.errors import DatasetNotFound, InvalidRequest, ObjectNotFound
from mist_storage.address import Address
from mist_storage.bucket_policy import (
    CorsRule,
    Policy,
    closed,
    opened,
    opens_any,
    public_statement,
    with_browsers,
    without_browsers,
)
from mist_storage.buckets import bucket_policy, cors_rules, set_bucket_policy, set_cors_rules
from mist_storage.catalog import Catalog, open_catalog, publish_catalog, published_version
from mist_storage.connection import s3_options
from mist_storage.delta_log import entry_key, log_versions
from mist_storage.keys import BLOCKS, CATALOG, KEPT, PUBLISHED_CATALOG, SCANS, SOURCE, ZARR_JSON, scan_key
from mist_storage.public_access import SETTLING_S, folder_of, powers, require_readable
from mist_storage.store import ObjectStore

_IMAGES = (ZARR_JSON, BLOCKS)
"""The objects of a scan that are published."""

_SOURCES = (SOURCE, KEPT)
"""Those that are published besides where the source files are to be given back."""


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """What a bucket says of who may do what."""

    policy: Policy
    cors: Sequence[CorsRule]


@dataclass(frozen=True, slots=True)
class Publication:
    """What publishing a dataset sets, and what becomes public by that."""

    store: ObjectStore
    catalog: Catalog
    """The newest version, which becomes public."""
    published: int | None
    """The version that is public now."""
    with_sources: bool
    """Whether anybody may get what is kept of the source files."""
    before: BucketSettings | None
    """None for a folder, which a web server publishes."""
    after: BucketSettings | None

    @property
    def address(self) -> Address:
        """The dataset's address."""
        return Address.parse(self.store.url)

    @property
    def is_done(self) -> bool:
        """Whether publishing changes nothing."""
        return self.before == self.after and self.published == self.catalog.version


def plan_publication(store: ObjectStore, *, with_sources: bool) -> Publication:
    """What publishing the newest version of the dataset in `store` sets.

    Raises
    ------
    DatasetNotFound
        There is no dataset.
    InvalidRequest
        It has no scans, or its name cannot stand in a policy.
    StoreError
        The store failed.
    """
    address, catalog = Address.parse(store.url), _newest(store)
    if not len(catalog):
        raise InvalidRequest(f"{store.url}: version {catalog.version} has no scans; there is nothing to publish")
    before = _settings(address)
    after = None if before is None else _opened(before, address, with_sources=with_sources)
    return Publication(store, catalog, published_version(store), with_sources, before, after)


def publish(plan: Publication) -> int:
    """Do it; the version that is public then, which is a newer one than planned if one was made meanwhile.

    Raises
    ------
    StoreError
        The store failed. Doing it again finishes what was begun.
    """
    version = _publish_newest(plan.store)
    if plan.before is not None and plan.after is not None:
        _set_cors(plan.address, plan.before, plan.after)
        _set_policy(plan.address, plan.before, plan.after)
    return version


def unpublish(store: ObjectStore) -> bool:
    """Close a dataset and remove its published catalog; whether there was anything to do.

    Raises
    ------
    StoreError
        The store failed. Doing it again finishes what was begun.
    """
    address = Address.parse(store.url)
    before = _settings(address)
    after = None if before is None else _closed(before, address)
    if before is not None and after is not None:
        _set_policy(address, before, after)
        _set_cors(address, before, after)
    return _is_removed(store) or before != after


def excess(plan: Publication, settling_s: float = SETTLING_S) -> list[str]:
    """What anybody may do besides reading what was published, in words, once it is known that anybody can do that.

    Raises
    ------
    StoreDenied
        Nobody can.
    StoreError
        The store failed.
    """
    if plan.before is None:
        return []
    public = [*_scan_keys(plan.catalog, _IMAGES), *(_scan_keys(plan.catalog, _SOURCES) if plan.with_sources else [])]
    private = [entry_key(0), *([] if plan.with_sources else _scan_keys(plan.catalog, _SOURCES))]
    require_readable(plan.address, [PUBLISHED_CATALOG, *public], settling_s)
    return powers(plan.address, private, settling_s)


def excess_when_closed(store: ObjectStore, settling_s: float = SETTLING_S) -> list[str]:
    """What anybody may do with a dataset that was closed, in words.

    Raises
    ------
    StoreError
        The store failed.
    """
    address = Address.parse(store.url)
    if address.bucket is None:
        return []
    try:
        private = [entry_key(0), *_scan_keys(_newest(store), _IMAGES)]
    except DatasetNotFound:
        private = []
    return powers(address, private, settling_s)


def _newest(store: ObjectStore) -> Catalog:
    if not log_versions(store):  # a published catalog alone is a copy of what is elsewhere
        raise DatasetNotFound(f"{store.url}: there is no dataset here (no {CATALOG}/)")
    return open_catalog(store)


def _publish_newest(store: ObjectStore) -> int:
    """Write the newest version's catalog; again where a version was made meanwhile.

    A withdrawal makes a version, then sees to the published file: it must not be undone by a file that was read before.
    """
    while True:
        catalog = _newest(store)
        publish_catalog(store, catalog)
        if log_versions(store)[-1] == catalog.version:
            return catalog.version


def _scan_keys(catalog: Catalog, names: Sequence[str]) -> list[str]:
    """Objects of the first scan, which stands for all of them."""
    rows = catalog.frame.select("scan_id", "digest").head(1).iter_rows()
    return [scan_key(scan_id, digest, name) for scan_id, digest in rows for name in names]


def _settings(address: Address) -> BucketSettings | None:
    if address.bucket is None:
        return None
    return BucketSettings(bucket_policy(address.bucket), cors_rules(address.bucket))


def _opened(before: BucketSettings, address: Address, *, with_sources: bool) -> BucketSettings:
    names = (*_IMAGES, *_SOURCES) if with_sources else _IMAGES
    patterns = [PUBLISHED_CATALOG, *(f"{SCANS}/*/{name}" for name in names)]  # * is a scan's id and its digest
    statement = public_statement(str(address.bucket), folder_of(address), patterns, s3_options()["region"])
    return BucketSettings(opened(before.policy, statement), with_browsers(before.cors))


def _closed(before: BucketSettings, address: Address) -> BucketSettings:
    policy = closed(before.policy, folder_of(address))
    return BucketSettings(policy, before.cors if opens_any(policy) else without_browsers(before.cors))


def _set_policy(address: Address, before: BucketSettings, after: BucketSettings) -> None:
    if after.policy != before.policy:
        set_bucket_policy(str(address.bucket), after.policy)


def _set_cors(address: Address, before: BucketSettings, after: BucketSettings) -> None:
    if after.cors != before.cors:
        set_cors_rules(str(address.bucket), after.cors)


def _is_removed(store: ObjectStore) -> bool:
    """Whether there was a published catalog, which is removed."""
    try:
        store.get_range(PUBLISHED_CATALOG, 0, 1)
    except ObjectNotFound:
        return False
    store.delete([PUBLISHED_CATALOG])
    return True
