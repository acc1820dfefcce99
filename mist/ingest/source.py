"""What ingest passes from step to step: files, a scan to be, a scan.

The rule: a `ScanTask` is found by reading headers only, is small and crosses process borders; a `SourceScan` holds
voxels and does not. Knows no format and no store.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from mist.codec import Json
from mist.errors import InvalidRequest
from mist.ingest.seen_stack import SeenStack
from mist.scan import Display, canonical_json
from mist.volume import Volume
from mist_storage.catalog_row import Label

HELD_BYTES = 512 << 20
"""Files of a scan are held in memory between hashing and keeping if they have no more than this together. While they
are, there is nothing of the scan but its voxels: encoding takes more."""

Contents = Mapping[Path, bytes]
"""What files hold, of those that are held in memory: the bytes that were hashed are then those that are decoded."""

INGEST_VERSION = 10
"""Raised when the same files come to give another scan, so that they are not taken for unchanged."""


class SourceKind(StrEnum):
    """How the files of a scan are read."""

    DICOM = "dicom"
    NIFTI = "nifti"
    PICTURE = "picture"
    """PNG or JPEG."""
    TIFF = "tiff"
    NUMPY = "numpy"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a scan, as it was when the scan was made from it."""

    name: str
    """Its path below the folder that holds all files of the scan, with `/` between parts."""
    bytes: int
    """Its size."""
    sha256: str
    """SHA-256 of its content, as 64 hex digits."""


@dataclass(frozen=True, slots=True)
class ScanTask:
    """A scan to be: which files make it, and what is known of it without reading voxels.

    Parameters
    ----------
    scan_id
        What users type: stable, and safe as a part of a URL and of an object's key.
    kind
        How the files are read.
    paths
        The files, absolute; the slices of a stack in the order in which they stack.
    is_mask
        Whether the voxels are labels.
    mask
        The scan that is this scan's mask.
    mask_of
        The scan whose mask this scan is.
    labels
        Values of the catalog's label columns.
    segments
        The scan on whose grid the labels of a DICOM segmentation are to be put, if they fit; it is in the same job.
    note
        Why a DICOM segmentation is not tied to the scan that it refers to, or which part of its series a scan is; empty
        where there is nothing to say.
    seen
        Of a stack of plain slices: what spares parsing them again.

    Raises
    ------
    InvalidRequest
        There are no paths.
    """

    scan_id: str
    kind: SourceKind
    paths: tuple[Path, ...]
    is_mask: bool = False
    mask: str | None = None
    mask_of: str | None = None
    labels: Mapping[str, Label] = field(default_factory=dict)
    segments: str | None = None
    note: str = ""
    seen: SeenStack | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.paths:
            raise InvalidRequest(f"scan {self.scan_id!r} has no files")

    @property
    def source(self) -> str:
        """The files, named in few words."""
        return named(self.paths)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Files that will not be stored."""

    paths: tuple[Path, ...]
    """The files, absolute."""
    reason: str
    """Why, in one line that names the file."""


class PlainPixels(NamedTuple):
    """Where the pixels of a file lie that holds them uncompressed, as whoever decoded it saw."""

    offset: int
    """Their first byte."""
    sample_bytes: int
    """Of each sample."""
    byte_order: str
    """`<` or `>`."""
    is_planar: bool
    """Whether colours lie one after the other, not pixel by pixel."""


@dataclass(frozen=True, slots=True)
class DecodedSource:
    """What the files of a scan say."""

    volume: Volume
    """Voxels as the source has them, and where they lie."""
    display: Display = field(default_factory=Display)
    """How the source wishes to be shown."""
    modality: str = ""
    """DICOM's Modality; empty where the source is silent."""
    body_part: str = ""
    """DICOM's Body Part Examined; empty where the source is silent."""
    order: tuple[int, ...] = ()
    """For each slice of the volume, which file or which frame of the one file it is, -1 for none of them; empty where
    all are in order."""
    plain: tuple[PlainPixels | None, ...] = ()
    """For each file, where its pixels lie, or None where that is not as simple; empty where nobody looked."""
    unwrapped: memoryview | None = None
    """What was unwrapped of a PNG file (`mist.kept_wrapping`), in which voxels of one byte lie; None of other files."""


@dataclass(frozen=True, slots=True)
class SourceScan:
    """One scan, ready to be stored."""

    scan_id: str
    """See `ScanTask`."""
    is_mask: bool
    """Whether the voxels are labels, which get the wavelet that filters nothing."""
    decoded: DecodedSource
    """What the files say."""
    files: tuple[SourceFile, ...]
    """The files themselves."""


def read_files(paths: Sequence[Path]) -> tuple[SourceFile, ...]:
    """Sizes and hashes of the files at `paths`.

    Raises
    ------
    OSError
        One cannot be read.
    """
    return tuple(map(_read_file, paths, _names(paths)))


def hold_files(paths: Sequence[Path]) -> tuple[tuple[SourceFile, ...], Contents]:
    """Sizes and hashes of the files at `paths`, and what they hold; of more than `HELD_BYTES` nothing is held.

    Raises
    ------
    OSError
        One cannot be read.
    """
    if sum(path.stat().st_size for path in paths) > HELD_BYTES:
        return read_files(paths), {}
    contents = {path: path.read_bytes() for path in paths}
    files = zip(_names(paths), contents.values(), strict=True)
    return tuple(SourceFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files), contents


def _names(paths: Sequence[Path]) -> list[str]:
    folder = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(folder).as_posix() for path in paths]


def _read_file(path: Path, name: str) -> SourceFile:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return SourceFile(name, stream.tell(), digest.hexdigest())


def source_digest(files: Sequence[SourceFile], *, is_mask: bool, grid: str | None = None) -> str:
    """SHA-256, hex, by which an unchanged source is known again, whatever its files are called and in any order.

    Of labels that were put on the grid of another scan, it follows from the digest of that scan's source too: `grid`.
    """
    hashes: list[Json] = [*sorted(file.sha256 for file in files)]
    content: dict[str, Json] = {"files": hashes, "is_mask": is_mask, "version": INGEST_VERSION}
    if grid is not None:
        content["grid"] = grid
    return hashlib.sha256(canonical_json(content)).hexdigest()


def named(paths: Sequence[Path]) -> str:
    """Some files, in few words: the first one's name, and how many more there are."""
    first, more = paths[0].name, len(paths) - 1
    if not more:
        return first
    return f"{first} and {more} more {'file' if more == 1 else 'files'}"
