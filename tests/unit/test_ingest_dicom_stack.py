from __future__ import annotations

import numpy as np
import pytest

from mist.errors import SourceRefused
from mist.ingest.dicom_stack import Plane, stack_planes

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)


def planes_at(*heights_mm: float, orientation: tuple[float, ...] = AXIAL, drift: float = 0.0) -> list[Plane]:
    """Planes at heights along their normal, shifted along a row by `drift` times the height."""
    row, column = np.reshape(orientation, (2, 3))
    ways = np.cross(row, column) + drift * row
    places = [np.array([10.0, -20.0, 30.0]) + height * ways for height in heights_mm]
    return [Plane(f"s{i}", (float(x), float(y), float(z)), orientation) for i, (x, y, z) in enumerate(places)]


def test_planes_are_sorted_by_their_place_along_the_normal() -> None:
    stack = stack_planes(planes_at(6, 0, 3, orientation=OBLIQUE))

    assert stack.order == (1, 2, 0)


def test_the_step_leads_from_plane_to_plane() -> None:
    stack = stack_planes(planes_at(0, 2.5, 5, orientation=OBLIQUE))

    row, column = np.reshape(OBLIQUE, (2, 3))
    assert stack.step_mm == pytest.approx(tuple(2.5 * np.cross(row, column)))
    assert stack.position_mm == (10.0, -20.0, 30.0)


def test_positions_rounded_to_two_decimals_are_even_enough() -> None:
    heights = [round(i * 0.668, 2) for i in range(200)]

    stack = stack_planes(planes_at(*heights))

    assert stack.step_mm[2] == pytest.approx(0.668, abs=1e-4)


@pytest.mark.parametrize(
    ("planes", "reason"),
    [
        (planes_at(0, 1, 2, 2, 3), "several slices lie in one place .*: s2 and s3"),
        (planes_at(0, 1, 2, 4, 5, 6), "1 slice is missing: 2 mm lie between s2 and s3, 1 mm between others"),
        (planes_at(0, 1, 2, 5, 6, 7), "2 slices are missing"),
        (planes_at(0, 1, 2.1, 3.1), "slice spacing varies from 1 to 1.1 mm"),
        (planes_at(0, 1, 2, drift=0.2), r"the gantry was tilted: .* 11.3 degrees"),
        ([*planes_at(0, 1), Plane("bent", (10, -20, 32), (0, 1, 0, 0, 0, 1))], "not parallel: s0 and bent"),
        ([*planes_at(0, 1), Plane("aside", (10, -19, 32), AXIAL), *planes_at(3)], "shifted sideways: aside by 1 mm"),
    ],
)
def test_planes_that_make_no_even_stack_are_refused_with_the_reason(planes: list[Plane], reason: str) -> None:
    with pytest.raises(SourceRefused, match=reason):
        stack_planes(planes)


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0.1, 1, 0), (2, 0, 0, 0, 1, 0), (0, 0, 0, 0, 0, 0)])
def test_directions_that_are_not_at_right_angles_are_refused(orientation: tuple[float, ...]) -> None:
    with pytest.raises(SourceRefused, match="no pair of directions at right angles"):
        Plane("slice", (0, 0, 0), orientation)
