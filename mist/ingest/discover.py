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
from mist.ingest.dicom_header import DicomHeader
from mist.ingest.dicom_seen import read_slice_header
from mist.ingest.dicom_series import sort_series, without_copies
from mist.ingest.file_format import is_beside_images, kind_of
from mist.ingest.refusal import refusing
from mist.ingest.scan_id import scan_id_of_path
from mist.ingest.segmentations import referring
from mist.ingest.source import Refusal, ScanTask, SourceKind
from mist.kept_file import is_portable_name

STORED_FOLDERS = ("catalog", "scans", "withdrawals")
"""The folders of a dataset, which are no sources: one may lie among the files that it is made from."""

_CATALOG_LOG = PurePath("catalog") / "_delta_log"
"""What is in a dataset and in no other folder."""


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


def discover_files(files: Iterable[FoundFile], read: ReadHeader = read_slice_header) -> Discovery:
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
    same = f"{len(tasks)} sources would be the same scan {tasks[0].scan_id!r}"
    reason = f"{tasks[0].source}: {same}: {names}; rename all but one"
    return Refusal(tuple(path for task in tasks for path in task.paths), reason)


def _sort_file(file: FoundFile, read: ReadHeader) -> ScanTask | Refusal | DicomHeader | None:
    """What a file is: a scan, refused, a DICOM file to be put with others, or None if it is plainly no image."""
    try:
        with refusing(file.path.name):
            return _identify(file, read)
    except SourceRefused as error:
        return None if is_beside_images(file.path) else Refusal((file.path,), str(error))


def _identify(file: FoundFile, read: ReadHeader) -> ScanTask | DicomHeader | None:
    _require_file(file)
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


def _require_file(file: FoundFile) -> None:
    """Refuse what is no file, and a file whose name could not be given back with it."""
    if file.path.is_dir():
        raise SourceRefused(
            "a folder that cannot be read, or a link to a folder, which is not followed: let it be read, or name the "
            "folder as a source"
        )
    if not file.path.is_file():
        raise SourceRefused("there is no such file, or it is none: a broken link, a pipe or a device")
    if not is_portable_name(file.relative.as_posix()):
        raise SourceRefused(
            f"no other system could take the name {str(file.relative)!a} back: it has a control character, a "
            "backslash or a drive letter, or is no UTF-8; rename it"
        )


def files_of(sources: Sequence[str | Path]) -> Iterator[FoundFile]:
    """Every file below `sources`, sorted, each once.

    Raises
    ------
    InvalidRequest
        A source does not exist.
    """
    roots = [os.path.realpath(source) for source in sources]
    seen: set[str] = set()
    for source in sources:
        files = list(_files_below(Path(source).absolute()))
        if not files:
            raise InvalidRequest(f"{source}: there is no such file, or no file in that folder")
        for file in files:
            real = os.path.realpath(file.path)
            if real not in seen and not (file.path.is_symlink() and _is_searched(Path(real), roots)):
                seen.add(real)
                yield file


def _is_searched(target: Path, roots: Sequence[str]) -> bool:
    """Whether a link leads to a folder whose files are found without it."""
    return target.is_dir() and any(target.is_relative_to(root) for root in roots)


def _files_below(source: Path) -> Iterator[FoundFile]:
    """Every file below a folder, links to folders and folders that cannot be read; or the file itself.

    Hidden folders are left out, and so is what MIST has written to a dataset that lies there.
    """
    if source.is_file():
        yield FoundFile(source, PurePath(source.name))
    unread: list[OSError] = []
    for folder, subfolders, names in os.walk(source, onerror=unread.append):
        own = STORED_FOLDERS if (Path(folder) / _CATALOG_LOG).is_dir() else ()
        subfolders[:] = sorted(name for name in subfolders if not name.startswith(".") and name not in own)
        links = [name for name in subfolders if (Path(folder) / name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(folder) / name
            yield FoundFile(path, path.relative_to(source))
    for error in unread:
        path = Path(error.filename)
        if path.is_dir():
            yield FoundFile(path, path.relative_to(source.parent))
