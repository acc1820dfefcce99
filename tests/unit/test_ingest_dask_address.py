from __future__ import annotations

import pytest

from mist.errors import ClusterUnavailable
from mist.ingest.dask_cluster import do_jobs_on
from mist.ingest.job import Job


@pytest.mark.parametrize("address", ["foo", "127.0.0.1:8786", "tcp://127.0.0.1"])
def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(ClusterUnavailable, match=f"{address}: no Dask scheduler answers there"):
        list(do_jobs_on(address, [Job("memory://", (), {})]))
