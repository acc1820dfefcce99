from __future__ import annotations

import io

import numpy as np
import pytest

from mist_storage.keys import BLOCKS, scan_key
from mist_storage.store import open_store
from tests.server_dataset import RunningServer, running_server, store_volumes, volumes


def names(server: RunningServer) -> list[str]:
    return [dataset["name"] for dataset in server.ask("/v1/datasets").json["datasets"]]


def test_datasets_of_a_bucket_are_served(s3_url: str) -> None:
    cine = volumes()["cine"]
    store_volumes(f"{s3_url}/loops", {"cine": cine})
    open_store(s3_url).put("notes/readme.txt", b"no dataset")
    with running_server(s3_url) as server:
        assert (server.ask("/readyz").status, names(server)) == (200, ["loops"])
        answer = server.ask("/v1/datasets/loops/scans/cine/image?format=npy")
    assert np.array_equal(np.load(io.BytesIO(answer.body)), cine.voxels)


def test_a_dataset_of_a_bucket_can_be_the_root(s3_url: str) -> None:
    store_volumes(s3_url, {"cine": volumes()["cine"]})
    with running_server(s3_url) as server:
        assert names(server) == [s3_url.rsplit("/", 1)[1]]


def test_an_object_that_the_bucket_lacks_is_the_servers_failure(s3_url: str) -> None:
    row = store_volumes(f"{s3_url}/loops", {"cine": volumes()["cine"]})["cine"]
    key = scan_key("cine", row.digest, BLOCKS)
    open_store(f"{s3_url}/loops").delete([key])
    with running_server(s3_url) as server:
        for path in ("/v1/datasets/loops/scans/cine/image", f"/v1/datasets/loops/store/{key}"):
            answer = server.ask(path)
            assert (answer.status, answer.json["scan"]) == (502, "cine")


def test_a_bucket_that_is_not_there_makes_the_server_unready(s3_environment: dict[str, str]) -> None:
    assert s3_environment
    with running_server("s3://mist-no-such-bucket") as server:
        for path in ("/readyz", "/v1/datasets", "/v1/datasets/loops"):
            answer = server.ask(path)
            assert answer.status == 503
            assert "no-such-bucket" not in answer.body.decode()


def test_wrong_credentials_are_the_servers_failure(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store_volumes(f"{s3_url}/loops", {"cine": volumes()["cine"]})
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with running_server(s3_url) as server:
        assert [server.ask(path).status for path in ("/readyz", "/v1/datasets/loops")] == [502, 502]
