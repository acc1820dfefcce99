"""The Delta Lake table of a catalog, opened by Delta Lake itself.

The rule: every failure of Delta Lake becomes one of `mist.errors`. Opening creates nothing; writing, and reading rows,
is `mist_storage.delta_commit`'s: Delta Lake's own reading holds Python's lock for as long as the store takes to answer,
and every other thread of a server with it. Knows tables, not what their columns mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from deltalake import DeltaTable

from mist.errors import DatasetNotFound, MistError, ObjectNotFound, StoreUnavailable
from mist_storage.address import Address
from mist_storage.connection import s3_options
from mist_storage.delta_log import LOG, entry_key, log_versions, read_log
from mist_storage.fork_guard import refuse_after_fork
from mist_storage.keys import CATALOG
from mist_storage.patience import RETRY_TIMEOUT_S, Patience
from mist_storage.store import ObjectStore, WritableStore
from mist_storage.store_failures import translate_failure

LAST_CHECKPOINT = f"{LOG}/_last_checkpoint"
"""Says where the last checkpoint is."""

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
    CatalogCorrupt
        The table's log is damaged.
    StoreError
        The store failed.
    """
    store = ObjectStore(address)
    if address.scheme == "s3" and not any(map(os.environ.get, _CREDENTIALS)):
        store.folders()  # fails in one line where Delta Lake would also print pages of warnings
    if not log_versions(store):
        return None
    try:
        with _failures_of(address):
            table = DeltaTable(address.joined(CATALOG).url, storage_options=_options(address))
    except ObjectNotFound:
        return None
    except StoreUnavailable:
        read_log(store)  # names the entry that is damaged, if that is why
        raise
    if version is not None:
        if not 0 <= version <= table.version():
            raise DatasetNotFound(f"{address.url} has versions 0 to {table.version()}, not {version}")
        with _failures_of(address):
            table.load_as_version(version)
    return table


def table_state(table: DeltaTable) -> tuple[list[str], str]:
    """The names of the table's files of rows, and its schema as the log has it."""
    files = table.get_add_actions(flatten=True)["path"]
    return [str(name) for name in files.to_pylist()], table.schema().to_json()


def write_checkpoint(store: WritableStore, version: int) -> None:
    """Sum up the log to `version` in one file, so that readers need not fetch every entry.

    Made aside by Delta Lake and put in place by the store, the hint at it last: it is on the disk before it is used.
    """
    with TemporaryDirectory(prefix="mist-log-") as folder:
        log = Path(folder) / "_delta_log"
        log.mkdir()
        for number in range(version + 1):
            (log / Path(entry_key(number)).name).write_bytes(store.get(entry_key(number)))
        with _failures_of(Address.parse(store.url)):
            DeltaTable(folder).create_checkpoint()
        for file in sorted(log.glob("*.checkpoint.parquet")):
            store.put(f"{LOG}/{file.name}", file.read_bytes())
        store.put(LAST_CHECKPOINT, (log / Path(LAST_CHECKPOINT).name).read_bytes())


@contextmanager
def _failures_of(address: Address) -> Iterator[None]:
    refuse_after_fork()
    try:
        yield
    except MistError:
        raise
    except Exception as error:  # noqa: BLE001 - Delta Lake raises bare `Exception` for much
        raise translate_failure(error, address.url, CATALOG) from None


def _options(address: Address) -> dict[str, str]:
    """Delta Lake's settings for the store; commits take S3's conditional PUT, and retry as the object store does."""
    if address.scheme != "s3":
        return {}
    options, patience = s3_options(), Patience.of_environment()
    plain = options.get("endpoint", "").startswith("http://")
    return {
        **{f"aws_{name}": value for name, value in options.items()},
        "aws_conditional_put": "etag",
        "allow_http": str(plain).lower(),
        "connect_timeout": f"{patience.connect_timeout_s * 1000:.0f}ms",
        "timeout": f"{patience.timeout_s * 1000:.0f}ms",
        "max_retries": str(patience.retries),
        "retry_timeout": f"{RETRY_TIMEOUT_S:.0f}s",
        "backoff_config.init_backoff": "100ms",
        "backoff_config.max_backoff": "5s",
    }
