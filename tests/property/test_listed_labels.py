"""Label masks of any labels: exact at every level, and in the bytes of a mask of small ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mist.errors import InvalidRequest
from mist.geometry import geometry_of_indices
from mist.label_values import MOST_LISTED
from mist.request import Request
from mist.samples import Coding, SampleMap, from_integers, to_integers
from mist.scan import ScanHeader
from mist.volume import Volume
from mist.wavelet import IMAGE_WAVELET, MASK_WAVELET
from tests.encoded_scan import EncodedScan, encode_scan

Labels = npt.NDArray[np.integer]
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32")


def encoded(labels: Labels, wavelet: str = MASK_WAVELET) -> EncodedScan:
    axes = {2: "yx", 3: "zyx"}[labels.ndim]
    return encode_scan(Volume(labels, axes, geometry_of_indices()), wavelet)


@st.composite
def masks(draw: st.DrawFn) -> Labels:
    """Masks of a few labels, of any values that their type has."""
    bounds = np.iinfo(dtype := draw(st.sampled_from(DTYPES)))
    values = draw(st.lists(st.integers(bounds.min, bounds.max), min_size=1, max_size=9, unique=True))
    shape = draw(arrays.array_shapes(min_dims=2, max_dims=3, max_side=24))
    places = draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, len(values) - 1)))
    labels: Labels = np.array(values, dtype)[places]
    return labels


@given(masks())
@settings(max_examples=150)
def test_a_mask_comes_back_and_its_levels_are_its_subsamples(labels: Labels) -> None:
    scan = encoded(labels)
    for level in range(len(scan.header.levels)):
        back = scan.read(Request(level=level)).voxels
        steps = scan.header.pyramid.steps(level)[-labels.ndim :]
        assert back.dtype == labels.dtype
        np.testing.assert_array_equal(back, labels[tuple(slice(None, None, step) for step in steps)])


@given(masks())
def test_a_header_with_a_list_comes_back_from_its_json(labels: Labels) -> None:
    header = encoded(labels).header
    assert ScanHeader.from_json(header.to_json()) == header


@pytest.mark.parametrize("values", [[0, 255], [0, 7, 1000], [0, -1, 30_000], [65, 2, 9, 33]])
def test_a_mask_takes_the_bytes_of_one_with_small_labels(values: list[int]) -> None:
    rings = (np.hypot(*np.mgrid[-60:70, -70:64]) // 24).astype(np.int32).clip(0, len(values) - 1)
    by_count = np.argsort(-np.bincount(rings.ravel()), kind="stable")
    small = np.argsort(by_count)[rings].astype(np.int32)
    assert encoded(np.array(values, np.int32)[rings]).blocks == encoded(small).blocks


@pytest.mark.parametrize("dtype", DTYPES)
def test_labels_that_are_the_first_whole_numbers_are_stored_as_they_are(dtype: str) -> None:
    assert encoded(np.array([[0, 1], [2, 3]], dtype)).header.samples.coding is Coding.INTEGER


def test_more_labels_than_a_list_may_have_are_stored_as_they_are() -> None:
    for count, coding in ((MOST_LISTED, Coding.LISTED), (MOST_LISTED + 1, Coding.INTEGER)):
        labels = (np.arange(count, dtype=np.int32) * 7 + 1).reshape(1, -1)
        assert encoded(labels).header.samples.coding is coding


def test_labels_far_apart_are_listed_as_well() -> None:
    labels = np.array([[-(2**31), 5, 5], [2**31 - 1, 5, 0]], np.int32)
    integers, samples = to_integers(labels, are_labels=True)
    assert samples.values == (5, -(2**31), 0, 2**31 - 1)
    np.testing.assert_array_equal(from_integers(integers, samples), labels)


def test_an_image_is_never_listed() -> None:
    assert encoded(np.array([[0, 255], [255, 0]], np.uint8), IMAGE_WAVELET).header.samples.coding is Coding.INTEGER


def test_a_place_beyond_the_list_is_its_first_or_last() -> None:
    samples = SampleMap("int16", Coding.LISTED, 1.0, 0, 2, (9, -4, 700))
    assert from_integers(np.array([-5, 0, 2, 3, 2**40]), samples).tolist() == [9, 9, 700, 700, 700]
    assert samples.sample_range == (-4, 700)


@pytest.mark.parametrize(
    ("dtype", "coding", "high", "values"),
    [
        ("uint8", Coding.INTEGER, 1, (0, 9)),
        ("float32", Coding.LISTED, 1, (0, 9)),
        ("uint8", Coding.LISTED, 1, ()),
        ("uint8", Coding.LISTED, 2, (0, 9)),
        ("uint8", Coding.LISTED, 1, (0, 256)),
        ("int8", Coding.LISTED, 1, (-129, 0)),
        ("uint16", Coding.LISTED, MOST_LISTED, tuple(range(MOST_LISTED + 1))),
    ],
)
def test_a_list_that_contradicts_the_rest_is_refused(
    dtype: str, coding: Coding, high: int, values: tuple[int, ...]
) -> None:
    with pytest.raises(InvalidRequest):
        SampleMap(dtype, coding, 1.0, 0, high, values)
