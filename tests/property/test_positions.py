"""Affines are true: what a voxel holds is what lies at the position that its affine gives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mist.geometry import Geometry
from mist.plan import make_plan
from mist.request import Request
from mist.volume import Volume
from tests.encoded_scan import EncodedScan, encode_scan
from tests.strategies import boxes, geometries, pyramids

SHAPE = (40, 64, 80)
BORDER = 24  # voxels of level 0 to which the reflection at the border may reach

requests = st.one_of(
    st.builds(Request, level=st.integers(0, 2)),
    st.builds(Request, size=st.integers(12, 150)),
    st.builds(Request, size=st.tuples(st.integers(12, 150), st.integers(12, 150))),
    st.builds(Request, spacing_mm=st.floats(0.5, 8)),
)


def indices(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    return np.moveaxis(np.indices(shape), 0, -1).astype(np.float64)


def source_indices(delivered: Volume, full: Geometry) -> npt.NDArray[np.float64]:
    """Where the delivered voxels lie, in voxels of level 0, by nothing but the two affines."""
    change = np.linalg.inv(full.affine) @ delivered.affine
    return np.asarray(indices(delivered.voxels.shape) @ change[:3, :3].T + change[:3, 3])


@st.composite
def ramps(draw: st.DrawFn) -> tuple[Volume, npt.NDArray[np.float64]]:
    """A volume whose voxels hold a linear function of their index (z, y, x), and its gradient."""
    gradient = np.array(draw(st.tuples(*[st.integers(-120, 120)] * 3)), np.float64)
    assume(np.abs(gradient).max() > 40)
    ramp = np.rint(indices(SHAPE) @ gradient).astype(np.int32)
    return Volume(ramp, "zyx", draw(geometries())), gradient


@given(ramps(), st.sampled_from(["13/7", "5/3"]), requests)
@settings(max_examples=60)
def test_a_linear_phantom_has_the_value_of_each_voxels_position(
    ramp: tuple[Volume, npt.NDArray[np.float64]], wavelet: str, request_: Request
) -> None:
    volume, gradient = ramp
    assume(request_.spacing_mm is None or request_.spacing_mm < min(np.multiply(SHAPE, volume.geometry.spacing)) / 8)
    scan = encode_scan(volume, wavelet, ("yx", "zyx"))
    delivered = scan.read(request_)
    at = source_indices(delivered, volume.geometry)
    step = np.linalg.norm(delivered.affine[:3, :3], axis=0) / volume.geometry.spacing
    border = np.minimum(np.maximum(BORDER, 4 * step), np.divide(SHAPE, 2) - 1)
    inside = ((at >= border) & (at <= np.subtract(SHAPE, 1) - border)).all(axis=-1)
    # Rounding at each level, to whole steps where voxels are multiples of one, and the ripple of Lanczos on a slope:
    # a small part of the rise from voxel to voxel.
    tolerance = 3 * scan.header.samples.slope + 0.03 * np.abs(gradient) @ np.maximum(step, 1)
    assert np.abs(delivered.voxels - at @ gradient)[inside].max(initial=0) <= tolerance


@given(geometries(), st.data())
@settings(max_examples=60)
def test_landmarks_are_found_at_their_known_positions_at_every_level(geometry: Geometry, data: st.DataObject) -> None:
    """Points of a phantom at known millimetres: a lazy level shows those that lie on its grid, and where they lie."""
    shape = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 30), st.integers(1, 40)))
    halved = data.draw(pyramids(shape)).halved
    labels = np.arange(1, np.prod(shape) + 1).reshape(shape).astype(np.int32)
    known_mm = np.einsum("ij,zyxj->zyxi", geometry.affine[:3, :3], indices(shape)) + geometry.affine[:3, 3]
    scan = encode_scan(Volume(labels, "zyx", geometry), "lazy", halved)
    for level in range(len(halved) + 1):
        volume = scan.read(Request(level=level))
        found_mm = volume.geometry.positions(indices(volume.voxels.shape))
        np.testing.assert_allclose(found_mm, known_mm.reshape(-1, 3)[volume.voxels - 1], rtol=0, atol=1e-6)


def scan_of(shape: tuple[int, ...], geometry: Geometry) -> EncodedScan:
    return encode_scan(Volume(np.zeros(shape, np.uint8), "zyx", geometry))


@given(geometries(), st.integers(1, 300), st.data())
@settings(max_examples=100)
def test_a_size_is_exact_and_keeps_the_aspect(geometry: Geometry, size: int, data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 90), st.integers(1, 90)))
    region = data.draw(boxes(shape))
    plan = make_plan(scan_of(shape, geometry).header, Request(size=size, region=region))
    _, height, width = plan.crop.shape if plan.grid is None else plan.grid.shape
    assert min(height, width) == size
    _, rows, columns = region.shape
    assert abs(height * columns - width * rows) <= max(rows, columns) / 2 + 1e-6


@given(geometries(), st.integers(1, 99), st.integers(1, 99))
@settings(max_examples=60)
def test_a_height_and_width_are_delivered_as_asked(geometry: Geometry, height: int, width: int) -> None:
    delivered = scan_of((2, 30, 40), geometry).read(Request(size=(height, width)))
    assert delivered.voxels.shape[1:] == (height, width)


@given(geometries(), st.floats(0.3, 20), st.data())
@settings(max_examples=100)
def test_a_spacing_is_exact_and_covers_the_region_to_less_than_a_voxel(
    geometry: Geometry, spacing_mm: float, data: st.DataObject
) -> None:
    shape = data.draw(st.tuples(st.integers(2, 20), st.integers(2, 40), st.integers(2, 40)))
    assume(spacing_mm <= min(np.multiply(shape, geometry.spacing)))
    delivered = scan_of(shape, geometry).read(Request(spacing_mm=spacing_mm))
    np.testing.assert_allclose(delivered.geometry.spacing, spacing_mm, rtol=1e-9)
    left_over = np.multiply(shape, geometry.spacing) - np.multiply(delivered.voxels.shape, spacing_mm)
    assert (left_over >= -1e-4 * spacing_mm).all()
    assert (left_over < spacing_mm).all()
