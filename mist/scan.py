"""What a reader must know of a stored scan, and how it is written down.

The rule: a `ScanHeader` is all that it takes to plan a read, to check what comes back and to build the voxels; it fits
in one catalog row and stands as attributes in the scan's `zarr.json`. Knows nothing of stores.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self, cast

import numpy as np

from mist.blocks import BlockLayout
from mist.codec import CODEC_NAME, Json
from mist.colour import CHANNELS, Colour, colour_range
from mist.errors import InvalidRequest
from mist.geometry import Geometry, Space
from mist.json_value import fields_of, items, number, record, text, whole
from mist.pyramid import Pyramid, Triple
from mist.samples import SampleMap
from mist.volume import AXES, Rescale, plane_counts, spatial_shape
from mist.wavelet import Wavelet, coefficient_dtype, wavelet_named

FORMAT_VERSION = 1
"""Version of the stored format: a reader refuses versions that it does not know."""

MOST_BLOCKS = 1 << 22
"""The most blocks of a scan, some 10^11 voxels in blocks of the usual size: bounds what a hostile header may take."""


@dataclass(frozen=True, slots=True)
class Display:
    """How the source wishes to be shown (DICOM PS3.3 C.11.2 and C.7.6.3.1.2)."""

    window_center: float | None = None
    """Middle of the window, in physical values; None where the source names no window."""
    window_width: float | None = None
    """Width of the window, in physical values; above 0."""
    inverted: bool = False
    """Whether the least value is shown white (MONOCHROME1)."""

    def __post_init__(self) -> None:
        center, width = self.window_center, self.window_width
        if (center is None) != (width is None):
            raise InvalidRequest(f"a window needs both a center and a width, not {center} and {width}")
        if center is not None and width is not None and not (math.isfinite(center) and 0 < width < math.inf):
            raise InvalidRequest(f"a window needs a finite center and a width above 0, not {center} and {width}")


@dataclass(frozen=True, slots=True)
class StoredLevel:
    """Where a level ends in the object of blocks, and its digest."""

    end_byte: int
    """The level is the bytes [0, end_byte) of the object: its own blocks and those of all coarser levels."""
    digest: str
    """SHA-256, hex, of the level's part of the block table: see `mist.block_table.table_entry`."""


@dataclass(frozen=True, slots=True)
class LevelInfo:
    """One resolution of a scan."""

    level: int
    """0 is full resolution; each further level is one halving."""
    shape: tuple[int, ...]
    """Shape of the voxels, in the scan's axes."""
    spacing_mm: tuple[float, ...] | None
    """Spacing along the scan's spatial axes, or None where the source does not tell."""
    end_byte: int
    """Where the level's prefix ends in the object of blocks: what reading the level costs."""


@lru_cache(maxsize=4096)
def _layout(axes: str, shape: tuple[int, ...], halved: tuple[str, ...], block_shape: Triple, words: int) -> BlockLayout:
    """Made once for all scans of one shape: planning a read asks for it many times."""
    frames, channels = plane_counts(axes, shape)
    return BlockLayout(Pyramid(spatial_shape(axes, shape), halved), frames * channels * words, block_shape)


@dataclass(frozen=True, slots=True)
class ScanHeader:
    """What a reader must know of a stored scan.

    Parameters
    ----------
    axes, shape
        As of `mist.volume.Volume`, at level 0.
    samples
        How source samples are held as integers.
    colour
        How channels are held as planes.
    geometry, rescale, display
        Where voxels lie, what they measure and how they are shown.
    wavelet
        Name of the wavelet.
    halved
        The axes that each level halves, finest first.
    block_shape
        Lengths of a block (z, y, x).
    levels
        Where each level ends, level 0 first.

    Raises
    ------
    InvalidRequest
        The parts contradict each other.
    """

    axes: str
    shape: tuple[int, ...]
    samples: SampleMap
    colour: Colour
    geometry: Geometry
    rescale: Rescale
    display: Display
    wavelet: str
    halved: tuple[str, ...]
    block_shape: Triple
    levels: tuple[StoredLevel, ...]

    def __post_init__(self) -> None:
        if self.axes not in AXES or len(self.shape) != len(self.axes) or min(self.shape) < 1:
            raise InvalidRequest(f"not a scan: axes {self.axes!r}, shape {self.shape}")
        if self.colour is Colour.REVERSIBLE and plane_counts(self.axes, self.shape)[1] != CHANNELS:
            raise InvalidRequest(f"not a scan: {self.colour} colours, axes {self.axes!r}, shape {self.shape}")
        wavelet_named(self.wavelet)
        self._check_levels()

    def _check_levels(self) -> None:
        layout, ends = self.layout, [level.end_byte for level in self.levels]
        if layout.count > MOST_BLOCKS:
            raise InvalidRequest(f"not a scan: {layout.count} blocks, more than {MOST_BLOCKS}")
        spans = enumerate(zip([*ends[1:], 0], ends, strict=True))
        if len(ends) != len(self.halved) + 1 or any(b - a < len(layout.numbers(level)) for level, (a, b) in spans):
            raise InvalidRequest(f"not a scan: {len(self.halved)} halvings, levels that end at bytes {ends}")

    @property
    def pyramid(self) -> Pyramid:
        """The levels: their shapes and steps."""
        return self.layout.pyramid

    @property
    def layout(self) -> BlockLayout:
        """How the levels are cut into blocks."""
        return _layout(self.axes, self.shape, self.halved, self.block_shape, 1 + self.samples.is_wide)

    @property
    def lifting(self) -> Wavelet:
        """The wavelet itself."""
        return wavelet_named(self.wavelet)

    @property
    def coefficients(self) -> np.dtype[np.signedinteger]:
        """The dtype of the stored blocks."""
        return coefficient_dtype(*colour_range(self.colour, *self.samples.stored_range))

    def level_info(self, level: int) -> LevelInfo:
        """Shape, spacing and cost of `level`."""
        lengths = dict(zip("zyx", self.pyramid.level_shape(level), strict=True))
        shape = tuple(lengths.get(axis, length) for axis, length in zip(self.axes, self.shape, strict=True))
        spacing = dict(zip("zyx", self.pyramid.level_geometry(level, self.geometry).spacing, strict=True))
        known = tuple(spacing[axis] for axis in self.axes if axis in spacing) if self.geometry.in_millimetres else None
        return LevelInfo(level, shape, known, self.levels[level].end_byte)

    def to_json(self) -> dict[str, Json]:
        """The header as JSON, for `from_json`."""
        return {
            "version": FORMAT_VERSION,
            "axes": self.axes,
            "shape": list(self.shape),
            "samples": cast("Json", fields_of(self.samples) | {"values": [*self.samples.values]}),
            "colour": self.colour.value,
            "affine": cast("Json", self.geometry.affine.tolist()),
            "space": self.geometry.space.value,
            "rescale": cast("Json", fields_of(self.rescale)),
            "display": cast("Json", fields_of(self.display)),
            "wavelet": self.wavelet,
            "halved": list(self.halved),
            "block_shape": list(self.block_shape),
            "codec": CODEC_NAME,
            "levels": cast("Json", [fields_of(level) for level in self.levels]),
        }

    @classmethod
    def from_json(cls, header: Mapping[str, object]) -> Self:
        """The header that `to_json` wrote.

        Raises
        ------
        InvalidRequest
            It is of another version or codec, or not a header.
        """
        if header.get("version") != FORMAT_VERSION or header.get("codec") != CODEC_NAME:
            raise InvalidRequest(
                f"the scan is stored as format {header.get('version')}, codec {header.get('codec')!r}; "
                f"this MIST reads format {FORMAT_VERSION}, codec {CODEC_NAME!r}"
            )
        try:
            return cls._from_fields(header)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InvalidRequest(f"not the header of a scan: {error!r}") from None

    @classmethod
    def _from_fields(cls, header: Mapping[str, object]) -> Self:
        z, y, x = map(whole, items(header["block_shape"]))
        affine = np.array([[number(value) for value in items(row)] for row in items(header["affine"])])
        return cls(
            axes=text(header["axes"]),
            shape=tuple(map(whole, items(header["shape"]))),
            samples=record(SampleMap, header["samples"]),
            colour=Colour(text(header["colour"])),
            geometry=Geometry(affine, Space(text(header["space"]))),
            rescale=record(Rescale, header["rescale"]),
            display=record(Display, header["display"]),
            wavelet=text(header["wavelet"]),
            halved=tuple(map(text, items(header["halved"]))),
            block_shape=(z, y, x),
            levels=tuple(record(StoredLevel, level) for level in items(header["levels"])),
        )


def canonical_json(value: Json) -> bytes:
    """`value` as JSON with one spelling only: sorted keys, no spaces, UTF-8; what digests are taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def hex_digest(data: bytes | memoryview) -> str:
    """SHA-256 of `data`, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()
