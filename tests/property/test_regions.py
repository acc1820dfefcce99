"""A region at a level is the crop of that level, voxel for voxel and millimetre for millimetre."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mist.errors import InvalidRequest
from mist.plan import make_plan
from mist.request import Box, Request
from mist.volume import Volume
from tests.encoded_scan import EncodedScan
from tests.strategies import boxes, encoded_scans


@given(encoded_scans(), st.data())
@settings(max_examples=150)
def test_a_region_of_a_level_is_the_crop_of_the_level(stored: tuple[Volume, EncodedScan], data: st.DataObject) -> None:
    volume, scan = stored
    pyramid = scan.header.pyramid
    request = Request(
        level=data.draw(st.integers(0, pyramid.coarsest)), region=data.draw(boxes(pyramid.shape), label="region")
    )
    part, whole = scan.read(request), scan.read(Request(level=request.level))
    crop = make_plan(scan.header, request).crop
    slices = dict(zip("zyx", crop.slices(), strict=True))
    expected = whole.voxels[tuple(slices.get(axis, slice(None)) for axis in volume.axes)]
    assert part.voxels.shape == expected.shape
    assert part.voxels.tobytes() == expected.tobytes()
    corners = np.array([(0, 0, 0), np.subtract(crop.shape, 1)])
    np.testing.assert_allclose(
        part.geometry.positions(corners), whole.geometry.positions(corners + crop.start), atol=1e-6
    )


@given(encoded_scans(), st.data())
@settings(max_examples=100)
def test_the_voxels_of_a_region_at_a_level_lie_within_the_region_where_any_does(
    stored: tuple[Volume, EncodedScan], data: st.DataObject
) -> None:
    _, scan = stored
    pyramid = scan.header.pyramid
    level, region = data.draw(st.integers(0, pyramid.coarsest)), data.draw(boxes(pyramid.shape))
    crop = make_plan(scan.header, Request(level=level, region=region)).crop
    for axis, step in enumerate(pyramid.steps(level)):
        inside = [
            i for i in range(pyramid.level_shape(level)[axis]) if region.start[axis] <= i * step < region.stop[axis]
        ]
        assert list(range(crop.start[axis], crop.stop[axis])) == (inside or [(region.stop[axis] - 1) // step])


@given(st.text("0123456789:,- +._e\n", max_size=30), st.sampled_from(["x", "yx", "zyx", "tyxc"]))
@settings(max_examples=300)
def test_text_is_a_region_within_zero_and_its_stop_or_is_refused(text: str, axes: str) -> None:
    shape = (9 if "z" in axes else 1, 10 if "y" in axes else 1, 11)
    try:
        box = Box.parse(text, shape, axes)
    except InvalidRequest:
        return
    assert all(0 <= start < stop for start, stop in zip(box.start, box.stop, strict=True))
    assert box.start[0] == 0 or "z" in axes


@given(st.data())
@settings(max_examples=100)
def test_a_region_written_out_is_read_back(data: st.DataObject) -> None:
    box = data.draw(boxes((30, 40, 50)))
    text = ",".join(f"{a}:{b}" for a, b in zip(box.start, box.stop, strict=True))
    assert Box.parse(text, (30, 40, 50), "zyx") == box
