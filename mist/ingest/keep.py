"""What is kept of a scan's source files, so that they come back.

The rule: nothing is kept that does not come back: each file is restored and compared with its digest before it is
believed, and one that would not come back is kept as it is. A file that changed since it was read is refused.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from mist.errors import SourceRefused
from mist.ingest.body import Body, FileSheets, array_body, nifti_body, picture_body, tiff_body, unwrapped_picture_body
from mist.ingest.dicom_body import dicom_body
from mist.ingest.refusal import refusing
from mist.ingest.source import Contents, DecodedSource, PlainPixels, ScanTask, SourceFile, SourceKind
from mist.kept_bytes import Content, comes_back, kept_of, sheets_of, spans_of
from mist.kept_file import KeptFile
from mist.kept_wrapping import Wrapping

_BODIES = {
    SourceKind.DICOM: dicom_body,
    SourceKind.NIFTI: nifti_body,
    SourceKind.PICTURE: picture_body,
    SourceKind.TIFF: tiff_body,
    SourceKind.NUMPY: array_body,
}
"""What a file of each kind holds."""


MAPPED_BYTES = 64 << 20
"""Files of at least this size are mapped into memory, of which the system then keeps what it has room for."""


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """What is kept of the files of a scan."""

    files: tuple[KeptFile, ...]
    """How each one comes back."""
    kept: bytes = field(repr=False)
    """What is kept of them, one after the other."""


def keep_files(
    task: ScanTask, files: Sequence[SourceFile], decoded: DecodedSource, held: Contents = MappingProxyType({})
) -> KeptFiles:
    """What is kept of the files of `task`, from which `decoded` was made.

    Files that are `held` are those of `files`, and `decoded` was made from what is held; others are read again.

    Raises
    ------
    SourceRefused
        A file is not the one of `files` any more.
    OSError
        A file cannot be read.
    """
    pairs = [_keep(task, place, file, decoded, held) for place, file in enumerate(files)]
    return KeptFiles(tuple(file for file, _ in pairs), b"".join(kept for _, kept in pairs))


def _keep(
    task: ScanTask, place: int, file: SourceFile, decoded: DecodedSource, held: Contents
) -> tuple[KeptFile, bytes]:
    path = task.paths[place]
    data = held.get(path) or _read_again(path, file)
    sheets = _file_sheets(decoded, place, len(task.paths))
    body = _seen_body(decoded, place, data, sheets, is_held=path in held) or _body(task.kind, data, sheets)
    kept_file, kept = _kept(file, body, sheets)
    if comes_back(body.data, memoryview(kept), kept_file, sheets.all):
        return kept_file, kept
    return _kept(file, Body(data), sheets)


def _read_again(path: Path, file: SourceFile) -> Content:
    """What `file`, which is at `path`, holds."""
    data = _content(path, file.bytes)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise SourceRefused(f"{file.name} was changed while it was read; ingest it again")
    return data


def _content(path: Path, size: int) -> Content:
    """What the file at `path` holds, which had `size` bytes."""
    if size < MAPPED_BYTES:
        return path.read_bytes()
    with path.open("rb") as stream:
        return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def _body(kind: SourceKind, data: Content, sheets: FileSheets) -> Body:
    """What a file holds; the file itself where nobody understands it."""
    try:
        with refusing(kind):
            return _BODIES[kind](data, sheets) or Body(data)
    except SourceRefused:  # the voxels are sound: a header that only this reading stumbles over is no reason
        return Body(data)


def _seen_body(decoded: DecodedSource, place: int, data: Content, sheets: FileSheets, *, is_held: bool) -> Body | None:
    """What a file holds, if its decoder saw that, so that it need not be parsed again; None if it must be."""
    plain = decoded.plain[place] if decoded.plain else None
    if plain is not None:
        return _plain_body(data, sheets, plain)
    if decoded.unwrapped is not None and is_held:  # a file that was read again may not be the one that was decoded
        return unwrapped_picture_body(decoded.unwrapped, sheets)
    return None


def _plain_body(data: Content, sheets: FileSheets, plain: PlainPixels) -> Body:
    layout = sheets.layout(plain.byte_order, plain.sample_bytes, planar=plain.is_planar)
    return Body(data, layout=layout, places=sheets.in_a_row(plain.offset, plain.sample_bytes))


def _file_sheets(decoded: DecodedSource, place: int, count: int) -> FileSheets:
    """The voxels, and which of them the file at `place` of `count` holds."""
    sheets = sheets_of(decoded.volume.voxels, decoded.volume.axes)
    order = decoded.order or tuple(range(len(sheets)))
    sheet_of = {source: sheet for sheet, source in enumerate(order) if source >= 0}
    mine = tuple(sheet_of[source] for source in sorted(sheet_of)) if count == 1 else (sheet_of[place],)
    return FileSheets(sheets, mine)


def _kept(file: SourceFile, body: Body, sheets: FileSheets) -> tuple[KeptFile, bytes]:
    whole = KeptFile(
        name=file.name,
        bytes=file.bytes,
        sha256=file.sha256,
        wrapping=body.wrapping,
        body_bytes=len(body.data),
        body_sha256=file.sha256 if body.wrapping is Wrapping.NONE else hashlib.sha256(body.data).hexdigest(),
        layout=body.layout,
        spans=(),
    )
    kept_file = replace(whole, spans=spans_of(body.data, body.layout, sheets.all, body.places))
    return kept_file, kept_of(body.data, kept_file, sheets.all)
