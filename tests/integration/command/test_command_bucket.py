"""Commands on a bucket, and on one that fails."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import Mist
from tests.labelled_sources import voxels_of
from tests.stored_files import files


class TestFailingBucket:
    """The same, where the store is a real S3 server."""

    @pytest.fixture(params=["ingest", "ls", "info", "get", "verify"])
    def failure(self, mist: Mist, request: pytest.FixtureRequest, source: Path, tmp_path: Path) -> Callable[[str], str]:
        """What one of the commands says when it fails on the dataset at an address; it has written no file then."""

        def error_at(url: str) -> str:
            arguments: dict[str, list[object]] = {
                "ingest": ["ingest", source, url, "--workers", 1],
                "info": ["info", url, "mr"],
                "get": ["get", url, "mr", "-o", tmp_path / "mr.npy"],
            }
            error = mist(*arguments.get(request.param, [request.param, url])).error
            assert not files(tmp_path)
            return error

        return error_at

    @pytest.mark.usefixtures("s3_environment")
    def test_a_bucket_is_made_where_that_is_asked_for(self, mist: Mist, source: Path) -> None:
        url = f"s3://mist-{uuid.uuid4().hex[:12]}/cxr"
        assert "--create-bucket" in mist("ingest", source, url, "--workers", 1).error
        done = mist("ingest", source, url, "--workers", 1, "--create-bucket")
        assert (done.code, "made the bucket" in done.messages) == (0, True)
        assert "made the bucket" not in mist("ingest", source, url, "--workers", 1, "--create-bucket").messages

    def test_a_folder_has_no_bucket_to_make(self, mist: Mist, source: Path, tmp_path: Path) -> None:
        assert "lies in no bucket" in mist("ingest", source, tmp_path / "ds", "--create-bucket").error

    def test_a_bucket_is_written_and_read_as_a_folder_is(
        self, mist: Mist, source: Path, s3_url: str, tmp_path: Path
    ) -> None:
        assert mist("ingest", source, s3_url, "--workers", 1).code == 0
        assert mist("verify", s3_url).output == "all 4 scans are whole\n"
        assert mist("get", s3_url, "mr", "-o", tmp_path / "mr.npy").code == 0
        np.testing.assert_array_equal(np.load(tmp_path / "mr.npy"), voxels_of(3, 12, 48, 64))

    @pytest.mark.usefixtures("s3_environment")
    def test_a_missing_bucket_is_named(self, failure: Callable[[str], str]) -> None:
        error = failure("s3://mist-no-such-bucket/x")
        assert error.startswith("s3://mist-no-such-bucket")
        assert "the bucket does not exist" in error

    def test_wrong_credentials_are_named(
        self, failure: Callable[[str], str], s3_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        assert "the credentials are wrong" in failure(s3_url)

    def test_an_endpoint_that_is_not_there_is_named(
        self, mist: Mist, source: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        assert "cannot be reached at http://127.0.0.1:9" in mist("ingest", source, s3_url, "--workers", 1).error

    def test_a_refused_ingest_leaves_the_bucket_as_it_was(
        self, mist: Mist, source: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as wrong:
            wrong.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
            assert mist("ingest", source, s3_url, "--workers", 1).code == 1
        assert "no dataset" in mist("ls", s3_url).error
        assert mist("ingest", source, s3_url, "--workers", 1).code == 0
