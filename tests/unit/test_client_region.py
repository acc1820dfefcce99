from __future__ import annotations

import numpy as np
import pytest

from mist.errors import InvalidRequest
from mist.geometry import geometry_of_indices
from mist.request import Box
from mist.scan import ScanHeader
from mist.volume import Volume
from mist_client.region import Region, region_box
from mist_storage.scan_writer import encode_scan


@pytest.fixture(scope="module")
def image() -> ScanHeader:
    return encode_scan(Volume(np.zeros((20, 30), np.uint8), "yx", geometry_of_indices())).header


def test_no_region_stays_none(image: ScanHeader) -> None:
    assert region_box(None, image) is None


@pytest.mark.parametrize(
    "region",
    [((2, 9), (0, 30)), [slice(2, 9), slice(None)], ((2, 9), slice(0, None, 1)), "2:9,:"],
    ids=["pairs", "slices", "both", "text"],
)
def test_pairs_slices_and_text_name_the_same_box(image: ScanHeader, region: Region) -> None:
    assert region_box(region, image) == Box((0, 2, 0), (1, 9, 30))


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        (((0, 9),), "one range for each of y, x, not 1"),
        ((slice(0, 9, 2), slice(None)), "no steps"),
        ((slice(-5, None), slice(None)), "0 <= start < stop"),
        (((9, 9), (0, 30)), "0 <= start < stop"),
    ],
    ids=["too few", "steps", "negative", "empty"],
)
def test_what_is_no_box_of_the_scan_is_refused(image: ScanHeader, region: Region, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        region_box(region, image)
