"""What hypothesis draws: volumes of every kind, ways to store them, regions of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from mist.geometry import SPATIAL_AXES, Geometry, Space
from mist.pyramid import Pyramid, Triple
from mist.request import Box
from mist.volume import AXES, Volume, Voxels
from mist.wavelet import WAVELETS
from tests.encoded_scan import EncodedScan, encode_scan

INTEGER_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32")
CONTENTS = ("constant", "noise", "full range", "edges", "ramp")

_MOST_VOXELS = 6000
_SEEDS = st.integers(0, 2**32 - 1)


def shapes(axes: str) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes with `axes`: single voxels, odd lengths, long and thin ones, none of them large."""
    lengths = {"t": st.integers(1, 3), "c": st.sampled_from([1, 2, 3]), "x": st.integers(1, 70)}
    shape = st.tuples(*(lengths.get(axis, st.integers(1, 40)) for axis in axes))
    return shape.filter(lambda lengths: int(np.prod(lengths)) <= _MOST_VOXELS)


@st.composite
def voxels(draw: st.DrawFn, shape: tuple[int, ...], dtypes: tuple[str, ...]) -> Voxels:
    """Samples of `shape`: all alike, noise of few or of all bits, both extremes side by side, or a ramp."""
    dtype, content = np.dtype(draw(st.sampled_from(dtypes))), draw(st.sampled_from(CONTENTS))
    rng = np.random.default_rng(draw(_SEEDS))
    if dtype.kind == "f":
        return _floats(rng, shape, content)
    bounds = np.iinfo(dtype.name)
    least, greatest = int(bounds.min), int(bounds.max)
    made: dict[str, Callable[[], npt.NDArray[np.integer]]] = {
        "constant": lambda: np.full(shape, draw(st.integers(least, greatest))),
        "noise": lambda: rng.integers(0, 2 ** draw(st.integers(1, 7)), shape),
        "full range": lambda: rng.integers(least, greatest, shape, endpoint=True),
        "edges": lambda: rng.choice([least, greatest], shape),
        "ramp": lambda: np.arange(np.prod(shape)).reshape(shape) % greatest,
    }
    return made[content]().astype(dtype)


def _floats(rng: np.random.Generator, shape: tuple[int, ...], content: str) -> Voxels:
    made: dict[str, Callable[[], npt.NDArray[np.floating]]] = {
        "constant": lambda: np.full(shape, rng.normal()),
        "noise": lambda: rng.integers(-1000, 1000, shape) * rng.random(),
        "full range": lambda: rng.integers(0, 2**32, shape, dtype=np.uint32).view(np.float32),
        "edges": lambda: rng.choice([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-45, 3e38], shape),
        "ramp": lambda: np.arange(np.prod(shape)).reshape(shape) * 0.1 - 3,
    }
    return np.asarray(made[content](), np.float32)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Oblique grids of unequal spacing, away from the origin."""
    rng = np.random.default_rng(draw(_SEEDS))
    directions, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = directions * rng.uniform(0.2, 5, 3)
    affine[:3, 3] = rng.uniform(-500, 500, 3)
    return Geometry(affine, Space.PATIENT)


@st.composite
def volumes(draw: st.DrawFn, dtypes: tuple[str, ...] = (*INTEGER_DTYPES, "float32")) -> Volume:
    """Volumes with any axes."""
    axes = draw(st.sampled_from(AXES))
    return Volume(draw(voxels(draw(shapes(axes)), dtypes)), axes, draw(geometries()))


@st.composite
def pyramids(draw: st.DrawFn, shape: Triple) -> Pyramid:
    """Levels of `shape` that halve any axes in any turn, up to five times."""
    halved: list[str] = []
    for _ in range(draw(st.integers(0, 5))):
        lengths = Pyramid(shape, tuple(halved)).level_shape(len(halved))
        axes = [axis for axis, length in zip(SPATIAL_AXES, lengths, strict=True) if length > 1]
        chosen = draw(st.sets(st.sampled_from(axes))) if axes else set()
        if not chosen:
            break
        halved.append("".join(axis for axis in SPATIAL_AXES if axis in chosen))
    return Pyramid(shape, tuple(halved))


block_shapes = st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 40))


@st.composite
def encoded_scans(
    draw: st.DrawFn,
    volumes: st.SearchStrategy[Volume] = volumes(),  # noqa: B008 - a strategy is a value
    wavelets: tuple[str, ...] = tuple(WAVELETS),
) -> tuple[Volume, EncodedScan]:
    """A volume and how it would be stored: any wavelet, levels and blocks."""
    volume = draw(volumes)
    halved = draw(pyramids(volume.spatial_shape)).halved
    return volume, encode_scan(volume, draw(st.sampled_from(wavelets)), halved, draw(block_shapes))


@st.composite
def boxes(draw: st.DrawFn, shape: Triple) -> Box:
    """Regions of an array of `shape`."""
    starts = [draw(st.integers(0, length - 1)) for length in shape]
    stops = [draw(st.integers(start + 1, length)) for start, length in zip(starts, shape, strict=True)]
    return Box((starts[0], starts[1], starts[2]), (stops[0], stops[1], stops[2]))
