"""Two scans at rest, for tests that only read them: one of many blocks, one of less than 2 KB; and what they hold."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mist_storage.zarr_shard import table_range
from tests.stored_scan import ScanAtRest, blobs, stored, tiny


@lru_cache
def ct() -> ScanAtRest:
    """A volume of many blocks, whose finest level is several times larger than what is read whole."""
    return stored(blobs("zyx", (24, 300, 320)))


@lru_cache
def small(seed: int = 0) -> ScanAtRest:
    """A scan of eight blocks, called by its seed."""
    return stored(tiny(seed), f"small-{seed}")


def levels_of(scan: ScanAtRest) -> range:
    """The numbers of the scan's levels."""
    return range(len(scan.stored.header.levels))


def spans_of_blocks(scan: ScanAtRest) -> list[tuple[int, int]]:
    """Where each block of the scan lies."""
    header, data = scan.stored.header, scan.object()
    start, stop = table_range(header, range(header.layout.count))
    ends = np.cumsum([int.from_bytes(data[at : at + 4], "little") for at in range(start, stop, 20)]).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True))
