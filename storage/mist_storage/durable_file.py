"""Local files that a process, or a power cut, leaves whole or not at all.

The rule: a file gets its name when it is whole. Of one that takes the place of another, or that must be new, the bytes
are on the disk before it has its name, and the name before the call ends. Other new files are on the disk after
`sync_files`, which is one wait for many. A file that is being written is called `<name>#<digits>`, which obstore never
lists. Knows paths, not keys.
"""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_STAGED = re.compile(r".*#\d+")
"""Names of files that are being written, by us or by obstore."""

_ATTEMPTS = 20
"""How often a folder is made anew that somebody else removes, because it is empty, before there is a file in it."""


def write_file(path: Path, data: bytes | memoryview, *, replace: bool = True) -> None:
    """Make `path` a file of `data`, and the folders above it; see this module's rule for when it is on the disk.

    Parameters
    ----------
    path
        The file.
    data
        What it is to hold.
    replace
        Whether it may take the place of another.

    Raises
    ------
    FileExistsError
        There is such a file, and it is not to be replaced.
    OSError
        It could not be written; what was there before is unchanged.
    """
    is_durable = not replace or path.exists()
    staged = _staged_in_folder(path, data, is_durable=is_durable)
    try:
        if replace:
            staged.replace(path)
        else:
            os.link(staged, path)
    finally:
        staged.unlink(missing_ok=True)
    if is_durable:
        _sync_folder(path.parent)


def remove_file(path: Path, root: Path) -> None:
    """Remove the file at `path`, if it is there, and the folders between it and `root` that this leaves empty."""
    path.unlink(missing_ok=True)
    folder = path.parent
    with suppress(OSError):
        while folder != root and root in folder.parents:
            folder.rmdir()
            folder = folder.parent


def staged_files(folder: Path) -> list[Path]:
    """Files at or below `folder` whose writing has not ended, or was cut short."""
    return [path for path in folder.rglob("*") if _STAGED.fullmatch(path.name) and path.is_file()]


def sync_files(folder: Path) -> None:
    """Return when all that was written or removed in the file system of `folder`, by anybody, is on the disk.

    Raises
    ------
    OSError
        Something could not be brought there.
    """
    system = ctypes.CDLL(None, use_errno=True)
    if not hasattr(system, "syncfs"):  # elsewhere than on Linux
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if system.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "what was written could not be brought to the disk", str(folder))
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Bring the names in `folder` to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _staged_in_folder(path: Path, data: bytes | memoryview, *, is_durable: bool) -> Path:
    """A file of `data` beside `path`, in a folder that is made where there is none."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(FileNotFoundError):
            _make_folder(path.parent, is_durable=is_durable)
            return _staged(path, data, is_durable=is_durable)
    _make_folder(path.parent, is_durable=is_durable)
    return _staged(path, data, is_durable=is_durable)


def _staged(path: Path, data: bytes | memoryview, *, is_durable: bool) -> Path:
    """A file of `data` beside `path`, on the disk if it is to be."""
    staged = path.with_name(f"{path.name}#{secrets.randbits(48)}")
    try:
        with staged.open("xb") as stream:
            stream.write(data)
            if is_durable:
                stream.flush()
                os.fsync(stream.fileno())
    except OSError:
        staged.unlink(missing_ok=True)
        raise
    return staged


def _make_folder(folder: Path, *, is_durable: bool) -> None:
    """Make `folder` and those above it, each of which is on the disk before the next if it is to be."""
    if folder.is_dir():
        return
    _make_folder(folder.parent, is_durable=is_durable)
    try:
        folder.mkdir()
    except FileExistsError:
        with suppress(FileNotFoundError):  # asked once: somebody else may remove the folder, and make it again
            if not stat.S_ISDIR(folder.stat().st_mode):
                raise NotADirectoryError(20, "a file is where a folder must be", str(folder)) from None
    if is_durable:
        _sync_folder(folder.parent)
