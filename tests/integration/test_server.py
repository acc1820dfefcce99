from __future__ import annotations

import gzip
import http.client
import io
import json
import logging
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import nibabel
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from PIL import Image

from mist.errors import CatalogCorrupt, ScanCorrupt
from mist.geometry import nifti_affine
from mist.request import Box, Request
from mist.server.asked import Asked
from mist.server.reply import PIECE_BYTES
from mist.server.settings import ServerSettings
from mist.server.shelf import Shelf
from mist.server.stored_objects import stored_object
from mist_storage.catalog import commit_rows
from mist_storage.dataset import open_dataset
from mist_storage.keys import BLOCKS, scan_key
from tests.server_dataset import Answer, RunningServer, SmallDataset, make_dataset, running_server

SMALL = "/v1/datasets/small"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallDataset:
    return make_dataset(tmp_path_factory.mktemp("datasets"))


@pytest.fixture(scope="module")
def server(small: SmallDataset) -> Iterator[RunningServer]:
    with running_server(str(small.root)) as running:
        yield running


@pytest.fixture
def copied(small: SmallDataset, tmp_path: Path) -> SmallDataset:
    """The dataset in a folder of the test's own, to be damaged."""
    shutil.copytree(small.root, tmp_path / "root")
    return replace(small, root=tmp_path / "root")


@pytest.fixture
def copied_server(copied: SmallDataset) -> Iterator[RunningServer]:
    with running_server(str(copied.root), ServerSettings(refresh_s=1e-6)) as running:
        yield running


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> SmallDataset:
    """A dataset with one scan that takes several pieces to send."""
    voxels = np.random.default_rng(1).integers(0, 65536, (9, 900, 700), np.uint16)
    return make_dataset(tmp_path_factory.mktemp("noise"), {"noise": voxels})


def image(server: RunningServer, scan_id: str, query: str) -> Answer:
    answer = server.ask(f"{SMALL}/scans/{scan_id}/image?{query}")
    assert answer.status == 200, answer.body
    return answer


def npy(server: RunningServer, scan_id: str, query: str = "") -> npt.NDArray[np.generic]:
    found: npt.NDArray[np.generic] = np.load(io.BytesIO(image(server, scan_id, f"format=npy&{query}".rstrip("&")).body))
    return found


def problem(answer: Answer, status: int) -> str:
    """What a refusal says."""
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json["status"] == status
    detail: str = answer.json["detail"]
    return detail


def blocks_path(small: SmallDataset, scan_id: str) -> str:
    return f"{SMALL}/store/scans/{scan_id}/{small.rows[scan_id].digest}/c/0/0/0/0"


# ------------------------------------------------------------------------------------------------ datasets and scans


def test_the_process_says_that_it_is_up(server: RunningServer) -> None:
    assert server.ask("/healthz").json == {"status": "up"}


def test_the_process_is_ready_while_its_store_answers(copied: SmallDataset, copied_server: RunningServer) -> None:
    assert copied_server.ask("/readyz").status == 200
    shutil.rmtree(copied.root)
    assert "object store failed" in problem(copied_server.ask("/readyz"), 503)
    assert copied_server.ask("/healthz").status == 200


def test_datasets_are_listed(server: RunningServer) -> None:
    assert server.ask("/v1/datasets").json == {"datasets": [{"name": "small", "links": {"self": SMALL}}]}


def test_a_dataset_tells_what_it_holds(server: RunningServer, small: SmallDataset) -> None:
    found = server.ask(SMALL).json
    assert (found["version"], found["scans"], found["modalities"]) == (0, 6, {"OT": 4, "CT": 2})
    assert found["source_bytes"] == sum(row.source_bytes for row in small.rows.values())
    assert found["stored_bytes"] == sum(row.stored_bytes for row in small.rows.values())
    assert {"name": "age", "type": "Int64"} in found["columns"]


def test_scans_come_in_pages(server: RunningServer, small: SmallDataset) -> None:
    path: str | None = f"{SMALL}/scans?limit=4"
    pages = []
    while path is not None:
        page = server.ask(path).json
        pages.append([scan["id"] for scan in page["scans"]])
        path = page["links"].get("next")
    assert pages == [sorted(small.rows)[:4], sorted(small.rows)[4:]]


def test_scans_are_chosen_by_a_condition(server: RunningServer) -> None:
    page = server.ask(f"{SMALL}/scans?where=" + quote("modality = 'CT' AND age < 60")).json
    assert ([scan["id"] for scan in page["scans"]], page["matched"], page["next_cursor"]) == (["ct"], 1, None)


def test_a_listed_scan_tells_shape_levels_and_labels(server: RunningServer, small: SmallDataset) -> None:
    listed = server.ask(f"{SMALL}/scans?where=" + quote("scan_id = 'ct'")).json["scans"][0]
    header = small.rows["ct"].header
    assert listed["levels"][1] == {
        "level": 1,
        "shape": list(header.level_info(1).shape),
        "end_byte": header.levels[1].end_byte,
    }
    assert (listed["shape"], listed["mask"], listed["labels"]) == ([18, 150, 130], "ct-mask", {"age": 20, "score": 0.5})


def test_a_number_that_json_lacks_is_null(server: RunningServer) -> None:
    assert server.ask(f"{SMALL}/scans/photo").json["labels"]["score"] is None


def test_a_scan_tells_geometry_rescale_display_and_levels(server: RunningServer, small: SmallDataset) -> None:
    found, header = server.ask(f"{SMALL}/scans/ct").json, small.rows["ct"].header
    assert np.array_equal(found["geometry"]["affine"], header.geometry.affine)
    assert (found["geometry"]["space"], found["axes"], found["dtype"]) == ("patient", "zyx", "int16")
    assert found["rescale"] == {"slope": 2.0, "intercept": -24.0, "unit": "HU"}
    assert found["display"] == {"window_center": 40.0, "window_width": 400.0, "inverted": False}
    assert [level["end_byte"] for level in found["levels"]] == [level.end_byte for level in header.levels]


@pytest.mark.parametrize("link", ["self", "image", "blocks", "zarr", "source", "mask"])
def test_every_link_of_a_scan_leads_somewhere(server: RunningServer, link: str) -> None:
    assert server.ask(server.ask(f"{SMALL}/scans/ct").json["links"][link]).status == 200


def test_a_new_scan_appears_and_a_pinned_version_stays(copied: SmallDataset, copied_server: RunningServer) -> None:
    commit_rows(str(copied.folder), [replace(copied.rows["cine"], scan_id="new")])
    counts = [copied_server.ask(f"/v1/datasets/{name}").json["scans"] for name in ("small@0", "small", "small@1")]
    assert counts == [6, 7, 7]


def test_a_root_that_is_a_dataset_is_served_by_its_own_name(small: SmallDataset) -> None:
    with running_server(str(small.folder)) as running:
        assert running.ask("/v1/datasets").json["datasets"][0]["name"] == "small"
        assert np.array_equal(npy(running, "cine"), small.volumes["cine"].voxels)


# ------------------------------------------------------------------------------------------------------------- images


@pytest.mark.parametrize("scan_id", ["cine", "ct", "ct-mask", "fine", "photo", "radiograph"])
def test_npy_is_every_voxel_as_stored(server: RunningServer, small: SmallDataset, scan_id: str) -> None:
    found = npy(server, scan_id)
    assert found.dtype == small.volumes[scan_id].voxels.dtype
    assert np.array_equal(found, small.volumes[scan_id].voxels)


@pytest.mark.parametrize(
    ("query", "request_"),
    [
        ("level=1", Request(level=1)),
        ("size=48", Request(size=48)),
        ("size=40x30", Request(size=(40, 30))),
        ("spacing=3.5", Request(spacing_mm=3.5)),
        ("max_bytes=40000", Request(max_bytes=40_000)),
        ("region=2:9,30:90,:", Request(region=Box((2, 30, 0), (9, 90, 130)))),
        ("level=1&region=2:9,30:90,5:70", Request(level=1, region=Box((2, 30, 5), (9, 90, 70)))),
    ],
)
def test_an_image_is_what_the_library_reads(
    server: RunningServer, small: SmallDataset, query: str, request_: Request
) -> None:
    expected = open_dataset(str(small.folder)).reader("ct").read(request_)
    answer = image(server, "ct", f"format=npy&{query}")
    assert np.array_equal(np.load(io.BytesIO(answer.body)), expected.voxels)
    assert np.array_equal(json.loads(answer.headers["Mist-Affine"]), expected.affine)
    assert json.loads(answer.headers["Mist-Shape"]) == list(expected.voxels.shape)
    assert json.loads(answer.headers["Mist-Spacing"]) == pytest.approx(expected.geometry.spacing)


def test_a_coarse_mask_is_every_nth_voxel(server: RunningServer, small: SmallDataset) -> None:
    z, y, x = small.rows["ct-mask"].header.pyramid.steps(1)
    assert np.array_equal(npy(server, "ct-mask", "level=1"), small.volumes["ct-mask"].voxels[::z, ::y, ::x])


def test_an_image_costs_the_bytes_of_its_level(server: RunningServer, small: SmallDataset) -> None:
    answer = image(server, "ct", "level=1&format=npy")
    assert answer.headers["Mist-Level"] == "1"
    assert int(answer.headers["Mist-Bytes-Read"]) == small.rows["ct"].header.levels[1].end_byte


def test_a_slice_has_no_z_axis_and_an_affine_of_its_own(server: RunningServer, small: SmallDataset) -> None:
    answer, volume = image(server, "ct", "slice=5&format=npy"), small.volumes["ct"]
    assert np.array_equal(np.load(io.BytesIO(answer.body)), volume.voxels[5])
    affine = np.array(json.loads(answer.headers["Mist-Affine"]))
    assert np.allclose(affine @ [0, 7, 8, 1], volume.affine @ [5, 7, 8, 1])
    assert answer.headers["Mist-Axes"] == "yx"


def test_a_png_shows_the_scans_own_window(server: RunningServer, small: SmallDataset) -> None:
    shown = np.asarray(Image.open(io.BytesIO(image(server, "ct", "slice=5").body)))
    expected = np.clip((small.volumes["ct"].values()[5] - 40) / 400 + 0.5, 0, 1) * 255
    assert np.allclose(shown, expected, rtol=0, atol=0.5 + 1e-9)


@pytest.mark.parametrize("scan_id", ["radiograph", "fine", "photo"])
def test_a_png_without_window_is_exact(server: RunningServer, small: SmallDataset, scan_id: str) -> None:
    shown = np.asarray(Image.open(io.BytesIO(image(server, scan_id, "window=none").body)))
    assert np.array_equal(shown, small.volumes[scan_id].voxels)


def test_a_radiograph_whose_least_value_is_white_is_inverted(server: RunningServer) -> None:
    shown = np.asarray(Image.open(io.BytesIO(image(server, "radiograph", "window=127.5,255").body)))
    raw = np.asarray(Image.open(io.BytesIO(image(server, "radiograph", "window=none").body)))
    assert np.array_equal(shown, 255 - raw)


def test_nifti_holds_voxels_affine_and_rescale(server: RunningServer, small: SmallDataset) -> None:
    answer = image(server, "ct", "format=nii.gz")
    found, volume = nibabel.Nifti1Image.from_bytes(gzip.decompress(answer.body)), small.volumes["ct"]
    assert isinstance(found, nibabel.Nifti1Image)
    assert found.get_data_dtype() == volume.voxels.dtype
    assert np.array_equal(found.get_fdata(), volume.values().T)
    assert np.array_equal(found.affine, nifti_affine(volume.geometry).astype(np.float32))


@pytest.mark.parametrize("image_format", ["png", "jpeg", "webp", "npy", "nii.gz"])
def test_an_image_tells_its_type_and_a_file_name(server: RunningServer, image_format: str) -> None:
    answer = image(server, "cine", f"frame=1&format={image_format}")
    assert answer.headers["Content-Disposition"].endswith(f'; filename="cine_level0_frame1.{image_format}"')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_same_image_has_the_same_etag_however_it_is_asked_for(server: RunningServer) -> None:
    etags = {
        image(server, "ct", query).headers["ETag"] for query in ("", "level=0&format=png", "slice=9", "region=:,:,:")
    }
    assert len(etags) == 1
    assert not etags.pop().startswith("W/")


def test_another_image_has_another_etag(server: RunningServer) -> None:
    queries = ("", "level=1", "slice=3", "window=0,50", "format=jpeg", "format=npy", "size=40", "region=:,0:50,:")
    assert len({image(server, "ct", query).headers["ETag"] for query in queries}) == len(queries)


@pytest.mark.parametrize("sent", ["{etag}", "W/{etag}", '"x", {etag}', "*"])
def test_an_image_that_the_client_holds_is_not_sent_again(server: RunningServer, sent: str) -> None:
    etag = image(server, "ct", "level=1").headers["ETag"]
    path = f"{SMALL}/scans/ct/image?level=1"
    again = server.ask(path, headers={"If-None-Match": sent.format(etag=etag)})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)


def test_an_image_that_the_client_holds_is_not_even_read(copied: SmallDataset, copied_server: RunningServer) -> None:
    etag = image(copied_server, "ct", "level=1").headers["ETag"]
    copied.blocks_file("ct").unlink()
    path = f"{SMALL}/scans/ct/image?level=1"
    assert copied_server.ask(path, headers={"If-None-Match": etag}).status == 304


def test_only_a_pinned_version_is_immutable(server: RunningServer) -> None:
    paths = ("scans/ct/image?level=2", "scans/ct", "scans", "store/catalog.parquet")
    pinned = {server.ask(f"{SMALL}@0/{path}").headers["Cache-Control"] for path in paths}
    latest = {server.ask(f"{SMALL}/{path}").headers["Cache-Control"] for path in paths}
    assert (pinned, latest) == ({"max-age=31536000, immutable"}, {"no-cache"})


def test_an_answer_above_the_limit_is_refused_before_it_is_read(copied: SmallDataset) -> None:
    copied.blocks_file("ct").unlink()
    with running_server(str(copied.root), ServerSettings(max_response_bytes=100_000)) as running:
        answer = running.ask(f"{SMALL}/scans/ct/image?format=npy")
        assert "702000 bytes, more than this server's 100000" in problem(answer, 422)


# -------------------------------------------------------------------------------------------------------------- store


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


# -------------------------------------------------------------------------------------------------------------- damage


def test_a_missing_object_is_the_servers_failure(copied: SmallDataset, copied_server: RunningServer) -> None:
    copied.blocks_file("ct").unlink()
    coarsest = len(copied.rows["ct"].header.levels) - 1
    for path in (f"{SMALL}/scans/ct/image?format=npy", blocks_path(copied, "ct")):
        answer = copied_server.ask(path)
        assert "missing" in problem(answer, 502)
        assert (answer.json["scan"], answer.json["level"] in (0, coarsest)) == ("ct", True)
    assert copied_server.ask(blocks_path(copied, "ct"), "HEAD").status == 502


@pytest.mark.parametrize("query", ["level=1&format=npy", "level=1&slice=3", "level=0&region=2:5,3:40,:&format=npy"])
def test_a_truncated_object_is_the_servers_failure(
    copied: SmallDataset, copied_server: RunningServer, query: str
) -> None:
    with copied.blocks_file("ct").open("r+b") as file:
        file.truncate(copied.rows["ct"].header.levels[1].end_byte - 1)
    answer = copied_server.ask(f"{SMALL}/scans/ct/image?{query}")
    assert "'ct', level" in problem(answer, 502)
    assert answer.json["level"] in (0, 1)


def test_a_range_of_a_truncated_object_names_the_level_that_is_cut(
    copied: SmallDataset, copied_server: RunningServer
) -> None:
    end_byte = copied.rows["ct"].header.levels[1].end_byte
    with copied.blocks_file("ct").open("r+b") as file:
        file.truncate(end_byte - 1)
    answer = copied_server.ask(blocks_path(copied, "ct"), headers={"Range": f"bytes=0-{end_byte - 1}"})
    problem(answer, 502)
    assert (answer.json["scan"], answer.json["level"]) == ("ct", 1)


def test_an_altered_level_is_the_servers_failure_until_it_is_mended(
    copied: SmallDataset, copied_server: RunningServer
) -> None:
    file, header = copied.blocks_file("ct"), copied.rows["ct"].header
    good = file.read_bytes()
    altered = bytearray(good)
    altered[header.levels[1].end_byte - 9] ^= 1
    file.write_bytes(altered)
    answer = copied_server.ask(f"{SMALL}/scans/ct/image?level=1&format=npy")
    assert "digest" in problem(answer, 502)
    assert (answer.json["scan"], answer.json["level"]) == ("ct", 1)
    assert copied_server.ask(f"{SMALL}/scans/ct/image?level=2&format=npy").status == 200
    file.write_bytes(good)
    assert np.array_equal(npy(copied_server, "ct"), copied.volumes["ct"].voxels)


@pytest.mark.parametrize("name", ["zarr.json", "source.json"])
def test_an_altered_or_missing_small_object_is_the_servers_failure(
    copied: SmallDataset, copied_server: RunningServer, name: str
) -> None:
    file = copied.folder / "scans/ct" / copied.rows["ct"].digest / name
    path = blocks_path(copied, "ct").replace("c/0/0/0/0", name)
    file.write_bytes(file.read_bytes().replace(b":", b" :", 1))
    assert "digest" in problem(copied_server.ask(path), 502)
    file.unlink()
    assert "missing" in problem(copied_server.ask(path), 502)


def test_a_damaged_catalog_is_the_servers_failure(copied: SmallDataset, copied_server: RunningServer) -> None:
    for file in (copied.folder / "catalog").glob("*.parquet"):
        file.unlink()
    answer = copied_server.ask(SMALL)
    assert "catalog is damaged" in problem(answer, 502)
    assert str(copied.root) not in answer.body.decode()


def test_a_client_names_the_damage_as_one_that_reads_the_store_itself(
    copied: SmallDataset, copied_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIST_STORE_RETRIES", "0")
    with copied.blocks_file("ct").open("r+b") as file:
        file.truncate(copied.rows["ct"].header.levels[1].end_byte - 1)
    found = []
    for url in (f"{copied_server.url}{SMALL}/store", str(copied.folder)):
        with pytest.raises(ScanCorrupt) as damage:
            open_dataset(url).reader("ct").read(Request(level=1))
        found.append((damage.value.scan_id, damage.value.level))
    assert found == [("ct", 1), ("ct", 1)]


def test_a_client_is_told_of_a_damaged_catalog(
    copied: SmallDataset, copied_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIST_STORE_RETRIES", "0")
    for file in (copied.folder / "catalog").glob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(CatalogCorrupt, match=r"/store/catalog\.parquet: the dataset's catalog is damaged"):
        open_dataset(f"{copied_server.url}{SMALL}/store")


def test_an_object_that_ends_while_it_is_sent_cuts_the_connection(noise: SmallDataset, tmp_path: Path) -> None:
    shutil.copytree(noise.root, tmp_path / "root")
    cut = replace(noise, root=tmp_path / "root")
    with cut.blocks_file("noise").open("r+b") as file:
        file.truncate(PIECE_BYTES + 1)
    with running_server(str(cut.root)) as running, pytest.raises((http.client.IncompleteRead, ConnectionError)):
        running.ask(blocks_path(cut, "noise"))


# ------------------------------------------------------------------------------------------------------------- hostile

HOSTILE_PATHS = [
    "/",
    "/v1",
    "/v1/datasets/",
    "/v1/datasets/..",
    "/v1/datasets/%2e%2e",
    "/v1/datasets/..%2f..%2fetc",
    "/v1/datasets/%00",
    "/v1/datasets/small%00",
    "/v1/datasets/small@",
    "/v1/datasets/small@-1",
    "/v1/datasets/small@999",
    "/v1/datasets/small@99999999999999999999999",
    "/v1/datasets/@1",
    "/v1/datasets/%ff%fe",
    "/v1/datasets/" + "a" * 5000,
    f"{SMALL}/scans/..",
    f"{SMALL}/scans/%2e%2e%2f%2e%2e",
    f"{SMALL}/scans/ct%00",
    f"{SMALL}/scans/ct/",
    f"{SMALL}/scans/ct/image/",
    f"{SMALL}/scans/%F0%9F%92%89/image",
    f"{SMALL}/store/",
    f"{SMALL}/store/catalog",
    f"{SMALL}/store/catalog/_delta_log/00000000000000000000.json",
    f"{SMALL}/store/../small/catalog.parquet",
    f"{SMALL}/store/..%2f..%2fetc/passwd",
    f"{SMALL}/store//etc/passwd",
    f"{SMALL}/store/catalog.parquet/",
    f"{SMALL}/store/catalog.parquet%00",
    f"{SMALL}/store/./catalog.parquet",
    f"{SMALL}/store/scans",
    f"{SMALL}/store/scans/ct",
    f"{SMALL}/store/scans/ct/DIGEST",
    f"{SMALL}/store/scans/ct/DIGEST/",
    f"{SMALL}/store/scans/ct/DIGEST/c",
    f"{SMALL}/store/scans/ct/DIGEST/c/0/0/0/1",
    f"{SMALL}/store/scans/ct/DIGEST/c/0/0/0/0/",
    f"{SMALL}/store/scans/ct/DIGEST/c//0/0/0/0",
    f"{SMALL}/store/scans/ct/DIGEST/../DIGEST/zarr.json",
    f"{SMALL}/store/scans/ct/DIGEST/zarr.json%0a",
    f"{SMALL}/store/scans/ct/" + "0" * 48 + "/zarr.json",
    f"{SMALL}/store/scans/cine/DIGEST/zarr.json",
    f"{SMALL}/store/scans%2fct%2fDIGEST%2fzarr.json",
    f"{SMALL}/store/scans\\ct\\DIGEST\\zarr.json",
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_a_path_that_leads_nowhere_is_refused(server: RunningServer, small: SmallDataset, path: str) -> None:
    answer = server.ask(path.replace("DIGEST", small.rows["ct"].digest))
    assert problem(answer, answer.status)
    assert answer.status in (400, 404, 422)


HOSTILE_QUERIES = [
    f"{name}={quote(value)}"
    for name, values in {
        "level": ["", "-1", "99", "1.5", "1e9", "٣", "0" * 20, "nan", "0x1", "' OR 1=1"],
        "size": ["0", "", "x", "0x0", "99999", "65536x65536", "65537", "1x", "-5", "1e3"],
        "spacing": ["0", "-1", "nan", "inf", "1e-320", "1e-300", "5e-324", "1e308", "1e-3", "", "1,2"],
        "max_bytes": ["0", "1", "-1", "", "9" * 30],
        "slice": ["18", "-1", "", "999999999999999", "1.0"],
        "frame": ["0", "-1", ""],
        "region": [
            "",
            ":",
            "::",
            "0:0,:,:",
            "5:1,:,:",
            "-1:2,:,:",
            "0:99,:,:",
            "a:b,:,:",
            ":,:",
            ":,:,:,:",
            "0:" + "9" * 18,
        ],
        "window": ["", "none", "1", "1,0", "1,-5", "nan,1", "1,nan", "1,2,3", "None"],
        "format": ["", "PNG", "gif", "../png", "npy\x00", "nii", "dcm"],
        "levl": ["1"],
        "": ["1"],
        "level[]": ["1"],
    }.items()
    for value in values
]


@pytest.mark.parametrize(
    "query", [*HOSTILE_QUERIES, "level=1&level=1", "level=1&size=2", "size=64&spacing=1", "format=npy&levl"]
)
def test_a_query_that_makes_no_sense_is_refused(server: RunningServer, query: str) -> None:
    answer = server.ask(f"{SMALL}/scans/ct/image?{query}")
    assert problem(answer, answer.status)
    assert answer.status in (400, 422)


@pytest.mark.parametrize(
    "where",
    [
        "",
        "age",
        "age >",
        "nothing = 1",
        "age = 'x'",
        "1 = 1; DROP TABLE catalog",
        "age IN (SELECT age FROM catalog)",
        "EXISTS (SELECT * FROM read_csv('/etc/passwd'))",
        "greatest()",
        "lpad(modality, 4000000000) = 'a'",
        "NOT " * 1000 + "true",
        "(" * 1300 + "1" + ")" * 1300,
        "+".join("1" * 1500) + " > 0",
        "-- x",
        "\x00",
        "age = 99999999999999999999999999 ^",
    ],
    ids=lambda where: where[:30].replace("\0", "NUL") or "nothing",
)
def test_a_condition_that_is_none_is_refused(server: RunningServer, where: str) -> None:
    problem(server.ask(f"{SMALL}/scans?where={quote(where)}"), 422)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=-1", "limit=x", "cursor=%00", "cursor=a", "cursor=%C3%A9", "page=2"]
)
def test_a_page_that_makes_no_sense_is_refused(server: RunningServer, query: str) -> None:
    answer = server.ask(f"{SMALL}/scans?{query}")
    problem(answer, answer.status)
    assert answer.status in (400, 422)


def test_an_unknown_parameter_is_named_with_those_that_are_known(server: RunningServer) -> None:
    detail = problem(server.ask(f"{SMALL}/scans/ct/image?levl=2"), 400)
    assert "'levl'" in detail
    assert "level, size, spacing" in detail


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(server: RunningServer, small: SmallDataset, method: str) -> None:
    answer = server.ask(blocks_path(small, "ct"), method)
    problem(answer, 405)
    assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/\x00 HTTP/1.1",
        b"GET / HTTP/9",
        b"\x16\x03\x01\x02",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1",
        b"G\xffT / HTTP/1.1",
    ],
)
def test_what_is_no_http_gets_a_400(server: RunningServer, line: bytes) -> None:
    host = urlsplit(server.url)
    with socket.create_connection((str(host.hostname), host.port or 0), timeout=10) as connection:
        connection.sendall(line + b"\r\nHost: x\r\n\r\n")
        assert b" 400 " in connection.recv(200).split(b"\r\n", 1)[0]


def test_a_client_that_leaves_is_no_error(noise: SmallDataset, caplog: pytest.LogCaptureFixture) -> None:
    request = f"GET {blocks_path(noise, 'noise')} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with caplog.at_level(logging.WARNING), running_server(str(noise.root)) as running:
        host = urlsplit(running.url)
        for _ in range(5):
            with socket.create_connection((str(host.hostname), host.port or 0), timeout=10) as connection:
                connection.sendall(request)
                connection.recv(1000)
        assert running.ask("/healthz").status == 200
    assert caplog.records == []


def test_an_answer_that_takes_too_long_is_given_up(small: SmallDataset) -> None:
    with running_server(str(small.root), ServerSettings(request_timeout_s=1e-6)) as running:
        started = time.monotonic()
        problem(running.ask(f"{SMALL}/scans/ct/image"), 504)
        assert time.monotonic() - started < 10
