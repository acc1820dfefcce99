"""Files that are for their owner alone: reports and maps of a de-identification.

The rule: whether a file can be written is found out before the hours of work that it is to tell of; it is whole or not
there, and takes the place of nothing but a file of its own kind. Knows no content but how a kind begins.
"""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mist.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class PrivateFile:
    """A file that only its owner can read, at a path that somebody named."""

    path: Path
    """Where."""
    kind: str
    """What it holds, in a word."""
    beginning: bytes
    """How every file of that kind begins, by which one of an earlier run is known."""

    def require_writable(self) -> None:
        """Refuse a place where the file cannot be written, or would take the place of something else.

        Raises
        ------
        InvalidRequest
            There is no such folder, nothing can be written to it, or what is there is no such file.
        """
        if self.path.is_symlink():
            raise InvalidRequest(f"{self.path} is a link, and may lead to where others read; name the file itself")
        try:
            self._require_own()
            handle, name = tempfile.mkstemp(dir=self.path.parent)
            os.close(handle)
            Path(name).unlink()
        except OSError as error:
            raise self._refusal(error) from None

    def write(self, text: str) -> None:
        """Write the file, or nothing at all.

        Raises
        ------
        InvalidRequest
            It cannot be written; see `require_writable`.
        """
        self.require_writable()
        try:
            handle, name = tempfile.mkstemp(prefix=".mist-", dir=self.path.parent)  # which its owner alone can read
            try:
                with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
                    stream.write(text)
                    stream.flush()
                    os.fsync(handle)
                Path(name).replace(self.path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._refusal(error) from None

    def _require_own(self) -> None:
        """Refuse to take the place of anything but a file of this kind."""
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            return
        is_own = stat.S_ISREG(mode) and (not self.path.stat().st_size or self._begins())
        if not is_own:
            raise InvalidRequest(f"{self.path} is there already, and is no {self.kind}; give another name")

    def _begins(self) -> bool:
        with self.path.open("rb") as stream:
            return stream.read(len(self.beginning)) == self.beginning

    def _refusal(self, error: OSError) -> InvalidRequest:
        parent = self.path.parent
        remedy = "name a folder that you can write to" if parent.is_dir() else f"make the folder {parent} first"
        return InvalidRequest(f"the {self.kind} {self.path} cannot be written ({error.strerror}); {remedy}")


def report_file(path: Path) -> PrivateFile:
    """The file of a signed report; see `mist.ingest.deidentify.report`."""
    return PrivateFile(path, "report of a de-identification", b'{\n  "report": {')


def map_file(path: Path) -> PrivateFile:
    """The file that says which file was given which name; see `mist.ingest.deidentify.staging`."""
    return PrivateFile(path, "map of names", b"file,name,scan_id\r\n")
