"""Datasets and scans, as the server tells of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from urllib.parse import quote

import numpy as np
import pytest

from mist_storage.catalog import commit_rows
from tests.server_answers import SMALL, npy, problem
from tests.server_dataset import RunningServer, SmallDataset, running_server


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
