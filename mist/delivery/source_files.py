"""The source files of scans, given back.

The rule: a file is there whole or not at all, with the digest that was taken of it at ingest, below the folder that was
named and nowhere else. One scan is in memory at a time, and one that cannot be given back stops no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mist.delivery.file import naming, replace_file
from mist.errors import InvalidRequest, ScanCorrupt
from mist.kept_bytes import restored_body, sheets_of
from mist.kept_file import KeptFile, is_portable_name
from mist.kept_wrapping import Wrapping, wrapped
from mist.request import Request
from mist.scan import hex_digest
from mist.volume import Voxels
from mist_storage.address import Address
from mist_storage.dataset import Dataset
from mist_storage.kept_source import KeptSource, read_kept_bytes, read_kept_source


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A source file that was given back."""

    scan_id: str
    path: Path
    """Where it lies now."""
    bytes: int
    """Its size."""
    wrapping: Wrapping
    """`NONE`: it is the file that was ingested, byte for byte. Otherwise its content is, by this way of speaking."""


@dataclass(frozen=True, slots=True)
class NotGiven:
    """A scan that was not given back, or not all of it."""

    scan_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What became of all scans."""

    files: tuple[GivenFile, ...]
    """In the order of the scans."""
    problems: tuple[NotGiven, ...]

    @property
    def exact(self) -> int:
        """How many files are those that were ingested, byte for byte."""
        return sum(file.wrapping is Wrapping.NONE for file in self.files)


def give_back(
    dataset: Dataset,
    scan_ids: Sequence[str],
    folder: Path,
    *,
    overwrite: bool = False,
    on_progress: Callable[[int, int, str], None] = lambda *_: None,
) -> GivenBack:
    """Write the source files of scans below `folder`, each scan's in a folder called by its id.

    Parameters
    ----------
    scan_ids
        All scans where empty.
    overwrite
        Whether a file that is there gives way; its scan is refused otherwise.
    on_progress
        Told how many scans are done, of how many, and which one just now.

    Raises
    ------
    ScanNotFound
        The dataset has no such scan; nothing is written.
    InvalidRequest
        `folder` lies in the dataset, where others read and `mist gc` removes what it does not know.
    StoreError
        The store failed.
    OSError
        A file cannot be written.
    """
    if Address.parse(dataset.url).holds(folder):
        raise InvalidRequest(f"{folder} lies in the dataset, which others read; name a folder outside of it")
    wanted = list(dict.fromkeys(scan_ids)) or dataset.catalog.scan_ids
    if scan_ids:
        for scan_id in wanted:
            dataset.catalog.row(scan_id)
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files: list[GivenFile] = []
    problems: list[NotGiven] = []
    for done, scan_id in enumerate(wanted, start=1):
        try:
            files.extend(_given(dataset, scan_id, folder, overwrite=overwrite))
        except (InvalidRequest, ScanCorrupt) as error:
            problems.append(NotGiven(scan_id, error.reason if isinstance(error, ScanCorrupt) else str(error)))
        on_progress(done, len(wanted), scan_id)
    return GivenBack(tuple(files), tuple(problems))


def file_path(folder: Path, scan_id: str, name: str) -> Path:
    """Where the file `name` of a scan is put below `folder`.

    Raises
    ------
    ScanCorrupt
        The name, or a link that is there, leads out of `folder`.
    """
    path = folder / scan_id / name
    if not is_portable_name(name) or not path.parent.resolve().is_relative_to(folder.resolve()):
        raise ScanCorrupt(scan_id, None, f"its file {name!r} would lie outside of {folder}")
    return path


def _given(dataset: Dataset, scan_id: str, folder: Path, *, overwrite: bool) -> Iterator[GivenFile]:
    """The files of a scan, written one by one."""
    row = dataset.catalog.row(scan_id)
    source = read_kept_source(dataset.store, row)
    if source is None:
        raise InvalidRequest("it was stored by an older MIST, which kept no files; ingest them again, with --replace")
    paths = [file_path(folder, scan_id, file.name) for file in source.files]
    there = [path for path in paths if path.is_symlink() or path.exists()]
    if there and not overwrite:
        raise InvalidRequest(f"{there[0]} is there already; --overwrite replaces it")
    kept = read_kept_bytes(dataset.store, row, source.kept)
    volume = dataset.reader(scan_id).read(Request())
    sheets = sheets_of(volume.voxels, volume.axes)
    for path, file, part in zip(paths, source.files, _parts(scan_id, source, kept, sheets), strict=True):
        data = _restored(scan_id, file, part, sheets)
        _put(path, data)
        yield GivenFile(scan_id, path, len(data), file.wrapping)


def _put(path: Path, data: bytes) -> None:
    try:
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, [data])
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise InvalidRequest(
            f"{path} cannot be written: something else has its name, or that of its folder; move that away"
        ) from None


def _parts(scan_id: str, source: KeptSource, kept: bytes, sheets: Voxels) -> Iterator[memoryview]:
    """What is kept of each file."""
    view, at = memoryview(kept), 0
    for file in source.files:
        end = at + file.kept_bytes(sheets[0].size)
        if not at <= end <= len(view):
            raise ScanCorrupt(scan_id, None, f"less is kept of its file {file.name!r} than it needs")
        yield view[at:end]
        at = end


def _restored(scan_id: str, file: KeptFile, kept: memoryview, sheets: Voxels) -> bytes:
    """A file as it is given back, once its content has its digest."""
    try:
        return wrapped(_checked(restored_body(kept, file, sheets), file), file.wrapping)
    except ValueError as error:
        raise ScanCorrupt(scan_id, None, f"its file {file.name!r} does not come back: {error}") from None


def _checked(body: bytes, file: KeptFile) -> bytes:
    digest = hex_digest(body)
    if digest != file.body_sha256 or (file.wrapping is Wrapping.NONE and digest != file.sha256):
        raise ValueError(f"its content has SHA-256 {digest[:16]}, not {file.body_sha256[:16]}")
    return body
