"""Files and folders into scans to be.

The rule: the same sources give the same scans in the same order, whoever looks and whenever; every file is accounted
for: in a scan, refused with the reason, or skipped because it is plainly no image. Reads headers, never pixels.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mist.errors import InvalidRequest, SourceRefused
from mist.ingest.dicom_header import DicomHeader, read_header
from mist.ingest.dicom_series import sort_series, without_copies
from mist.ingest.file_format import is_beside_images, kind_of
from mist.ingest.refusal import refusing
from mist.ingest.scan_id import scan_id_of_path
from mist.ingest.segmentations import referring
from mist.ingest.source import Refusal, ScanTask, SourceKind


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file below a source."""

    path: Path
    """Absolute."""
    relative: PurePath
    """Below the source that the user named; of a source that is a file, its name."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What sources hold."""

    tasks: tuple[ScanTask, ...]
    """The scans, sorted by id."""
    refusals: tuple[Refusal, ...] = ()
    """The files that make no scan though they should."""
    skipped: tuple[Path, ...] = ()
    """The files that are plainly no images, and byte for byte copies of other files of the run."""


ReadHeader = Callable[[Path, PurePath], DicomHeader | None]
"""What reads the header of a DICOM file; see `mist.ingest.dicom_header.read_header`."""


def discover(sources: Sequence[str | Path]) -> Discovery:
    """The scans in `sources`, each a file or a folder that is searched through.

    Raises
    ------
    InvalidRequest
        A source does not exist.
    """
    return discover_files(files_of(sources))


def discover_files(files: Iterable[FoundFile], read: ReadHeader = read_header) -> Discovery:
    """The scans in `files`."""
    sorted_out = {file.path: _sort_file(file, read) for file in files}
    headers = [item for item in sorted_out.values() if isinstance(item, DicomHeader)]
    unique = without_copies(headers)
    copies = {header.path for header in headers} - {header.path for header in unique}
    found = [item for item in sorted_out.values() if isinstance(item, (ScanTask, Refusal))] + sort_series(unique)
    tasks, collisions = without_collisions([item for item in found if isinstance(item, ScanTask)])
    return Discovery(
        tasks=tuple(sorted(referring(tasks, unique), key=lambda task: task.scan_id)),
        refusals=(*(item for item in found if isinstance(item, Refusal)), *collisions),
        skipped=tuple(path for path, item in sorted_out.items() if item is None or path in copies),
    )


def without_collisions(tasks: Sequence[ScanTask]) -> tuple[list[ScanTask], list[Refusal]]:
    """The tasks whose ids are their own, and a refusal for each of the others: nobody can say which one is meant."""
    by_id: dict[str, list[ScanTask]] = defaultdict(list)
    for task in tasks:
        by_id[task.scan_id].append(task)
    refusals = [_collision(same) for same in by_id.values() if len(same) > 1]
    return [same[0] for same in by_id.values() if len(same) == 1], refusals


def _collision(tasks: Sequence[ScanTask]) -> Refusal:
    names = ", ".join(str(task.paths[0]) for task in tasks)
    reason = f"{tasks[0].source}: {len(tasks)} sources would be the same scan {tasks[0].scan_id!r}: {names}"
    return Refusal(tuple(path for task in tasks for path in task.paths), reason)


def _sort_file(file: FoundFile, read: ReadHeader) -> ScanTask | Refusal | DicomHeader | None:
    """What a file is: a scan, refused, a DICOM file to be put with others, or None if it is plainly no image."""
    try:
        with refusing(file.path.name):
            return _identify(file, read)
    except SourceRefused as error:
        return None if is_beside_images(file.path) else Refusal((file.path,), str(error))


def _identify(file: FoundFile, read: ReadHeader) -> ScanTask | DicomHeader | None:
    if not file.path.is_file():
        raise SourceRefused("there is no such file, or it is none: a broken link, a pipe or a device")
    kind = None if file.path.name.startswith(".") else kind_of(file.path)
    if kind is SourceKind.DICOM:
        return read(file.path, file.relative)
    if kind is not None:
        return ScanTask(scan_id_of_path(file.relative), kind, (file.path,))
    if is_beside_images(file.path):
        return None
    raise SourceRefused(
        "an unknown format; DICOM, NIfTI, PNG, JPEG, TIFF and NumPy .npy are taken: convert it, or leave it out"
    )


def files_of(sources: Sequence[str | Path]) -> Iterator[FoundFile]:
    """Every file below `sources`, sorted, each once.

    Raises
    ------
    InvalidRequest
        A source does not exist.
    """
    seen: set[str] = set()
    for source in sources:
        files = list(_files_below(Path(source).absolute()))
        if not files:
            raise InvalidRequest(f"{source}: there is no such file, or no file in that folder")
        for file in files:
            real = os.path.realpath(file.path)
            if real not in seen:
                seen.add(real)
                yield file


def _files_below(source: Path) -> Iterator[FoundFile]:
    """Every file below a folder but those in hidden folders, sorted; or the file itself."""
    if source.is_file():
        yield FoundFile(source, PurePath(source.name))
    for folder, subfolders, names in os.walk(source):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            yield FoundFile(path, path.relative_to(source))
