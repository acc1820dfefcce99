"""Datasets in real buckets, for publishing them, and what a client without credentials is answered with."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mist.ingest.run import ingest
from mist_storage.buckets import ensure_bucket
from mist_storage.dataset import open_dataset
from mist_storage.keys import scan_key
from mist_storage.store import open_store
from tests.aws_environment import environment

FOLDER = "open/cxr"


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


def stranger(**variables: str) -> AbstractContextManager[None]:
    """Nothing of AWS in the environment but `variables`, during a block."""
    return environment(variables)


def status(url: str, method: str = "GET", data: bytes | None = None) -> int:
    """The HTTP status that a client without credentials is answered with."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
