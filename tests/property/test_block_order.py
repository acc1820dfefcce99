"""Blocks cut every subband into parts that fit together, and levels are nested prefixes of their order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mist.blocks import BlockLayout
from mist.plan import make_plan
from mist.pyramid import Pyramid
from mist.reconstruct import Reconstruction
from mist.request import Request
from mist.volume import Volume
from tests.encoded_scan import EncodedScan
from tests.strategies import block_shapes, boxes, encoded_scans, pyramids


@st.composite
def layouts(draw: st.DrawFn) -> BlockLayout:
    """Layouts of a few planes."""
    shape = draw(st.tuples(st.integers(1, 20), st.integers(1, 40), st.integers(1, 60)))
    return BlockLayout(draw(pyramids(shape)), draw(st.integers(1, 3)), draw(block_shapes))


@given(layouts())
@settings(max_examples=150)
def test_the_numbers_of_the_levels_are_one_sequence_from_the_coarsest(layout: BlockLayout) -> None:
    numbers = [block.number for level in layout.levels for block in layout.blocks(level)]
    assert numbers == list(range(layout.count))
    assert all([b.number for b in layout.blocks(level)] == list(layout.numbers(level)) for level in layout.levels)


@given(layouts())
@settings(max_examples=150)
def test_every_coefficient_lies_in_exactly_one_block(layout: BlockLayout) -> None:
    for level in layout.levels:
        times = {band: np.zeros((layout.planes, *layout.band_shape(level, band)), int) for band in layout.bands(level)}
        for block in layout.blocks(level):
            box = tuple(slice(a, b) for a, b in zip(block.start, block.stop, strict=True))
            times[block.band][block.plane][box] += 1
        assert all((count == 1).all() for count in times.values())


@given(layouts())
@settings(max_examples=150)
def test_no_block_is_empty_or_larger_than_the_block_shape(layout: BlockLayout) -> None:
    for level in layout.levels:
        for block in layout.blocks(level):
            lengths = np.subtract(block.stop, block.start)
            assert (lengths >= 1).all()
            assert (lengths <= layout.block_shape).all()


@given(layouts())
@settings(max_examples=100)
def test_the_bands_have_as_many_coefficients_as_the_scan_has_voxels(layout: BlockLayout) -> None:
    counts = [np.prod(layout.band_shape(level, band)) for level in layout.levels for band in layout.bands(level)]
    assert sum(counts) == np.prod(layout.pyramid.shape)


@given(layouts())
@settings(max_examples=100)
def test_the_shape_of_a_level_is_that_of_its_steps(layout: BlockLayout) -> None:
    pyramid: Pyramid = layout.pyramid
    for level in range(pyramid.coarsest + 1):
        shape = zip(pyramid.shape, pyramid.steps(level), strict=True)
        assert pyramid.level_shape(level) == tuple(len(range(0, length, step)) for length, step in shape)


@given(encoded_scans())
@settings(max_examples=60)
def test_the_bytes_of_a_level_are_a_prefix_of_those_of_every_finer_one(stored: tuple[Volume, EncodedScan]) -> None:
    _, scan = stored
    data = b"".join(scan.blocks)
    for level, info in enumerate(scan.header.levels):
        numbers = scan.header.layout.numbers(level)
        assert b"".join(scan.blocks[: numbers.stop]) == data[: info.end_byte]
    assert scan.header.levels[0].end_byte == len(data)


@given(encoded_scans(), st.data())
@settings(max_examples=100)
def test_a_plan_wants_each_block_once_in_the_order_of_storage_and_from_its_levels_only(
    stored: tuple[Volume, EncodedScan], data: st.DataObject
) -> None:
    _, scan = stored
    header, layout = scan.header, scan.header.layout
    level, region = data.draw(st.integers(0, header.pyramid.coarsest)), data.draw(boxes(header.pyramid.shape))
    plan = make_plan(header, Request(level=level, region=region))
    assert set(plan.windows) == set(range(level, header.pyramid.coarsest + 1))
    wanted = [block.number for at in layout.levels if at >= level for block in Reconstruction(header, plan).wanted(at)]
    assert wanted == sorted(set(wanted))
    assert wanted[-1] < layout.numbers(level).stop
