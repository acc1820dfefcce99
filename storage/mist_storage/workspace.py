"""Where the arrays and bytes of one ingest lie while it is at work: in memory, or in files without a name.

The rule: what needs much room asks for it here, so that a scan that is larger than memory is stored by the same code.
Files lie where Python puts temporary ones (`TMPDIR`), and vanish with the process, however it ends. Their pages are the
system's to write out, and count against no limit of a process's own memory.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt


class Workspace(Protocol):
    """Makes room for one ingest."""

    @property
    def slab_bytes(self) -> int:
        """How many bytes of voxels may be looked at together."""

    def room(self, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """An array of any content, C order."""

    def spool(self) -> IO[bytes]:
        """Something to write bytes to and to read them from."""

    def content(self, spool: IO[bytes]) -> memoryview:
        """All that has been written to a spool; nothing more may be."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Room in memory."""

    slab_bytes: int = 64 << 20
    """Large enough that hardly anything is decoded twice, and small beside a scan that matters."""

    def room(self, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """See `Workspace.room`."""
        return np.empty(shape, dtype)

    def spool(self) -> IO[bytes]:
        """See `Workspace.spool`."""
        return io.BytesIO()

    def content(self, spool: IO[bytes]) -> memoryview:
        """See `Workspace.content`."""
        if not isinstance(spool, io.BytesIO):
            raise TypeError(f"{spool!r} is no spool of this workspace")
        return spool.getbuffer()


@dataclass(frozen=True, slots=True)
class Files:
    """Room in unnamed temporary files."""

    slab_bytes: int
    """A small part of what memory there is."""

    def room(self, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """See `Workspace.room`.

        Raises
        ------
        OSError
            The disk has no such room.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size == 0:
            return np.empty(shape, dtype)
        with tempfile.TemporaryFile() as file:
            if hasattr(os, "posix_fallocate"):  # a page for which the disk has no room would end the process later
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return np.frombuffer(mmap.mmap(file.fileno(), size), dtype).reshape(shape)

    def spool(self) -> IO[bytes]:
        """See `Workspace.spool`."""
        return tempfile.TemporaryFile()

    def content(self, spool: IO[bytes]) -> memoryview:
        """See `Workspace.content`."""
        with spool:
            spool.flush()
            size = os.fstat(spool.fileno()).st_size
            return memoryview(mmap.mmap(spool.fileno(), size, access=mmap.ACCESS_READ) if size else b"")


MEMORY = Memory()
"""For scans that fit."""
