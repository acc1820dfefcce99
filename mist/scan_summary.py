"""What the catalog says of a scan, as commands print it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mist.console import size
from mist.geometry import Geometry, Space
from mist.scan import LevelInfo
from mist_storage.catalog_row import CatalogRow
from mist_storage.zarr_shard import shard_bytes, zarr_json

_INTERNAL = ("header", "level_shapes", "level_end_bytes")
"""Columns that are shown in another form."""

_NOTHING = ("", None)


def listed(rows: Sequence[CatalogRow]) -> list[dict[str, object]]:
    """Scans as rows of a list; what is not known of any of them is left out."""
    found = [_with_labels(_in_brief(row), row) for row in rows]
    known = {name for row in found for name, value in row.items() if value not in _NOTHING}
    return [{name: value for name, value in row.items() if name in known} for row in found]


def facts(row: CatalogRow) -> dict[str, object]:
    """What is known of a scan, by name; what is not known is left out."""
    own = {
        **_in_brief(row),
        "body_part": row.body_part,
        "first voxel (LPS mm)": _origin(row.header.geometry),
        "wavelet": row.header.wavelet,
        "mask": row.mask,
        "mask_of": row.mask_of,
        "source": f"{size(row.source_bytes)}, SHA-256 {row.source_sha256}",
        "kept of source": size(kept_bytes(row)),
        "digest": row.digest,
    }
    return {name: value for name, value in _with_labels(own, row).items() if value not in _NOTHING}


def kept_bytes(row: CatalogRow) -> int:
    """What is stored beside the voxels, so that the source files come back."""
    return row.stored_bytes - shard_bytes(row.header) - len(zarr_json(row.header))


def level_facts(row: CatalogRow, level: int) -> dict[str, object]:
    """A level as a row of a list of levels."""
    info = row.header.level_info(level)
    share = info.end_byte / row.header.levels[0].end_byte
    return {
        "level": level,
        "shape": _times(info.shape),
        "spacing_mm": _spacing(info),
        "bytes": info.end_byte,
        "of all": f"{share:.1%}",
    }


def to_json(row: CatalogRow) -> dict[str, object]:
    """All that is known of a scan, as JSON."""
    own = {name: value for name, value in replace(row, labels={}).to_columns().items() if name not in _INTERNAL}
    levels = [row.header.level_info(level) for level in range(len(row.header.levels))]
    return {
        **own,
        "labels": dict(row.labels),
        "space": row.header.geometry.space.value,
        "affine": row.header.geometry.affine.tolist(),
        "levels": [
            {"level": info.level, "shape": info.shape, "spacing_mm": info.spacing_mm, "end_byte": info.end_byte}
            for info in levels
        ],
    }


def _in_brief(row: CatalogRow) -> dict[str, object]:
    """What tells scans apart at a glance, under the names that a condition over the catalog takes where it has them."""
    full = row.header.level_info(0)
    return {
        "scan_id": row.scan_id,
        "modality": row.modality,
        "axes": row.header.axes,
        "shape": _times(full.shape),
        "spacing_mm": _spacing(full),
        "dtype": row.header.samples.dtype,
        "levels": len(row.header.levels),
        "stored": size(row.stored_bytes),
    }


def _with_labels(own: Mapping[str, object], row: CatalogRow) -> dict[str, object]:
    """`own` and the labels of a scan, which may be called as one of `own` is."""
    return {**own, **{f"label {name}" if name in own else name: value for name, value in row.labels.items()}}


def _origin(geometry: Geometry) -> str:
    """Where the first voxel lies in the patient; empty where nobody knows."""
    if geometry.space is not Space.PATIENT:
        return ""
    return ", ".join(f"{length:.3f}" for length in geometry.affine[:3, 3])


def _spacing(info: LevelInfo) -> str:
    return "" if info.spacing_mm is None else _times(info.spacing_mm)


def _times(lengths: Sequence[float]) -> str:
    return " x ".join(f"{length:.3g}" if isinstance(length, float) else str(length) for length in lengths)
