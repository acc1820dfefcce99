"""What sources hold, found without telling what they are called or whose they are.

The rule: headers are clean before they are sorted, so ids follow from other UIDs; files are links with neutral names;
and where labels or sources cannot be used, the message quotes neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mist.errors import InvalidRequest
from mist.ingest.deidentify.file import Deidentification
from mist.ingest.deidentify.staging import Staging
from mist.ingest.discover import Discovery, FoundFile, discover_files, files_of
from mist.ingest.join import join_labels
from mist.ingest.labels import LabelRow, read_labels


def discover_privately(
    sources: Sequence[str | Path], labels: str | Path | None, deidentification: Deidentification, staging: Staging
) -> Discovery:
    """The scans in `sources`, with their labels if there are any.

    Raises
    ------
    InvalidRequest
        A source does not exist, there are no images, or the labels cannot be used.
    """
    files = [staging.add(file) for number, source in enumerate(sources, start=1) for file in _below(source, number)]
    rows = [] if labels is None else staging.add_labels(_read(labels))
    masks = [FoundFile(row.mask.path, row.mask.relative) for row in rows if row.mask is not None]
    unique = {file.path: file for file in [*files, *masks]}
    discovery = discover_files(unique.values(), deidentification.header)
    if not (discovery.tasks or discovery.refusals):
        raise InvalidRequest("the sources hold no images, only files that are none")
    return discovery if labels is None else join_labels(discovery, rows, deidentification.header)


def _below(source: str | Path, number: int) -> list[FoundFile]:
    try:
        return [*files_of([source])]
    except InvalidRequest:
        raise InvalidRequest(f"source {number} is no file, and no folder that holds one; look at its path") from None


def _read(labels: str | Path) -> list[LabelRow]:
    try:
        return read_labels(labels)
    except InvalidRequest:
        raise InvalidRequest(
            "the labels cannot be used; why is not told here, since they may name patients: "
            "`mist ingest --dry-run --labels ...` without --deidentify says it"
        ) from None
