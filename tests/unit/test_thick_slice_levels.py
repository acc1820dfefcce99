"""Thick slices: the levels that MIST chooses cost no more than levels without z, or with z from the start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

from mist.geometry import geometry_from_spacing
from mist.volume import Volume
from mist_eval.thick_slices import thick_slices
from mist_eval.volumes import volumes_in
from mist_storage.scan_writer import encode_scan as encode_as_stored
from tests.encoded_scan import encode_scan

SHAPE = (16, 384, 384)
SPACINGS_MM = ((5.0, 0.8, 0.8), (3.0, 0.8, 0.8), (2.0, 0.8, 0.8), (8.0, 0.5, 0.5))

TOLERANCE = 1.01
"""How many times what another choice of levels takes the chosen levels may take."""


def smooth(
    rng: np.random.Generator, reach_mm: float, spacing_mm: tuple[float, float, float]
) -> npt.NDArray[np.float64]:
    """A random field of standard deviation 1 that changes over `reach_mm`."""
    field = gaussian_filter(rng.normal(size=SHAPE), [reach_mm / step for step in spacing_mm])
    return np.asarray(field / field.std())


def patient(spacing_mm: tuple[float, float, float]) -> Volume:
    """Organs with sharp borders, texture and noise, whose structures are as long along z as in the plane."""
    rng = np.random.default_rng(0)
    organs = 60.0 * np.digitize(smooth(rng, 8.0, spacing_mm), [-1.2, -0.4, 0.3, 1.1])
    hounsfield = organs + 15 * smooth(rng, 2.0, spacing_mm) + rng.normal(0, 6, SHAPE)
    return Volume(np.rint(hounsfield).astype(np.int16), "zyx", geometry_from_spacing(spacing_mm))


def stored_bytes(volume: Volume, halved: tuple[str, ...] | None = None) -> int:
    return encode_scan(volume, halved=halved).header.levels[0].end_byte


def from_the_start(volume: Volume, count: int) -> tuple[str, ...]:
    """So many halvings along all axes, z as long as there is more than one slice."""
    depth = volume.spatial_shape[0]
    return tuple("zyx" if depth > 2**level else "yx" for level in range(count))


@pytest.mark.parametrize("spacing_mm", SPACINGS_MM)
def test_thick_slices_take_no_more_bytes_than_with_z_halved_from_the_start_or_never(
    spacing_mm: tuple[float, float, float],
) -> None:
    volume = patient(spacing_mm)
    halvings = len(encode_scan(volume).header.halved)
    assert stored_bytes(volume) < stored_bytes(volume, from_the_start(volume, halvings))
    assert stored_bytes(volume) <= TOLERANCE * stored_bytes(volume, ("yx",) * halvings)


@pytest.mark.parametrize("thick_mm", [3.0, 5.0, 8.0])
@pytest.mark.parametrize("folder", ["ct_series_lidc0314", "mr_series_studyforrest"])
def test_real_slices_made_thick_take_hardly_more_bytes_than_by_any_other_levels(
    shared_data: Path, folder: str, thick_mm: float
) -> None:
    (scan,) = volumes_in(shared_data / folder)
    volume = thick_slices(scan.volume, thick_mm)
    halvings = len(encode_scan(volume).header.halved)
    others = (from_the_start(volume, halvings), ("yx",) * halvings)
    assert all(stored_bytes(volume) <= TOLERANCE * stored_bytes(volume, halved) for halved in others)


def test_which_axes_each_level_halves_stands_in_the_header() -> None:
    stored = encode_as_stored(patient((5.0, 0.8, 0.8))).header
    assert stored.halved == ("yx", "yx", "yx", "zyx")
    assert stored.to_json()["halved"] == ["yx", "yx", "yx", "zyx"]
    spacings = [stored.level_info(level).spacing_mm for level in range(5)]
    assert spacings == [(5, 0.8, 0.8), (5, 1.6, 1.6), (5, 3.2, 3.2), (5, 6.4, 6.4), (10, 12.8, 12.8)]
