"""Stored objects over HTTP, whole and by range."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from mist.request import Box, Request
from mist.server.asked import Asked
from mist.server.reply import PIECE_BYTES
from mist.server.settings import ServerSettings
from mist.server.shelf import Shelf
from mist.server.stored_objects import stored_object
from mist_storage.catalog import commit_rows
from mist_storage.dataset import open_dataset
from mist_storage.keys import BLOCKS, scan_key
from tests.server_answers import SMALL, blocks_path, npy, problem
from tests.server_dataset import RunningServer, SmallDataset, running_server


def test_the_whole_object_of_blocks_is_the_stored_file(server: RunningServer, small: SmallDataset) -> None:
    answer = server.ask(blocks_path(small, "ct"))
    assert answer.body == small.blocks_file("ct").read_bytes()
    assert (answer.headers["Accept-Ranges"], answer.headers["Cache-Control"]) == (
        "bytes",
        "max-age=31536000, immutable",
    )


@pytest.mark.parametrize(
    ("asked", "start", "stop"), [("bytes=0-99", 0, 100), ("bytes=500-", 500, None), ("bytes=-20", -20, None)]
)
def test_a_range_is_that_part_of_the_file(
    server: RunningServer, small: SmallDataset, asked: str, start: int, stop: int | None
) -> None:
    answer, whole = server.ask(blocks_path(small, "ct"), headers={"Range": asked}), small.blocks_file("ct").read_bytes()
    assert (answer.status, answer.body) == (206, whole[start:stop])
    first = start % len(whole)
    last = first + len(answer.body) - 1
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"


def test_a_range_beyond_the_end_is_unsatisfiable(server: RunningServer, small: SmallDataset) -> None:
    answer = server.ask(blocks_path(small, "ct"), headers={"Range": "bytes=99999999-"})
    problem(answer, 416)
    assert answer.headers["Content-Range"] == f"bytes */{small.blocks_file('ct').stat().st_size}"


def test_several_ranges_are_answered_by_the_whole(server: RunningServer, small: SmallDataset) -> None:
    answer = server.ask(blocks_path(small, "ct"), headers={"Range": "bytes=0-1,5-6"})
    assert (answer.status, answer.body) == (200, small.blocks_file("ct").read_bytes())


def test_a_range_of_what_the_client_no_longer_knows_is_the_whole(server: RunningServer, small: SmallDataset) -> None:
    headers = {"Range": "bytes=0-1", "If-Range": '"old"'}
    assert server.ask(blocks_path(small, "ct"), headers=headers).status == 200


def test_a_stored_object_that_the_client_holds_is_not_sent_again(server: RunningServer, small: SmallDataset) -> None:
    etag = server.ask(blocks_path(small, "ct"), "HEAD").headers["ETag"]
    assert server.ask(blocks_path(small, "ct"), headers={"If-None-Match": etag}).status == 304


def test_the_small_objects_are_the_stored_files(server: RunningServer, small: SmallDataset) -> None:
    folder = f"scans/photo/{small.rows['photo'].digest}"
    for name in ("zarr.json", "source.json"):
        assert server.ask(f"{SMALL}/store/{folder}/{name}").body == (small.folder / folder / name).read_bytes()


def test_the_catalog_is_made_when_it_is_asked_for(server: RunningServer, small: SmallDataset) -> None:
    answer = server.ask(f"{SMALL}/store/catalog.parquet")
    assert pl.read_parquet(io.BytesIO(answer.body))["scan_id"].to_list() == sorted(small.rows)
    assert answer.headers["ETag"].startswith('"0-')
    assert not (small.folder / "catalog.parquet").exists()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/datasets", SMALL, f"{SMALL}/scans", f"{SMALL}/scans/ct"])
def test_head_tells_what_get_would(server: RunningServer, path: str) -> None:
    head, get = server.ask(path, "HEAD"), server.ask(path)
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(get.body)))


def test_head_of_an_object_tells_its_length_and_sends_nothing(server: RunningServer, small: SmallDataset) -> None:
    for path in (blocks_path(small, "ct"), f"{SMALL}/store/catalog.parquet"):
        head = server.ask(path, "HEAD", {"Range": "bytes=0-9"})
        assert (head.status, head.body) == (200, b"")
        assert int(head.headers["Content-Length"]) == len(server.ask(path).body)


def test_head_of_an_image_reads_nothing(copied: SmallDataset, copied_server: RunningServer) -> None:
    copied.blocks_file("ct").unlink()
    head = copied_server.ask(f"{SMALL}/scans/ct/image?level=1", "HEAD")
    assert (head.status, head.headers["Mist-Shape"], head.body) == (200, "[75, 65]", b"")


def test_a_reader_over_http_gets_the_voxels_of_the_folder(server: RunningServer, small: SmallDataset) -> None:
    remote, local = open_dataset(f"{server.url}{SMALL}/store"), open_dataset(str(small.folder))
    assert remote.catalog.scan_ids == local.catalog.scan_ids
    for request in (Request(), Request(level=2), Request(size=50), Request(region=Box((2, 9, 9), (4, 90, 30)))):
        there, here = remote.reader("ct").read(request), local.reader("ct").read(request)
        assert np.array_equal(there.voxels, here.voxels)
        assert np.array_equal(there.affine, here.affine)


def test_one_level_over_http_is_one_request_for_its_prefix(server: RunningServer, small: SmallDataset) -> None:
    reader, header = open_dataset(f"{server.url}{SMALL}/store").reader("ct"), small.rows["ct"].header
    for level in range(len(header.levels)):
        server.served.clear()
        reader.read(Request(level=level))
        assert server.served == [("GET", blocks_path(small, "ct"), f"bytes=0-{header.levels[level].end_byte - 1}")]


def test_a_pinned_store_gives_the_catalog_of_its_version(copied: SmallDataset, copied_server: RunningServer) -> None:
    commit_rows(str(copied.folder), [replace(copied.rows["cine"], scan_id="new")])
    versions = [open_dataset(f"{copied_server.url}{SMALL}{pin}/store") for pin in ("@0", "")]
    assert [(dataset.catalog.version, "new" in dataset.catalog) for dataset in versions] == [(0, False), (1, True)]


def test_a_scan_that_is_stored_but_not_in_the_catalog_is_not_served(
    copied: SmallDataset, copied_server: RunningServer
) -> None:
    shutil.copytree(copied.folder / "scans/cine", copied.folder / "scans/orphan")
    path = blocks_path(copied, "cine").replace("/cine/", "/orphan/")
    problem(copied_server.ask(path), 404)


def test_a_big_object_comes_in_pieces_and_whole(noise: SmallDataset) -> None:
    assert noise.blocks_file("noise").stat().st_size > 2 * PIECE_BYTES
    with running_server(str(noise.root)) as running:
        assert running.ask(blocks_path(noise, "noise")).body == noise.blocks_file("noise").read_bytes()
        assert np.array_equal(npy(running, "noise"), noise.volumes["noise"].voxels)


def test_a_big_object_passes_by_the_cache(noise: SmallDataset) -> None:
    shelf = Shelf(str(noise.root), ServerSettings())
    row = noise.rows["noise"]
    parts = {"dataset": "small", "key": scan_key("noise", row.digest, BLOCKS)}
    body = stored_object(shelf, Asked("GET", "/", parts, (), {})).body
    assert body.length == sum(map(len, body.pieces()))
    assert shelf.dataset("small").cache.held_bytes == 0
