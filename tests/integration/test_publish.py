"""`mist publish`: a dataset in a real bucket, opened to everybody and read with no server and no credentials."""

from __future__ import annotations

import io
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import mist_client
from mist.errors import StoreDenied
from mist.ingest.run import ingest
from mist.request import Request
from mist_storage.bucket_policy import CORS_RULE, NO_POLICY, statement_id
from mist_storage.buckets import bucket_policy, cors_rules, ensure_bucket, set_bucket_policy, set_cors_rules
from mist_storage.dataset import open_dataset
from mist_storage.keys import BLOCKS, KEPT, SOURCE, ZARR_JSON, scan_key
from mist_storage.publication import excess, excess_when_closed, plan_publication, publish, unpublish
from mist_storage.scan_reader import ScanReader
from mist_storage.store import open_store
from tests.command_line import Mist
from tests.faulty_store import contents
from tests.stored_scan import CountingStore

FOLDER = "open/cxr"
THEIRS = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket"}


@dataclass(frozen=True)
class Hosted:
    """A dataset in a bucket."""

    bucket: str
    url: str
    public_url: str
    source: Path

    def key(self, name: str) -> str:
        """The key of an object of scan `a`."""
        return scan_key("a", open_dataset(self.url).catalog.row("a").digest, name)


def host(bucket: str, source: Path) -> Hosted:
    """Two scans with labels in `open/cxr` of a new bucket, beside another dataset in `open/cxr-two`."""
    ensure_bucket(bucket)
    source.mkdir()
    (source / "labels.csv").write_text("file,age\na.npy,61\nb.npy,\n")
    for seed, name in enumerate("ab"):
        np.save(source / f"{name}.npy", np.random.default_rng(seed).integers(0, 200, (90, 70), np.uint8))
    url = f"s3://{bucket}/{FOLDER}"
    assert ingest([source], url, labels=source / "labels.csv", workers=1).ok
    open_store(f"s3://{bucket}/open/cxr-two").put("catalog.parquet", b"private")
    return Hosted(bucket, url, f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}/{FOLDER}", source)


@pytest.fixture
def hosted(s3_bucket: str, tmp_path: Path) -> Hosted:
    """A dataset that nobody may read yet."""
    return host(s3_bucket, tmp_path / "source")


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


@contextmanager
def stranger(**variables: str) -> Iterator[None]:
    """Nothing of AWS in the environment but `variables`."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def status(url: str, method: str = "GET", data: bytes | None = None) -> int:
    """The HTTP status that a client without credentials is answered with."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


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


def test_a_stranger_streams_after_publish_what_was_denied_before(mist: Mist, hosted: Hosted) -> None:
    with stranger(), pytest.raises(StoreDenied, match="nothing is published"):
        mist_client.open(hosted.public_url)
    done = mist("publish", hosted.url, "--yes")
    assert (done.code, hosted.public_url in done.messages) == (0, True), done
    with stranger():
        scan = mist_client.open(hosted.public_url)["a"]
        coarse, full = scan.read(level=1), scan.read()
    whole = mist_client.open(hosted.url)["a"]
    np.testing.assert_array_equal(full.voxels, np.load(hosted.source / "a.npy"))
    np.testing.assert_array_equal(coarse.voxels, whole.read(level=1).voxels)
    assert scan.labels == whole.labels == {"age": 61}


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


def test_a_stranger_gets_the_source_files_where_that_was_asked_for(mist: Mist, hosted: Hosted, tmp_path: Path) -> None:
    assert mist("publish", hosted.url, "--yes", "--with-sources").code == 0
    with stranger():
        assert mist("export", hosted.public_url, "a", "-o", tmp_path / "given").code == 0
    (given,) = (tmp_path / "given").rglob("*.npy")
    assert given.read_bytes() == (hosted.source / "a.npy").read_bytes()
    assert mist("publish", hosted.url, "--yes").code == 0
    assert status(f"{hosted.public_url}/{hosted.key(KEPT)}") == 403


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


def test_what_others_have_set_stays_and_publishing_twice_changes_nothing(mist: Mist, hosted: Hosted) -> None:
    theirs = {**THEIRS, "Resource": f"arn:aws:s3:::{hosted.bucket}"}
    rule = {"ID": "theirs", "AllowedOrigins": ["https://a.example"], "AllowedMethods": ["PUT"]}
    set_bucket_policy(hosted.bucket, {**NO_POLICY, "Statement": [theirs]})
    set_cors_rules(hosted.bucket, [rule])
    assert mist("publish", hosted.url, "--yes").code == 0
    first = bucket_policy(hosted.bucket), cors_rules(hosted.bucket), contents(open_store(hosted.url))
    again = json.loads(mist("publish", hosted.url, "--json").output)
    assert (again["changed"], again["excess"]) == (False, [])
    assert (bucket_policy(hosted.bucket), cors_rules(hosted.bucket), contents(open_store(hosted.url))) == first
    assert [each["Sid"] for each in first[0]["Statement"]] == ["Theirs", statement_id(FOLDER)]
    assert [each["ID"] for each in first[1]] == ["theirs", "MistPublish"]
    assert mist("publish", hosted.url, "--unpublish").code == 0
    assert bucket_policy(hosted.bucket)["Statement"][0]["Sid"] == "Theirs"
    assert [each["ID"] for each in cors_rules(hosted.bucket)] == ["theirs"]


def test_unpublish_closes_the_door(mist: Mist, hosted: Hosted) -> None:
    blocks = hosted.key(BLOCKS)
    assert mist("publish", hosted.url, "--yes").code == 0
    assert status(f"{hosted.public_url}/{blocks}") == 200
    done = mist("publish", hosted.url, "--unpublish")
    assert (done.code, "is published no more" in done.output) == (0, True)
    assert [status(f"{hosted.public_url}/{key}") for key in (blocks, "catalog.parquet")] == [403, 403]
    assert (bucket_policy(hosted.bucket), cors_rules(hosted.bucket)) == (NO_POLICY, [])
    assert "was not published" in mist("publish", hosted.url, "--unpublish").output
    assert mist("verify", hosted.url).code == 0


def test_unpublishing_one_dataset_leaves_another_one_open(mist: Mist, hosted: Hosted) -> None:
    other = f"s3://{hosted.bucket}/other"
    assert mist("ingest", hosted.source / "b.npy", other, "--workers", 1).code == 0
    for url in (hosted.url, other):
        assert mist("publish", url, "--yes").code == 0
    assert mist("publish", hosted.url, "--unpublish").code == 0
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    with stranger():
        assert len(mist_client.open(f"{endpoint}/{hosted.bucket}/other")) == 1
    assert cors_rules(hosted.bucket) == [CORS_RULE]


@pytest.mark.parametrize("folder", ["", "Röntgen bilder/2024"])
def test_a_dataset_of_any_name_or_of_a_whole_bucket_is_published(
    mist: Mist, s3_bucket: str, tmp_path: Path, folder: str
) -> None:
    np.save(tmp_path / "a.npy", np.full((20, 30), 7, np.uint8))
    url = f"s3://{s3_bucket}/{folder}".rstrip("/")
    assert mist("ingest", tmp_path / "a.npy", url, "--workers", 1).code == 0
    told = json.loads(mist("publish", url, "--yes", "--json").output)
    with stranger():
        voxels = mist_client.open(told["public_url"])["a"].read().voxels
    assert (told["excess"], int(voxels.min()), int(voxels.max())) == ([], 7, 7)


@pytest.mark.parametrize("answer", ["", "n\n"])
def test_without_a_yes_it_is_said_what_would_become_public_and_nothing_does(
    mist: Mist, hosted: Hosted, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: bool(answer))
    monkeypatch.setattr(sys, "stdin", terminal)
    before = contents(open_store(hosted.url))
    done = mist("publish", hosted.url)
    assert (done.code, "nothing was published" in done.messages) == (1, True)
    for said in (hosted.url, "version 0", "2 scans", "full resolution", "label columns age", "not the headers"):
        assert said in done.messages, said
    assert (contents(open_store(hosted.url)), bucket_policy(hosted.bucket)) == (before, NO_POLICY)


def test_a_dry_run_says_what_would_be_set_and_sets_nothing(mist: Mist, hosted: Hosted) -> None:
    told = json.loads(mist("publish", hosted.url, "--dry-run", "--json", "--with-sources").output)
    assert (told["public_url"], told["scans"], told["published_version"]) == (hosted.public_url, 2, None)
    (statement,) = told["policy"]["Statement"]
    assert [resource.partition(f"{FOLDER}/")[2] for resource in statement["Resource"]] == [
        "catalog.parquet",
        *(f"scans/*/{name}" for name in (ZARR_JSON, BLOCKS, SOURCE, KEPT)),
    ]
    assert told["cors"] == [CORS_RULE]
    assert '"Action": "s3:GetObject"' in mist("publish", hosted.url, "--dry-run").output
    assert bucket_policy(hosted.bucket) == NO_POLICY
    assert "catalog.parquet" not in contents(open_store(hosted.url))


def test_an_ingest_publishes_nothing_and_says_so_and_publishing_anew_does(mist: Mist, hosted: Hosted) -> None:
    assert mist("publish", hosted.url, "--yes").code == 0
    np.save(hosted.source / "c.npy", np.zeros((20, 20), np.uint8))
    done = mist("ingest", hosted.source / "c.npy", hosted.url, "--workers", 1)
    assert "version 0 is published and stays so" in done.messages
    with stranger():
        assert "c" not in mist_client.open(hosted.public_url)
    assert mist("publish", hosted.url, "--yes").code == 0
    with stranger():
        assert "c" in mist_client.open(hosted.public_url)


def test_a_withdrawn_scan_is_public_no_more(mist: Mist, hosted: Hosted) -> None:
    blocks = hosted.key(BLOCKS)
    assert mist("publish", hosted.url, "--yes").code == 0
    assert mist("rm", hosted.url, "a", "--yes").code == 0
    with stranger():
        assert mist_client.open(hosted.public_url).scan_ids == ("b",)
    assert status(f"{hosted.public_url}/{blocks}") == 404


def test_more_than_was_asked_for_is_seen(hosted: Hosted) -> None:
    wide = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{hosted.bucket}/*"}
    set_bucket_policy(hosted.bucket, {**NO_POLICY, "Statement": [wide]})
    store = open_store(hosted.url)
    plan = plan_publication(store, with_sources=False)
    publish(plan)
    private = [f"catalog/_delta_log/{0:020}.json", hosted.key(SOURCE), hosted.key(KEPT)]
    assert excess(plan, 0)[:3] == [f"read {key}" for key in private]
    unpublish(store)
    assert f"read {hosted.key(BLOCKS)}" in excess_when_closed(store, 0)


def test_more_than_was_asked_for_is_a_failure_of_the_command(mist: Mist, hosted: Hosted) -> None:
    assert mist("publish", hosted.url, "--yes").code == 0
    resource = f"arn:aws:s3:::{hosted.bucket}"
    listing = {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": resource}
    policy = bucket_policy(hosted.bucket)
    set_bucket_policy(hosted.bucket, {**policy, "Statement": [*policy["Statement"], listing]})
    assert "anybody can list the folder: another statement" in mist("publish", hosted.url, "--yes").error


def test_a_policy_that_does_not_open_is_an_error_that_says_what_may_be_in_the_way(hosted: Hosted) -> None:
    resource = f"arn:aws:s3:::{hosted.bucket}/*/{ZARR_JSON}"
    deny = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    set_bucket_policy(hosted.bucket, {**NO_POLICY, "Statement": [deny]})
    plan = plan_publication(open_store(hosted.url), with_sources=False)
    publish(plan)
    with pytest.raises(StoreDenied, match=r"explicit Deny.*S3 Block Public Access") as failure:
        excess(plan, 0)
    assert str(failure.value).startswith(f"{hosted.public_url}/{hosted.key(ZARR_JSON)}: still denied")


def test_an_empty_dataset_is_not_published(mist: Mist, hosted: Hosted) -> None:
    assert mist("rm", hosted.url, "a", "b", "--yes").code == 0
    assert "has no scans; there is nothing to publish" in mist("publish", hosted.url, "--yes").error


@pytest.mark.parametrize("option", ["--yes", "--dry-run"])
def test_what_is_no_dataset_is_not_published(mist: Mist, s3_url: str, option: str) -> None:
    assert "there is no dataset here" in mist("publish", s3_url, option).error


def test_of_a_folder_the_catalog_alone_is_written_and_that_is_said(mist: Mist, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((20, 20), np.uint8))
    url = tmp_path / "cxr"
    assert mist("ingest", tmp_path / "a.npy", url, "--workers", 1).code == 0
    before = set(contents(open_store(str(url))))
    done = mist("publish", url, "--yes")
    assert (done.code, "up to the web server" in done.messages) == (0, True)
    assert set(contents(open_store(str(url)))) - before == {"catalog.parquet"}
    assert mist("publish", url, "--unpublish").code == 0
    assert set(contents(open_store(str(url)))) == before


def test_a_version_or_a_web_address_is_not_published(mist: Mist, tmp_path: Path) -> None:
    assert "names a version" in mist("publish", f"{tmp_path}@0").error
    assert "a dataset is written to" in mist("publish", "https://host/cxr").error
