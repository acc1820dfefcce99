from __future__ import annotations

from pathlib import Path

import pytest

from mist.errors import InvalidRequest
from mist_client.scan_uri import ScanUri, is_scan_uri

ADDRESSES = [
    ScanUri("file:///data/cxr", "scan-7"),
    ScanUri("file:///data/a%23b@3", "scan-7"),
    ScanUri("s3://bucket/cxr@12", "scan-7"),
    ScanUri("https://host:8080/v1/datasets/cxr/store", "a.b_c"),
    ScanUri("memory://cxr", "x"),
]


@pytest.mark.parametrize("uri", ADDRESSES, ids=str)
def test_what_is_written_is_parsed(uri: ScanUri) -> None:
    assert ScanUri.parse(str(uri)) == uri


@pytest.mark.parametrize("uri", ADDRESSES, ids=str)
def test_an_address_survives_a_path_library(uri: ScanUri) -> None:
    assert ScanUri.parse(str(Path(str(uri)))) == uri


@pytest.mark.parametrize("text", ["scan.nii.gz", "file:///data#x", "mist+ftp://host/data#x", "mist+file:///data"])
def test_other_names_are_no_addresses_of_scans(text: str) -> None:
    assert not is_scan_uri(text)
    with pytest.raises(InvalidRequest, match="mist\\+file"):
        ScanUri.parse(text)


def test_a_scan_id_that_could_leave_its_folder_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="scan id"):
        ScanUri.parse("mist+file:///data#../x")
