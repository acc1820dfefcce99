"""What the catalog says of a scan, as commands print it."""

from __future__ import annotations

from mist.console import size
from mist.scan import LevelInfo
from mist_storage.catalog_row import CatalogRow

_INTERNAL = ("header", "level_shapes", "level_end_bytes")
"""Columns that are shown in another form."""


def listed(row: CatalogRow) -> dict[str, object]:
    """A scan as a row of a list of scans."""
    full = row.header.level_info(0)
    return {
        "scan": row.scan_id,
        "modality": row.modality,
        "axes": row.header.axes,
        "shape": " x ".join(map(str, full.shape)),
        "spacing (mm)": _spacing(full),
        "type": row.header.samples.dtype,
        "levels": len(row.header.levels),
        "stored": size(row.stored_bytes),
        **row.labels,
    }


def facts(row: CatalogRow) -> dict[str, object]:
    """What is known of a scan, by name."""
    origin = row.header.geometry.affine[:3, 3]
    return {
        **{name: value for name, value in listed(row).items() if name != "scan"},
        "body part": row.body_part,
        "geometry": row.header.geometry.space.value,
        "first voxel (LPS mm)": ", ".join(f"{length:.3f}" for length in origin),
        "wavelet": row.header.wavelet,
        "mask": row.mask,
        "mask of": row.mask_of,
        "source": f"{size(row.source_bytes)}, SHA-256 {row.source_sha256}",
        "digest": row.digest,
    }


def level_facts(row: CatalogRow, level: int) -> dict[str, object]:
    """A level as a row of a list of levels."""
    info = row.header.level_info(level)
    share = info.end_byte / row.header.levels[0].end_byte
    shape = " x ".join(map(str, info.shape))
    return {
        "level": level,
        "shape": shape,
        "spacing (mm)": _spacing(info),
        "bytes": info.end_byte,
        "of all": f"{share:.1%}",
    }


def described(row: CatalogRow) -> dict[str, object]:
    """A scan as JSON."""
    levels = [row.header.level_info(level) for level in range(len(row.header.levels))]
    return {
        **{name: value for name, value in row.to_columns().items() if name not in _INTERNAL},
        "affine": row.header.geometry.affine.tolist(),
        "space": row.header.geometry.space.value,
        "levels": [
            {"level": info.level, "shape": info.shape, "spacing_mm": info.spacing_mm, "end_byte": info.end_byte}
            for info in levels
        ],
    }


def _spacing(info: LevelInfo) -> str:
    return "" if info.spacing_mm is None else " x ".join(f"{length:.3g}" for length in info.spacing_mm)
