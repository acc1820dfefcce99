"""A dataset in a bucket that is a test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.published_datasets import Hosted, host


@pytest.fixture
def hosted(s3_bucket: str, tmp_path: Path) -> Hosted:
    """A dataset that nobody may read yet."""
    return host(s3_bucket, tmp_path / "source")
