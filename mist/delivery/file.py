"""A scan, or a part of it, written to a file.

The rule: a file is there whole or not at all, and what was there before stays until then. A device or a pipe is written
to as it is, and a link stays a link.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mist.delivery.image import Image, decide_image
from mist.delivery.image_request import parse_image_request
from mist.delivery.piece import Piece
from mist.errors import InvalidRequest
from mist_storage.scan_reader import ScanReader

ENDINGS = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".npy": "npy",
    ".nii.gz": "nii.gz",
}
"""Endings of file names, and the formats that they stand for."""

STANDARD_OUTPUT = Path("-")

_MOST_BYTES = 1 << 62  # the machine's memory is the limit, not a server's


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """What was written."""

    level: int
    """The level that it was made from."""
    shape: tuple[int, ...]
    """Shape of the voxels."""
    level_bytes: int
    """Bytes of the prefix that holds the level."""
    scan_bytes: int
    """Bytes of all levels."""


def write_scan_file(reader: ScanReader, parameters: Mapping[str, str], path: Path) -> WrittenFile:
    """Write what `parameters` ask of a scan to `path`, or to standard output where that is `-`.

    Parameters
    ----------
    parameters
        As of the image route: see `mist.delivery.image_request.PARAMETERS`. Without `format` the ending of `path`
        decides it.

    Raises
    ------
    InvalidRequest
        The scan or the format cannot answer, or the ending of `path` says no format.
    OSError
        The file cannot be written; what was there before is left alone.
    """
    image_format = parameters.get("format") or _format_of(path)
    asked = parse_image_request({**parameters, "format": image_format}, reader.header)
    image = decide_image(reader.header, asked, _MOST_BYTES)
    _write(path, image.encoded(reader.read(image.plan.request)))
    return _written(reader, image)


def _format_of(path: Path) -> str:
    for ending, name in ENDINGS.items():
        if path.name.lower().endswith(ending):
            return name
    if path == STANDARD_OUTPUT:
        return "npy"
    raise InvalidRequest(f"{path.name!r} ends in none of {', '.join(ENDINGS)}; give the format")


def _write(path: Path, pieces: Sequence[Piece]) -> None:
    if path == STANDARD_OUTPUT:
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()
        return
    with naming(path):
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                stream.writelines(pieces)
        else:
            replace_file(path.resolve(), pieces)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the system that name the file which is being written: a full disk's name none, others a temporary one.

    Raises
    ------
    OSError
        What the block raised, of `path`.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def replace_file(path: Path, pieces: Sequence[Piece]) -> None:
    """Put a file of `pieces` in the place of the one at `path`, if there is one, in a single step."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".mist-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(pieces)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _written(reader: ScanReader, image: Image) -> WrittenFile:
    levels, level = reader.header.levels, image.plan.plan.level
    return WrittenFile(level, image.plan.shape, levels[level].end_byte, levels[0].end_byte)
