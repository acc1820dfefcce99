"""Planes in space into a stack of planes.

The rule: positions and directions decide, never instance numbers; a stack is taken only if its planes are parallel, no
two in one place, evenly spaced and one exactly above the other. Otherwise the reason is said. Pure: knows no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mist.errors import SourceRefused

Vector = tuple[float, float, float]
"""(x, y, z) in LPS millimetres."""

POSITION_TOLERANCE_MM = 0.02
"""How far a plane may lie from its place in an even stack: what rounding to two decimals does; less than any voxel."""

TILT_TOLERANCE_DEGREES = 0.1
"""How far the way from plane to plane may lean from the planes' normal. A stack of 300 mm then shears by half a
millimetre, about a voxel, and its affine still says so; a tilted gantry leans by several degrees."""

DIRECTION_TOLERANCE = 1e-3
"""How far direction cosines may be from unit length, from a right angle, and from those of a parallel plane: what
rounding to four decimals does."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Where one image lies.

    Raises
    ------
    SourceRefused
        The orientation is not two directions at right angles.
    """

    name: str
    """What the plane is called in messages."""
    position_mm: Vector
    """Image Position (Patient): the centre of the first pixel."""
    orientation: tuple[float, ...]
    """Image Orientation (Patient): the direction in which a row runs, then that of a column; (6,)."""

    def __post_init__(self) -> None:
        row, column = self.orientation[:3], self.orientation[3:]
        errors = (_dot(row, row) - 1, _dot(column, column) - 1, _dot(row, column))
        if max(map(abs, errors)) > DIRECTION_TOLERANCE:
            found = list(self.orientation)
            raise SourceRefused(
                f"{self.name}: Image Orientation (Patient) is no pair of directions at right angles: {found}; "
                "correct the header"
            )

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """Unit vector, (3,), from a plane to the next: row direction x column direction."""
        row, column = np.asarray(self.orientation, dtype=np.float64).reshape(2, 3)
        normal = np.cross(row, column)
        return np.asarray(normal / np.linalg.norm(normal))

    def is_parallel_to(self, other: Plane) -> bool:
        """Whether rows and columns run the same way as those of `other`."""
        pairs = zip(self.orientation, other.orientation, strict=True)
        return all(abs(ours - theirs) <= DIRECTION_TOLERANCE for ours, theirs in pairs)


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    """For vectors of three, for which NumPy takes ten times as long."""
    return sum(ours * theirs for ours, theirs in zip(one, other, strict=True))


@dataclass(frozen=True, slots=True)
class Stack:
    """Planes in the order in which they lie."""

    order: tuple[int, ...]
    """The places of the planes in the sequence that they came from, along the normal."""
    position_mm: Vector
    """Of the first plane."""
    orientation: tuple[float, ...]
    """Of the first plane."""
    step_mm: Vector
    """From one plane to the next."""


def stack_planes(planes: Sequence[Plane]) -> Stack:
    """The stack that two or more `planes` make.

    Raises
    ------
    SourceRefused
        They are not parallel, two lie in one place, one is missing, spacing varies, or the gantry was tilted.
    """
    first = planes[0]
    askew = [plane.name for plane in planes if not plane.is_parallel_to(first)]
    if askew:
        raise SourceRefused(f"slices are not parallel: {first.name} and {askew[0]}; split the series by direction")
    heights = np.array([plane.position_mm for plane in planes]) @ first.normal
    order = tuple(int(place) for place in np.argsort(heights, kind="stable"))
    ordered = [planes[place] for place in order]
    _require_even(ordered, heights[list(order)])
    step = _step_mm(ordered)
    _require_straight(ordered, step)
    return Stack(order, ordered[0].position_mm, ordered[0].orientation, step)


def is_even(planes: Sequence[Plane]) -> bool:
    """Whether parallel `planes` lie at equal distances along their normal, wherever their corners are."""
    heights = np.sort(np.array([plane.position_mm for plane in planes]) @ planes[0].normal)
    even = np.linspace(heights[0], heights[-1], len(heights))
    is_apart = bool(np.diff(heights).min(initial=np.inf) > POSITION_TOLERANCE_MM)
    return is_apart and bool(np.abs(heights - even).max() <= POSITION_TOLERANCE_MM)


def _step_mm(planes: Sequence[Plane]) -> Vector:
    ends = np.array([planes[0].position_mm, planes[-1].position_mm])
    x, y, z = (ends[1] - ends[0]) / (len(planes) - 1)
    return float(x), float(y), float(z)


def _require_even(planes: Sequence[Plane], heights: npt.NDArray[np.float64]) -> None:
    """Refuse planes whose ascending `heights` (mm) along the normal repeat or are unevenly spaced."""
    steps = np.diff(heights)
    nearest = int(steps.argmin())
    if steps[nearest] <= POSITION_TOLERANCE_MM:
        raise SourceRefused(
            f"several slices lie in one place (duplicates, time points or echoes in one series): "
            f"{planes[nearest].name} and {planes[nearest + 1].name}; give each of them a series of its own"
        )
    even = np.linspace(heights[0], heights[-1], len(heights))
    if np.abs(heights - even).max() > POSITION_TOLERANCE_MM:
        raise SourceRefused(_unevenness(planes, steps))


def _unevenness(planes: Sequence[Plane], steps: npt.NDArray[np.float64]) -> str:
    """What is wrong with `steps` (mm) that differ: slices are missing, or spacing varies."""
    usual = float(np.median(steps))
    widest = int(steps.argmax())
    between = f"{steps[widest]:.4g} mm lie between {planes[widest].name} and {planes[widest + 1].name}"
    multiples = steps / usual
    if np.abs(multiples - np.rint(multiples)).max() * usual <= 2 * POSITION_TOLERANCE_MM:
        missing = round(float(multiples.sum())) - len(steps)
        counted = f"{missing} slice{'s are' if missing > 1 else ' is'} missing"
        return f"{counted}: {between}, {usual:.4g} mm between others; fetch the whole series again"
    varies = f"slice spacing varies from {steps.min():.4g} to {steps.max():.4g} mm"
    return f"{varies}: {between}; split the series where it changes, or resample it"


def _require_straight(planes: Sequence[Plane], step_mm: Vector) -> None:
    """Refuse planes that do not lie one exactly above the other."""
    step = np.asarray(step_mm)
    cosine = float(step @ planes[0].normal / np.linalg.norm(step))
    tilt_degrees = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    if tilt_degrees > TILT_TOLERANCE_DEGREES:
        raise SourceRefused(
            f"the gantry was tilted: slices are shifted by {tilt_degrees:.3g} degrees against their normal, "
            f"and more than {TILT_TOLERANCE_DEGREES} is not taken; resample the series without tilt first"
        )
    places = np.array([plane.position_mm for plane in planes])
    line = places[0] + np.arange(len(planes))[:, None] * step
    distances = np.linalg.norm(places - line, axis=1)
    worst = int(distances.argmax())
    if distances[worst] > POSITION_TOLERANCE_MM:
        raise SourceRefused(
            f"slices are shifted sideways: {planes[worst].name} by {distances[worst]:.4g} mm; split the series"
        )
