"""Source files under names that say nothing.

The rule: everything after this sees links in a private folder, whose names follow from the key and from where a file
lies; what a link leads to is never told, but in a map that somebody asked for. Clean copies are made a scan at a time
and removed after it, so that the disk holds no second archive.
"""

from __future__ import annotations

import csv
import io
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from mist.ingest.deidentify.key import Key
from mist.ingest.discover import FoundFile
from mist.ingest.file_format import BESIDE_IMAGES
from mist.ingest.labels import LabelRow
from mist.ingest.scan_id import EXTENSIONS
from mist.ingest.source import ScanTask


@dataclass(frozen=True, slots=True)
class Staging:
    """A private folder of links to source files."""

    folder: Path
    key: Key
    links: dict[str, FoundFile] = field(default_factory=dict)
    """The links, by the real path of what they lead to."""

    @classmethod
    @contextmanager
    def open(cls, key: Key) -> Iterator[Staging]:
        """A staging whose folder nobody else can read, and which goes with everything in it."""
        folder = Path(tempfile.gettempdir(), f"mist-deidentify-{secrets.token_hex(16)}")
        try:  # around making it too, which a signal may end half-way
            folder.mkdir(mode=0o700)
            yield cls(folder, key)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add(self, file: FoundFile) -> FoundFile:
        """The link to `file`; the same one for the same file."""
        real = os.path.realpath(file.path)
        if real not in self.links:
            self.links[real] = self._link(file)
        return self.links[real]

    def add_labels(self, rows: Iterable[LabelRow]) -> list[LabelRow]:
        """`rows` with links in place of files; a file that is in none of the sources is called by its row."""
        return [self._label(number, row) for number, row in enumerate(rows, start=2)]

    def map(self, tasks: Sequence[ScanTask]) -> str:
        """A CSV table of which name and scan each file was given; it identifies, and is for the operator alone."""
        scans = {path: task.scan_id for task in tasks for path in task.paths}
        stream = io.StringIO()
        writer = csv.writer(stream)
        writer.writerow(["file", "name", "scan_id"])
        writer.writerows((real, file.path.name, scans.get(file.path, "")) for real, file in self.links.items())
        return stream.getvalue()

    def _link(self, file: FoundFile) -> FoundFile:
        name = _neutral(self.key, file.relative)
        path = self.folder / name
        number = 1
        while path.is_symlink():  # files of one name below different sources
            number += 1
            path = self.folder / f"{number}-{name}"
        path.symlink_to(file.path)
        return FoundFile(path, PurePath(name))

    def _label(self, number: int, row: LabelRow) -> LabelRow:
        known = self.links.get(os.path.realpath(row.file))
        return LabelRow(
            known.path if known is not None else Path(f"a file in row {number}"),
            self.add(row.mask) if row.mask is not None else None,
            row.labels,
        )


def _neutral(key: Key, relative: PurePath) -> str:
    """A name that says of a file only how it ends, where that is an ending which says a format."""
    name = relative.name.lower()
    ending = next((ending for ending in (*EXTENSIONS, *sorted(BESIDE_IMAGES)) if name.endswith(ending)), "")
    hidden = "." if name.startswith(".") else ""
    return f"{hidden}{key.pseudonym('file', relative.as_posix())}{ending}"
