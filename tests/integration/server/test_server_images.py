"""Images by level, size and region over HTTP."""

from __future__ import annotations

import gzip
import io
import json

import nibabel
import numpy as np
import pytest
from PIL import Image

from mist.geometry import nifti_affine
from mist.request import Box, Request
from mist.server.settings import ServerSettings
from mist_storage.dataset import open_dataset
from tests.server_answers import SMALL, image, npy, problem
from tests.server_dataset import RunningServer, SmallDataset, running_server


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
