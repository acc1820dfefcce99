"""What the pages of a TIFF file are: slices, frames, and how far apart their pixels lie.

The rule: OME-XML and ImageJ's description are believed where they say one thing that a volume can be: slices (Z), time
points (T), both, or one image. Channels, several images and whatever does not fit the pages are refused. Pages of which
nothing is said are frames. Lengths in other tags are not read: they nearly always hold the printer's 72 dots an inch.
Knows nothing of samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from tifffile import TiffFile, TiffPage, TiffPageSeries, xml2dict

from mist.errors import SourceRefused
from mist.geometry import Geometry, geometry_from_spacing, geometry_of_indices

UNKNOWN_DISTANCE_MM = 1.0
"""Between the slices of an image that has one."""

_AXES = {"Z": "z", "T": "t", "TZ": "tz"}
"""tifffile's names of what pages are together, and a volume's."""

_UNNAMED = frozenset("IQ")
"""tifffile's names of axes of which the file says nothing."""

_NAMES = {"C": "channels", "T": "time points", "Z": "slices", "S": "samples"}

_MILLIMETRES = {
    "m": 1e3,
    "meter": 1e3,
    "dm": 1e2,
    "cm": 10.0,
    "mm": 1.0,
    "millimeter": 1.0,
    "\u00b5m": 1e-3,
    "\u03bcm": 1e-3,
    "\\u00B5m": 1e-3,
    "um": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
    "micrometer": 1e-3,
    "nm": 1e-6,
    "nanometer": 1e-6,
    "pm": 1e-9,
    "\u00c5": 1e-7,
    "\u212b": 1e-7,
    "in": 25.4,
    "inch": 25.4,
}
"""Units of length, as OME-XML (UnitsLength) and ImageJ spell them."""

_NO_LENGTHS = frozenset({"", "pixel", "pixels", "reference frame"})
"""What stands in their place where sizes are of no known length."""

_OME_UNIT = "\u00b5m"
"""The unit of OME-XML where it names none (OME 2016-06, Pixels)."""


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages of a file are."""

    axes: str
    """The volume's axes in front of a page's own: empty for one page."""
    shape: tuple[int, ...]
    """How many pages along each of them, the last one running fastest."""
    geometry: Geometry
    """How far apart pixels and slices are."""


def pages_of(tiff: TiffFile, first: TiffPage, count: int) -> Pages:
    """What the `count` pages of `tiff` are, which are all like the `first`.

    Raises
    ------
    SourceRefused
        They are what no volume is, several images, or not what the file says.
    """
    every = tiff.series
    _require_all(sum(series.size for series in every) // first.size, count)
    if not (tiff.is_ome or tiff.is_imagej or any(set(_leading(series, first)) - _UNNAMED for series in every)):
        return _frames(count)
    series = _only(tiff, every, first)
    named = _leading(series, first)
    if set(named) <= _UNNAMED:
        return replace(_frames(count), geometry=_geometry(tiff, first, has_slices=False))
    if named not in _AXES:
        raise SourceRefused(
            f"its pages are {_said(series, first)}; slices (Z), time points (T), or both (TZ) are taken: save each "
            "other one as a file"
        )
    geometry = _geometry(tiff, first, has_slices="Z" in named)
    return Pages(_AXES[named], _counts(series, first), geometry)


def description_of(pages: Pages, page: TiffPage) -> str | None:
    """OME-XML that says of `pages`, all like `page`, what they are and nothing else; None where nothing is known."""
    if pages.axes in ("", "t") and not pages.geometry.in_millimetres:
        return None
    counts = dict(zip(pages.axes, pages.shape, strict=True))
    sizes = {"X": page.imagewidth, "Y": page.imagelength, "Z": counts.get("z", 1), "T": counts.get("t", 1)}
    said: dict[str, object] = {f"Size{axis}": size for axis, size in (sizes | {"C": page.samplesperpixel}).items()}
    if pages.geometry.in_millimetres:
        for axis, size in zip("ZYX", pages.geometry.spacing, strict=True):
            said |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "mm"}
    dtype = np.dtype(page.dtype).name
    said |= {"DimensionOrder": "XYCZT", "Type": {"float32": "float", "float64": "double"}.get(dtype, dtype)}
    attributes = " ".join(f'{name}="{value}"' for name, value in said.items())
    return (
        f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        f'{attributes}><Channel ID="Channel:0:0" SamplesPerPixel="{page.samplesperpixel}"/><TiffData IFD="0" '
        f'PlaneCount="{math.prod(pages.shape)}"/></Pixels></Image></OME>'
    )


def _frames(count: int) -> Pages:
    """Pages of which nothing is said."""
    return Pages("t", (count,), geometry_of_indices()) if count > 1 else Pages("", (), geometry_of_indices())


def _leading(series: TiffPageSeries, page: TiffPage) -> str:
    """The names of a series' axes in front of those of a page."""
    return series.axes[: max(0, len(series.axes) - len(page.axes))]


def _counts(series: TiffPageSeries, page: TiffPage) -> tuple[int, ...]:
    return series.shape[: len(_leading(series, page))]


def _said(series: TiffPageSeries, page: TiffPage) -> str:
    pairs = zip(_leading(series, page), _counts(series, page), strict=True)
    return " x ".join(f"{count} {_NAMES.get(letter, letter)}" for letter, count in pairs)


def _only(tiff: TiffFile, every: list[TiffPageSeries], first: TiffPage) -> TiffPageSeries:
    """The one series of a file that describes itself, if its pages are the file's, in their order."""
    if len(every) > 1:
        raise SourceRefused(f"it holds {len(every)} images (series, scenes); save each one as a file")
    (series,) = every
    expected = "ome" if tiff.is_ome else "imagej" if tiff.is_imagej else series.kind
    if series.kind != expected or not series.axes.endswith(first.axes):
        what = "OME-XML" if tiff.is_ome else "description"
        raise SourceRefused(f"its {what} is damaged, does not fit its pages or names other files; save it anew, as one")
    if tiff.is_ome and [page.index if page else -1 for page in series.pages] != [*range(len(series.pages))]:
        raise SourceRefused("its OME-XML puts its pages in another order than the file has them; save it anew")
    return series


def _require_all(said: int, count: int) -> None:
    """Refuse a file that has planes behind its last page, or pages that its description leaves out."""
    if said != count:
        raise SourceRefused(f"it describes {said} planes, and has {count} pages; save it anew, a page a plane")


def _geometry(tiff: TiffFile, first: TiffPage, *, has_slices: bool) -> Geometry:
    """The distances that a file gives, if it gives all of them; half of them make no place."""
    x, y, z = _ome_sizes(tiff) if tiff.is_ome else _imagej_sizes(tiff, first) if tiff.is_imagej else (None,) * 3
    if not has_slices:
        z = UNKNOWN_DISTANCE_MM
    if x is None or y is None or z is None:
        return geometry_of_indices()
    return geometry_from_spacing((z, y, x))


Sizes = tuple[float | None, float | None, float | None]
"""Distances along x, y and z in millimetres; None where they are not said."""


def _ome_sizes(tiff: TiffFile) -> Sizes:
    """What OME-XML says of its one image."""
    image = xml2dict(tiff.ome_metadata or "")["OME"]["Image"]
    if not isinstance(image, Mapping):
        raise SourceRefused(f"it holds {len(image)} images (series, scenes); save each one as a file")
    pixels = image["Pixels"]
    x, y, z = (
        _millimetres(pixels.get(name), str(pixels.get(f"{name}Unit", _OME_UNIT)), name)
        for name in ("PhysicalSizeX", "PhysicalSizeY", "PhysicalSizeZ")
    )
    return x, y, z


def _imagej_sizes(tiff: TiffFile, first: TiffPage) -> Sizes:
    """What ImageJ says: a resolution in pixels a unit for x and y, a spacing in units for z."""
    said = tiff.imagej_metadata or {}
    unit = str(said.get("unit", ""))
    x, y = (_per_pixel(first, name) for name in ("XResolution", "YResolution"))
    return (
        _millimetres(x, unit, "XResolution"),
        _millimetres(y, unit, "YResolution"),
        _millimetres(said.get("spacing"), unit, "spacing"),
    )


def _per_pixel(page: TiffPage, tag: str) -> float | None:
    """The size of a pixel in units: a resolution is a fraction of two integers (TIFF 6.0, RATIONAL)."""
    if tag not in page.tags:
        return None
    pixels, units = page.tags[tag].value
    return units / pixels if pixels else math.inf


def _millimetres(size: object, unit: str, name: str) -> float | None:
    """A size of that unit in millimetres; None where there is none, or of no known length."""
    if size is None or unit in _NO_LENGTHS:
        return None
    if unit not in _MILLIMETRES:
        raise SourceRefused(f"its {name} is in {unit!r}, which is no unit of length that is known; save it in mm")
    if not isinstance(size, (int, float)) or not math.isfinite(size) or size <= 0:
        raise SourceRefused(f"its {name} is {size!r} {unit}, and must be a positive length; correct it")
    return size * _MILLIMETRES[unit]
