"""What a CSV file says of sources.

The rule: the column `file` names a source, relative to the CSV file; every other column becomes a column of the
catalog; a column whose values are paths of images names each scan's mask. Knows files, not scans.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import polars as pl

from mist.errors import InvalidRequest
from mist.ingest.discover import FoundFile
from mist.ingest.file_format import is_beside_images
from mist_storage.catalog_row import RESERVED_COLUMNS, Label

FILE_COLUMN = "file"
"""The column that names the source."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """What a CSV file says of one source."""

    file: Path
    """The source, absolute."""
    mask: FoundFile | None
    """The image of its mask."""
    labels: Mapping[str, Label]
    """The other columns."""


def read_labels(path: str | Path) -> list[LabelRow]:
    """The rows of the CSV file at `path`; an empty cell is None.

    Raises
    ------
    InvalidRequest
        It cannot be read as CSV, has no column `file`, lists a file twice, has a column of a name that the catalog uses
        itself, several columns of masks, or a mask that does not exist.
    """
    path = Path(path).absolute()
    frame = _read_csv(path)
    files = [path.parent / name for name in frame[FILE_COLUMN]]
    mask_column = _mask_column(frame, path)
    masks = [None] * len(files) if mask_column is None else frame[mask_column].to_list()
    labels = frame.drop([FILE_COLUMN, *([mask_column] if mask_column else [])])
    _require_free(labels.columns, path)
    return [
        LabelRow(file, FoundFile(path.parent / mask, PurePath(mask)) if mask else None, row)
        for file, mask, row in zip(files, masks, _rows(labels, len(files)), strict=True)
    ]


def _rows(labels: pl.DataFrame, count: int) -> Iterable[dict[str, Label]]:
    return labels.iter_rows(named=True) if labels.width else ({} for _ in range(count))


def _read_csv(path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_csv(path, infer_schema_length=None, schema_overrides={FILE_COLUMN: pl.String})
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InvalidRequest(f"{path} cannot be read as CSV: {str(error).splitlines()[0]}") from None
    if FILE_COLUMN not in frame.columns:
        raise InvalidRequest(f"{path} has no column {FILE_COLUMN!r} among {', '.join(frame.columns)}")
    repeated = frame[FILE_COLUMN].filter(frame[FILE_COLUMN].is_duplicated() | frame[FILE_COLUMN].is_null())
    if len(repeated):
        raise InvalidRequest(f"{path}: column {FILE_COLUMN!r} must name each file once; it has {repeated[0]!r} again")
    return frame


def _require_free(names: Sequence[str], path: Path) -> None:
    taken = [name for name in names if name.lower() in RESERVED_COLUMNS]
    if taken:
        raise InvalidRequest(f"{path}: the catalog has columns {', '.join(taken)} of its own; rename the labels")


def _mask_column(frame: pl.DataFrame, path: Path) -> str | None:
    """The column whose values are paths of images, or None where there is none."""
    text_columns = [name for name, dtype in frame.schema.items() if dtype == pl.String and name != FILE_COLUMN]
    found = [name for name in text_columns if any(_is_image(path.parent / value) for value in frame[name].drop_nulls())]
    if len(found) > 1:
        raise InvalidRequest(f"{path}: a scan has one mask, and columns {', '.join(found)} all name images")
    for name in found:
        _require_masks(frame[name].drop_nulls(), path)
    return found[0] if found else None


def _require_masks(names: pl.Series, path: Path) -> None:
    missing = [name for name in names if not _is_image(path.parent / name)]
    if missing:
        raise InvalidRequest(f"{path}: column {names.name!r} names masks, and {missing[0]!r} is not there")
    shared = names.filter(names.is_duplicated())
    if len(shared):
        raise InvalidRequest(f"{path}: mask {shared[0]!r} is named twice; each scan has a mask of its own")


def _is_image(path: Path) -> bool:
    return os.path.isfile(path) and not is_beside_images(path)  # noqa: PTH113 - pathlib's raises for a text too long
