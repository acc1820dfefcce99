"""Clean copies of a scan's files, for as long as the scan is made of them.

The rule: a copy is made where nobody else can read, under the neutral name of its file, and goes when the scan is done.
Reading what is foreign is held to the limits that decoding is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mist.ingest.deidentify.counts import Findings
from mist.ingest.deidentify.discretion import discreet
from mist.ingest.deidentify.file import FILES, Deidentification
from mist.ingest.deidentify.risk import BURNED_IN_REFUSED
from mist.ingest.limits import Limits, limited
from mist.ingest.source import ScanTask


@contextmanager
def cleaned(
    tasks: Sequence[ScanTask], deidentification: Deidentification, scratch: Path | None, limits: Limits | None
) -> Iterator[tuple[tuple[ScanTask, ...], Findings]]:
    """`tasks` of clean copies in a folder below `scratch`, and what was found in the files.

    Raises
    ------
    SourceRefused
        A file cannot be cleaned.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        findings: list[Findings] = []
        clean = tuple(_cleaned(task, deidentification, Path(folder), limits, findings) for task in tasks)
        yield clean, Findings.sum(findings)


def refused_findings(tasks: Sequence[ScanTask]) -> Findings:
    """What is said of files that are refused for what their pixels may show."""
    count = sum(len(task.paths) for task in tasks)
    return Findings(facts={FILES: count, BURNED_IN_REFUSED: count})


def _cleaned(
    task: ScanTask,
    deidentification: Deidentification,
    folder: Path,
    limits: Limits | None,
    findings: list[Findings],
) -> ScanTask:
    with discreet(task.source):
        size = sum(path.stat().st_size for path in task.paths)
    copies = []
    with limited(limits, size):
        for path in task.paths:
            content, found = deidentification.clean(path, task.kind)
            copies.append(folder / path.name)
            copies[-1].write_bytes(content)
            findings.append(found)
    return replace(task, paths=tuple(copies))
