"""Source files kept at ingest, and made anew from what was kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from mist.ingest.discover import discover
from mist.ingest.keep import keep_files
from mist.ingest.load import load_scan
from mist.ingest.source import read_files
from mist.kept_bytes import restored_body, sheets_of
from mist.kept_file import KeptFile
from mist.kept_wrapping import Wrapping, wrapped

COMPRESSION_KEYWORDS = ("PixelData", "PhotometricInterpretation", "ExtendedOffsetTable", "ExtendedOffsetTableLengths")


@dataclass(frozen=True)
class KeptAndBack:
    """One file, what is kept of it, and what comes back."""

    file: KeptFile
    kept: bytes
    """What is kept beside the voxels, before it is compressed."""
    back: bytes
    """What is given back."""

    @property
    def is_exact(self) -> bool:
        """Whether the file itself comes back."""
        return self.file.wrapping is Wrapping.NONE and hashlib.sha256(self.back).hexdigest() == self.file.sha256

    @property
    def has_voxels(self) -> bool:
        """Whether the voxels give all pixels back, so that nothing but headers is kept."""
        return bool(self.file.spans) and all(span.is_exact for span in self.file.spans)


def drop_what_compression_says(dataset: Dataset) -> None:
    """Leave of a dataset what giving its pixels back uncompressed must not change."""
    for keyword in COMPRESSION_KEYWORDS:
        dataset.pop(keyword, None)
    for tag in [tag for tag in dataset.keys() if tag.element == 0]:  # noqa: SIM118 - a dataset iterates over elements
        del dataset[tag]


def kept_and_back(source: Path) -> list[KeptAndBack]:
    """All files of the one scan in `source`, in the scan's order, without storing anything."""
    (task,) = discover([source]).tasks
    scan = load_scan(task)
    kept = keep_files(task, read_files(task.paths), scan.decoded)
    sheets = sheets_of(scan.decoded.volume.voxels, scan.decoded.volume.axes)
    found, rest = [], kept.kept
    for file in kept.files:
        length = file.kept_bytes(sheets[0].size)
        body = restored_body(memoryview(rest[:length]), file, sheets)
        assert hashlib.sha256(body).hexdigest() == file.body_sha256
        found.append(KeptAndBack(file, rest[:length], wrapped(body, file.wrapping)))
        rest = rest[length:]
    assert not rest
    return found


def only_kept(source: Path) -> KeptAndBack:
    """The one file of the one scan in `source`."""
    (found,) = kept_and_back(source)
    return found
