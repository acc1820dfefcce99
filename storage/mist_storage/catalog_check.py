"""Whether a dataset's catalog is whole: all of its log and every file of rows that any version has.

The rule: nothing is believed that does not fit its digest, and what is said twice must be the same. What is wrong is
listed, not raised; a store that fails is no finding, and is raised. Knows no scans' objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from mist.errors import CatalogCorrupt
from mist_storage.address import WRITABLE_SCHEMES, Address
from mist_storage.catalog import published_version
from mist_storage.catalog_files import read_file
from mist_storage.connection import is_unsigned
from mist_storage.delta_checkpoint import hint_problem, read_checkpoint
from mist_storage.delta_entry import LogEntry
from mist_storage.delta_log import LogListing, checkpoint_key, listed_log, read_entries, read_entry
from mist_storage.delta_snapshot import Snapshot
from mist_storage.store import ObjectStore, Store


def catalog_problems(store: ObjectStore) -> Iterator[str]:
    """All that is wrong with the catalog in `store`; where nothing may be listed, the published file alone is read.

    Raises
    ------
    StoreError
        The store failed.
    """
    address = Address.parse(store.url)
    if address.scheme in WRITABLE_SCHEMES and not (address.scheme == "s3" and is_unsigned()):
        try:
            yield from _log_problems(store, listed_log(store))
        except CatalogCorrupt as error:
            yield str(error)
    yield from _found(published_version, [store])


def _log_problems(store: Store, listing: LogListing) -> Iterator[str]:
    damaged = [*_found(lambda version: read_entry(store, version), listing.versions)]
    if damaged:  # which files and checkpoints there should be is not known then
        yield from damaged
        return
    entries = read_entries(store, listing.versions)
    yield from _found(lambda name: read_file(store, name), sorted({name for entry in entries for name in entry.added}))
    yield from _checkpoint_problems(store, entries, listing.checkpoints)
    hint = hint_problem(store, listing.checkpoints)
    if hint is not None:
        yield hint


def _checkpoint_problems(store: Store, entries: Sequence[LogEntry], versions: Iterable[int]) -> Iterator[str]:
    for version in versions:
        try:
            checkpoint = read_checkpoint(store, version)
        except CatalogCorrupt as error:
            yield str(error)
            continue
        if checkpoint is not None and _said([checkpoint]) != _said(entries[: version + 1]):
            yield f"{store.url}/{checkpoint_key(version)} does not say what the entries of the log do; remove it"


def _said(entries: Iterable[LogEntry]) -> tuple[object, ...]:
    snapshot = Snapshot.of(entries)
    return snapshot.schema, {name: file["stats"] for name, file in snapshot.files.items()}


def _found(read: Callable[..., object], things: Iterable[object]) -> Iterator[str]:
    """What is wrong with those of `things` that `read` cannot read."""
    for thing in things:
        try:
            read(thing)
        except CatalogCorrupt as error:
            yield str(error)
