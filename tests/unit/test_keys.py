from __future__ import annotations

import pytest

from mist.errors import InvalidRequest
from mist_storage.keys import BLOCKS, SOURCE, ZARR_JSON, checked_key, checked_scan_id, scan_key


@pytest.mark.parametrize("scan_id", ["a", "0", "_", "CT-0314_1.2.840", "a..b", "x" * 200])
def test_letters_digits_and_three_signs_make_a_scan_id(scan_id: str) -> None:
    assert checked_scan_id(scan_id) == scan_id


@pytest.mark.parametrize("scan_id", ["", ".", "..", "-a", ".a", "a/b", "a b", "a\n", "ü", "a%20b", "a@1", "x" * 201])
def test_what_could_be_misread_in_an_address_is_no_scan_id(scan_id: str) -> None:
    with pytest.raises(InvalidRequest, match="a scan id is 1 to 200"):
        checked_scan_id(scan_id)


def test_a_scans_objects_lie_under_its_id_and_digest() -> None:
    assert scan_key("ct", "0a", ZARR_JSON) == "scans/ct/0a/zarr.json"


def test_the_blocks_lie_where_zarr_looks_for_the_only_shard_of_a_four_dimensional_array() -> None:
    assert scan_key("ct", "0a", BLOCKS) == "scans/ct/0a/c/0/0/0/0"


def test_no_key_is_made_of_what_is_no_scan_id() -> None:
    with pytest.raises(InvalidRequest):
        scan_key("../other", "0a", SOURCE)


@pytest.mark.parametrize("key", ["a", "a/b.c", "a b", "ü", "%2e", "..a", "a..", "x#y", "x#1/y"])
def test_a_key_is_made_of_whole_parts(key: str) -> None:
    assert checked_key(key) == key


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "..", "a/..", "../a", ".", "a/./b", "a\\b", "a\tb", "a\x7f", "a#12"]
)
def test_what_leads_elsewhere_is_no_key(key: str) -> None:
    with pytest.raises(InvalidRequest, match="not the key of an object"):
        checked_key(key)
