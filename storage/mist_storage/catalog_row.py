"""One row of a catalog: what a dataset says of one scan.

The rule: the row alone suffices to find, plan and check a scan; the digest in it must be that of the header in it, so
that an altered header is never believed. Knows columns, not tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import polars as pl

from mist.errors import ScanCorrupt
from mist.scan import ScanHeader, canonical_json
from mist_storage.zarr_shard import header_digest

Label = str | int | float | bool | None
"""A value of a label column."""

SCHEMA: Final[dict[str, Any]] = {
    "scan_id": pl.String,
    "digest": pl.String,
    "modality": pl.String,
    "body_part": pl.String,
    "axes": pl.String,
    "shape": pl.List(pl.Int64),
    "spacing_mm": pl.List(pl.Float64),
    "dtype": pl.String,
    "level_shapes": pl.List(pl.List(pl.Int64)),
    "level_end_bytes": pl.List(pl.Int64),
    "mask": pl.String,
    "mask_of": pl.String,
    "source_sha256": pl.String,
    "source_bytes": pl.Int64,
    "stored_bytes": pl.Int64,
    "header": pl.String,
}
"""The catalog's own columns and their types."""

RESERVED_COLUMNS = frozenset(SCHEMA)
"""The catalog's own columns, which labels must not be called."""

_OWN_FIELDS = (
    "scan_id",
    "digest",
    "modality",
    "body_part",
    "mask",
    "mask_of",
    "source_sha256",
    "source_bytes",
    "stored_bytes",
)


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """What the catalog says of a scan."""

    scan_id: str
    digest: str
    """The digest under which the scan's objects lie: see `mist_storage.zarr_shard.scan_digest`."""
    header: ScanHeader
    modality: str
    """DICOM's Modality, such as `CT`; empty where the source is silent."""
    body_part: str
    """DICOM's Body Part Examined, such as `CHEST`; empty where the source is silent."""
    mask: str | None
    """The scan that is this scan's label mask."""
    mask_of: str | None
    """The scan whose label mask this scan is."""
    source_sha256: str
    """Digest over the source files, by which an unchanged source is known again."""
    source_bytes: int
    """Size of the source files."""
    stored_bytes: int
    """Size of the scan's objects."""
    labels: Mapping[str, Label] = field(default_factory=dict)
    """The label columns; None where the scan has no value."""

    def to_columns(self) -> dict[str, object]:
        """The row as columns."""
        header = self.header
        infos = [header.level_info(level) for level in range(len(header.levels))]
        derived: dict[str, object] = {
            "axes": header.axes,
            "shape": list(header.shape),
            "spacing_mm": infos[0].spacing_mm and list(infos[0].spacing_mm),
            "dtype": header.samples.dtype,
            "level_shapes": [list(info.shape) for info in infos],
            "level_end_bytes": [info.end_byte for info in infos],
            "header": canonical_json(header.to_json()).decode(),
        }
        return {**self.labels, **derived, **{name: getattr(self, name) for name in _OWN_FIELDS}}

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> Self:
        """The row that `to_columns` made.

        Raises
        ------
        ScanCorrupt
            The header is not the one that the digest was taken of.
        InvalidRequest
            The header is of another version of the format.
        """
        labels = {name: value for name, value in columns.items() if name not in RESERVED_COLUMNS}
        try:
            header = ScanHeader.from_json(json.loads(columns["header"]))
        except json.JSONDecodeError as error:
            raise ScanCorrupt(columns["scan_id"], None, f"its catalog row holds no header: {error}") from None
        if not columns["digest"].startswith(header_digest(header)):
            raise ScanCorrupt(columns["scan_id"], None, f"its catalog row does not fit its digest {columns['digest']}")
        return cls(header=header, labels=labels, **{name: columns[name] for name in _OWN_FIELDS})
