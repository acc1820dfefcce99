"""Rows committed to the catalog of a dataset.

The rule: rows are committed after the objects, many in one atomic commit, and a row replaces the one of the same scan.
A commit that lost a race against another writer is decided anew on what that one wrote. Knows rows, not objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import tenacity

from mist.errors import InvalidRequest, StoreUnavailable
from mist_storage.address import WRITABLE_SCHEMES, Address
from mist_storage.catalog_row import CatalogRow
from mist_storage.delta_commit import Change, LostRace, commit, merge
from mist_storage.delta_snapshot import Snapshot, read_snapshot
from mist_storage.label_columns import table_of
from mist_storage.store import ObjectStore, WritableStore

_COMMIT_ATTEMPTS = 60
"""How often a commit that lost a race against another writer is made anew on what that one wrote."""


def commit_rows(url: str, rows: Sequence[CatalogRow], known: Mapping[str, str] | None = None) -> int:
    """Add `rows` in one atomic commit, each in place of the row of the same scan; the new version is returned.

    Where `rows` name a scan twice, the last one counts.

    Parameters
    ----------
    known
        The `source_sha256` by scan id that the dataset had when the caller looked: a scan that another writer has
        stored from other files since then is not replaced. None: whatever is there is.

    Raises
    ------
    ScanConflict
        Such a scan is there; nothing of `rows` is visible then.
    InvalidRequest
        A label column holds another type of value than it does in the dataset, or has a name that it cannot have; or
        the address cannot be written to.
    StoreError
        The store failed, or other writers kept winning; nothing of `rows` is visible then.
    """
    address = Address.parse(url)
    require_writable(address)
    return commit_to(ObjectStore(address), rows, known)


def commit_to(store: WritableStore, rows: Sequence[CatalogRow], known: Mapping[str, str] | None = None) -> int:
    """The same, of the dataset in `store`."""
    table = table_of(list({row.scan_id: row for row in rows}.values()))

    def decide(snapshot: Snapshot) -> Change | None:
        is_done = table.is_empty() and snapshot.version >= 0
        return None if is_done else merge(store, snapshot, table, known)

    return commit_decided(store, decide)


def commit_decided(store: WritableStore, decide: Callable[[Snapshot], Change | None]) -> int:
    """Commit what `decide` says of the newest version, anew where another writer was faster; the newest version then.

    Raises
    ------
    StoreError
        The store failed, or other writers kept winning; nothing is visible then.
    """
    try:
        return _retried(_commit_once, store, decide)
    except LostRace as error:
        raise StoreUnavailable(f"other writers kept committing ({error}); run it again") from None


def require_writable(address: Address) -> None:
    """Raise `InvalidRequest` unless a dataset can be written to `address`."""
    if address.scheme not in WRITABLE_SCHEMES:
        places = " or ".join(f"{scheme}://" for scheme in WRITABLE_SCHEMES)
        raise InvalidRequest(f"{address.url}: a dataset is written to {places}")


_retried = tenacity.Retrying(
    retry=tenacity.retry_if_exception_type(LostRace),
    stop=tenacity.stop_after_attempt(_COMMIT_ATTEMPTS),
    wait=tenacity.wait_random_exponential(multiplier=0.05, max=2),
    reraise=True,
)


def _commit_once(store: WritableStore, decide: Callable[[Snapshot], Change | None]) -> int:
    snapshot = read_snapshot(store)
    change = decide(snapshot)
    return snapshot.version if change is None else commit(store, snapshot, change)
