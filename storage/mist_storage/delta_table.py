"""The Delta Lake table of a catalog: opened, read and merged into.

The rule: every failure of Delta Lake becomes one of `mist.errors`; a commit that lost a race stays `CommitFailedError`,
for the caller to make it anew. Opening and reading create nothing. Knows tables, not what their columns mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import CommitFailedError

from mist.errors import DatasetNotFound, MistError, ObjectNotFound, StoreError
from mist_storage.fork_guard import refuse_after_fork
from mist_storage.keys import CATALOG
from mist_storage.store import MAX_RETRIES, Address, ObjectStore, s3_options
from mist_storage.store_failures import translate_failure

_FIRST_COMMIT = "_delta_log/00000000000000000000.json"
"""The log entry that makes a table."""

_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SKIP_SIGNATURE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Environment variables of which one is set where credentials do not come from the machine's metadata service."""

WRITABLE_SCHEMES = ("file", "s3")
"""The kinds of address that a table can lie at."""


def open_table(address: Address, version: int | None = None) -> DeltaTable | None:
    """The table of the dataset at `address`, at `version` or as it is now; None where there is none.

    Raises
    ------
    DatasetNotFound
        There is no such version.
    StoreError
        The store failed, or the table is damaged.
    """
    if address.scheme == "s3" and not any(map(os.environ.get, _CREDENTIALS)):
        ObjectStore(address).folders()  # fails in one line where Delta Lake would also print pages of warnings
    try:
        with _failures_of(address):
            table = DeltaTable(address.joined(CATALOG).url, storage_options=_options(address))
    except ObjectNotFound:
        return None
    if version is not None:
        if not 0 <= version <= table.version():
            raise DatasetNotFound(f"{address.url} has versions 0 to {table.version()}, not {version}")
        with _failures_of(address):
            table.load_as_version(version)
    return table


def read_table(address: Address, table: DeltaTable) -> pl.DataFrame:
    """All rows of `table`, in no order.

    Raises
    ------
    StoreError
        The store failed, or files of the table are missing.
    """
    try:
        with _failures_of(address):
            rows = QueryBuilder().register("catalog", table).execute("SELECT * FROM catalog").read_all()
            return pl.DataFrame(rows)
    except ObjectNotFound:
        raise StoreError(
            f"{address.url}/{CATALOG}: files of the catalog are missing; restore them from a copy"
        ) from None


def table_schema(table: DeltaTable) -> pl.Schema:
    """Names and types of the columns of `table`."""
    return pl.DataFrame(table.schema().to_arrow().empty_table()).schema


def create_table(address: Address, rows: pl.DataFrame) -> int:
    """Make the table, with `rows`; its version is returned.

    Delta Lake itself lets several writers "make" one table, each undoing the schema of the one before. So the table is
    made aside, and its log put in place by a write that succeeds for one writer alone.

    Raises
    ------
    CommitFailedError
        Another writer has just made it.
    StoreError
        The store failed.
    """
    with TemporaryDirectory(prefix="mist-catalog-") as folder:
        with _failures_of(address):
            write_deltalake(folder, rows)
        files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in Path(folder).rglob("*.*")}
    log = files.pop(_FIRST_COMMIT)
    store, keys = ObjectStore(address), {name: f"{CATALOG}/{name}" for name in files}
    for name, data in files.items():
        store.put(keys[name], data)
    # Where our write's acknowledgement was lost, its repetition finds the log there: ours, nevertheless.
    if store.create(f"{CATALOG}/{_FIRST_COMMIT}", log) or store.get(f"{CATALOG}/{_FIRST_COMMIT}") == log:
        return 0
    store.delete(list(keys.values()))
    raise CommitFailedError(f"{address.url}/{CATALOG} has just been made by another writer")


def merge_rows(address: Address, table: DeltaTable, rows: pl.DataFrame) -> int:
    """Put `rows` into `table`, each in place of the row of the same `scan_id`; the new version is returned.

    Raises
    ------
    CommitFailedError
        Another writer committed in the meantime.
    StoreError
        The store failed.
    """
    with _failures_of(address):
        same = "old.scan_id = new.scan_id"
        merge = table.merge(rows, same, source_alias="new", target_alias="old", merge_schema=True)
        merge.when_matched_update_all().when_not_matched_insert_all().execute()
        return table.version()


@contextmanager
def _failures_of(address: Address) -> Iterator[None]:
    refuse_after_fork()
    try:
        yield
    except (CommitFailedError, MistError):
        raise
    except Exception as error:  # noqa: BLE001 - Delta Lake raises bare `Exception` for much
        raise translate_failure(error, address.url, CATALOG) from None


def _options(address: Address) -> dict[str, str]:
    """Delta Lake's settings for the store; commits take S3's conditional PUT, and retry as the object store does."""
    if address.scheme != "s3":
        return {}
    options = s3_options()
    plain = options.get("endpoint", "").startswith("http://")
    return {
        **{f"aws_{name}": value for name, value in options.items()},
        "aws_conditional_put": "etag",
        "allow_http": str(plain).lower(),
        "connect_timeout": "5s",
        "timeout": "120s",
        "max_retries": str(MAX_RETRIES),
        "retry_timeout": "60s",
        "backoff_config.init_backoff": "100ms",
        "backoff_config.max_backoff": "5s",
    }
