"""Everything that MIST raises on purpose.

    MistError
    ├── RequestError              the caller asked for something that cannot be had
    │   ├── InvalidRequest        (ValueError)   a value that is out of range, or two that contradict each other
    │   ├── DatasetNotFound       (LookupError)
    │   ├── ScanNotFound          (LookupError)
    │   ├── ObjectNotFound        (LookupError)  a key that no stored object has
    │   └── ScanConflict          (ValueError)   a scan id that is taken by other content
    ├── SourceRefused             (ValueError)   a source file that MIST will not store; says why
    ├── ScanCorrupt               (ValueError)   stored bytes are missing, short or altered
    ├── StoreError                (OSError)      the object store failed
    │   ├── StoreUnavailable      it cannot be reached, or the bucket does not exist
    │   ├── StoreDenied           credentials are absent, wrong or not enough
    │   ├── StoreFull             no space is left
    │   └── CatalogCorrupt        (ValueError)   a stored file of the catalog is missing, short or altered
    └── ClusterUnavailable        (OSError)      machines that were to help cannot be reached, or cannot help

Whose fault it is decides the type: the caller's (`RequestError`), a source file's (`SourceRefused`), the stored bytes'
(`ScanCorrupt`), the store's (`StoreError`) or other machines' (`ClusterUnavailable`). A message names the thing, the
value seen and the remedy, in one line.
"""

from __future__ import annotations


class MistError(Exception):
    """Root of every error that MIST raises on purpose."""


class RequestError(MistError):
    """The caller asked for something that cannot be had."""


class InvalidRequest(RequestError, ValueError):
    """A value is out of range, malformed, or contradicts another one."""


class DatasetNotFound(RequestError, LookupError):
    """No dataset lies at the address."""


class ScanNotFound(RequestError, LookupError):
    """The dataset has no scan of that id."""


class ObjectNotFound(RequestError, LookupError):
    """No stored object has that key."""


class ScanConflict(RequestError, ValueError):
    """The scan id is taken by other content."""


class SourceRefused(MistError, ValueError):
    """A source file that MIST will not store, because it cannot be understood exactly."""


class ScanCorrupt(MistError, ValueError):
    """Stored bytes of a scan are missing, short, swapped or altered.

    Parameters
    ----------
    scan_id
        The scan whose bytes are bad.
    level
        The resolution level whose bytes are bad, or None where it is the scan as a whole.
    reason
        What was found, and what should have been there.
    """

    def __init__(self, scan_id: str, level: int | None, reason: str) -> None:
        self.scan_id = scan_id
        self.level = level
        self.reason = reason
        where = f"scan {scan_id!r}" if level is None else f"scan {scan_id!r}, level {level}"
        super().__init__(f"{where}: {reason}")

    def __reduce__(self) -> tuple[type[ScanCorrupt], tuple[str, int | None, str]]:
        """Pickle by the three facts, so that the error crosses process borders whole."""
        return type(self), (self.scan_id, self.level, self.reason)


class StoreError(MistError, OSError):
    """The object store failed."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, or its bucket does not exist."""


class StoreDenied(StoreError):
    """The store refused the credentials."""


class StoreFull(StoreError):
    """The store has no space left."""


class CatalogCorrupt(StoreError, ValueError):
    """A stored file of a dataset's catalog is missing, short or altered: which scans there are is not known."""


class ClusterUnavailable(MistError, OSError):
    """The machines of a cluster cannot be reached, are gone, or cannot do what is asked of them."""
