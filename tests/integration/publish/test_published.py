"""What a stranger may do with a dataset that is published, and what not."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path

import numpy as np
import pytest

import mist_client
from mist.request import Request
from mist_storage.dataset import open_dataset
from mist_storage.keys import BLOCKS, KEPT, SOURCE, ZARR_JSON
from mist_storage.publication import plan_publication, publish
from mist_storage.scan_reader import ScanReader
from mist_storage.store import open_store
from tests.command_line import Mist
from tests.faulty_store import contents
from tests.published_datasets import FOLDER, Hosted, host, status, stranger
from tests.stored_scan import CountingStore


@pytest.fixture(scope="module")
def shared_hosted(seaweedfs: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Hosted:
    """A dataset that is published, for all tests that only read."""
    with stranger(**seaweedfs):
        made = host("mist-published", tmp_path_factory.mktemp("published") / "source")
        publish(plan_publication(open_store(made.url), with_sources=False))
    return made


@pytest.fixture
def published(shared_hosted: Hosted, s3_environment: dict[str, str]) -> Hosted:  # noqa: ARG001 - it is wanted
    """The same, in an environment that may do everything."""
    return shared_hosted


def preflight(url: str, method: str) -> dict[str, str]:
    """What a browser is told when a page elsewhere asks to use `method`, with a range."""
    headers = {
        "Origin": "https://viewer.example",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "range",
    }
    request = urllib.request.Request(url, headers=headers, method="OPTIONS")  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return {name.lower(): value for name, value in answer.headers.items()}


def test_a_stranger_reads_a_level_by_its_prefix_alone(published: Hosted) -> None:
    with stranger():
        dataset = open_dataset(published.public_url)
        meter = CountingStore(dataset.store)
        row = dataset.catalog.row("a")
        ScanReader(meter, "a", row.digest, row.header).read(Request(level=1))
    assert meter.ranges == [(0, row.header.levels[1].end_byte)]
    assert row.header.levels[1].end_byte < row.header.levels[0].end_byte / 2


def test_a_stranger_reads_by_the_address_of_the_bucket_too(published: Hosted) -> None:
    with stranger(AWS_ENDPOINT_URL=os.environ["AWS_ENDPOINT_URL"], AWS_SKIP_SIGNATURE="true"):
        volume = mist_client.open(published.url)["a"].read()
    np.testing.assert_array_equal(volume.voxels, np.load(published.source / "a.npy"))


def test_the_command_reads_what_is_published(mist: Mist, published: Hosted, tmp_path: Path) -> None:
    with stranger():
        listed = mist("ls", published.public_url)
        got = mist("get", published.public_url, "a", "-o", tmp_path / "a.npy")
    assert (listed.code, "version 0" in listed.output, got.code) == (0, True, 0)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(published.source / "a.npy"))


def test_a_stranger_can_do_nothing_but_get_images_and_the_published_catalog(published: Hosted) -> None:
    before, server = contents(open_store(f"s3://{published.bucket}")), os.environ["AWS_ENDPOINT_URL"]
    opened = {name: status(f"{published.public_url}/{published.key(name)}") for name in (BLOCKS, ZARR_JSON)}
    assert opened == {BLOCKS: 200, ZARR_JSON: 200}
    closed = [published.key(SOURCE), published.key(KEPT), "catalog/_newest.json", f"catalog/_delta_log/{0:020}.json"]
    assert {key: status(f"{published.public_url}/{key}") for key in closed} == dict.fromkeys(closed, 403)
    assert status(f"{published.public_url}-two/catalog.parquet") == 403
    assert status(f"{server}/{published.bucket}?list-type=2&prefix={FOLDER}/") == 403
    assert status(f"{published.public_url}/{published.key(BLOCKS)}", "PUT", b"other") == 403
    assert status(f"{published.public_url}/catalog.parquet", "DELETE") == 403
    assert contents(open_store(f"s3://{published.bucket}")) == before


def test_pages_of_any_origin_may_get_with_a_range_and_may_not_put(published: Hosted) -> None:
    told = preflight(f"{published.public_url}/catalog.parquet", "GET")
    assert told["access-control-allow-origin"] in ("*", "https://viewer.example")
    assert "GET" in told["access-control-allow-methods"]
    assert "range" in told["access-control-allow-headers"].lower()
    exposed = {name.strip().lower() for name in told["access-control-expose-headers"].split(",")}
    assert exposed == {"accept-ranges", "content-length", "content-range", "etag"}
    assert "PUT" not in preflight(f"{published.public_url}/catalog.parquet", "PUT").get(
        "access-control-allow-methods", ""
    )
