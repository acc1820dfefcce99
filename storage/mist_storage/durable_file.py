"""Local files that are either there whole, on the disk, or not there at all.

The rule: what a call has written survives a power cut from the moment at which it returns: bytes reach the disk before
they get their name, and the name before the call ends. A file that is being written is called `<name>#<digits>`, which
obstore never lists. Knows paths, not keys.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

_STAGED = re.compile(r".*#\d+")
"""Names of files that are being written, by us or by obstore."""

_ATTEMPTS = 3
"""How often a folder is made anew that somebody else removes, because it is empty, before there is a file in it."""


def write_durably(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Make `path` a file of `data`, and the folders above it.

    Raises
    ------
    FileExistsError
        There is such a file, and it is not to be replaced.
    OSError
        It could not be written; what was there before is unchanged.
    """
    staged = _staged_in_folder(path, data)
    try:
        if replace:
            staged.replace(path)
        else:
            os.link(staged, path)
    finally:
        staged.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_durably(path: Path, root: Path) -> None:
    """Remove the file at `path`, if it is there, and the folders between it and `root` that this leaves empty."""
    path.unlink(missing_ok=True)
    folder = path.parent
    with suppress(OSError):
        while folder != root and root in folder.parents:
            folder.rmdir()
            folder = folder.parent
    with suppress(FileNotFoundError):
        sync_folder(folder)


def staged_files(folder: Path) -> list[Path]:
    """Files at or below `folder` whose writing has not ended, or was cut short."""
    return [path for path in folder.rglob("*") if _STAGED.fullmatch(path.name) and path.is_file()]


def sync_folder(folder: Path) -> None:
    """Bring the names in `folder` to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _staged_in_folder(path: Path, data: bytes) -> Path:
    """A file of `data` beside `path`, in a folder that is made where there is none."""
    for _ in range(_ATTEMPTS - 1):
        _make_folder(path.parent)
        with suppress(FileNotFoundError):
            return _staged(path, data)
    _make_folder(path.parent)
    return _staged(path, data)


def _staged(path: Path, data: bytes) -> Path:
    """A file of `data` beside `path`, on the disk."""
    staged = path.with_name(f"{path.name}#{secrets.randbits(48)}")
    try:
        with staged.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        staged.unlink(missing_ok=True)
        raise
    return staged


def _make_folder(folder: Path) -> None:
    """Make `folder` and those above it, each of which is on the disk before the next."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise NotADirectoryError(20, "a file is where a folder must be", str(folder)) from None
    sync_folder(folder.parent)
