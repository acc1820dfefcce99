"""What became of the sources of an ingest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from mist.ingest.deidentify.counts import Findings


class ScanStatus(StrEnum):
    """What became of one source."""

    STORED = "stored"
    """Its scan is in the dataset now."""
    UNCHANGED = "unchanged"
    """Its scan was in the dataset before, made from the same files."""
    RELABELLED = "relabelled"
    """The same, but the labels or masks of its row are new."""
    PLANNED = "planned"
    """A dry run: its scan would be stored."""
    REFUSED = "refused"
    """It is not in the dataset; there is a reason."""


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """What became of one source."""

    scan_id: str
    """The scan; empty where the source was refused before it had a name."""
    source: str
    """The files, in few words."""
    status: ScanStatus
    """What became of it."""
    reason: str = ""
    """Why it was refused; else why a segmentation is not tied to its scan, or what part of its series a scan is."""
    source_bytes: int = 0
    """Size of its files; 0 where they were not read."""
    stored_bytes: int = 0
    """Size of the objects that were stored; 0 unless it was stored now."""
    files: tuple[str, ...] = ()
    """The files, as paths; where files are de-identified, their neutral names."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of all sources."""

    outcomes: tuple[ScanOutcome, ...]
    """One for each scan and each refusal, sorted by scan id and source."""
    skipped: int
    """How many files are plainly no images, or copies of others."""
    findings: Findings = field(default_factory=Findings)
    """What de-identification found and did; nothing where there was none."""
    skipped_files: tuple[str, ...] = ()
    """The files that were skipped, as `ScanOutcome.files` has them."""

    @property
    def ok(self) -> bool:
        """Whether nothing was refused."""
        return not self.refused

    @property
    def is_committed(self) -> bool:
        """Whether rows were committed."""
        return any(self.count(status) for status in (ScanStatus.STORED, ScanStatus.RELABELLED))

    @property
    def refused(self) -> tuple[ScanOutcome, ...]:
        """The sources that were refused."""
        return tuple(outcome for outcome in self.outcomes if outcome.status is ScanStatus.REFUSED)

    @property
    def noted(self) -> tuple[ScanOutcome, ...]:
        """What was not refused, and of which there is something to say: see `ScanOutcome.reason`."""
        return tuple(o for o in self.outcomes if o.reason and o.status is not ScanStatus.REFUSED)

    @property
    def source_bytes(self) -> int:
        """Size of the files of all scans that were not refused."""
        return sum(outcome.source_bytes for outcome in self.outcomes if outcome.status is not ScanStatus.REFUSED)

    @property
    def stored_bytes(self) -> int:
        """Size of what was stored now."""
        return sum(outcome.stored_bytes for outcome in self.outcomes)

    def count(self, status: ScanStatus) -> int:
        """How many sources have `status`."""
        return sum(outcome.status is status for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Progress:
    """One more source is done."""

    done: int
    """How many are done, this one included."""
    total: int
    """How many there are."""
    outcome: ScanOutcome
    """What became of this one."""


OnProgress = Callable[[Progress], None]
"""What is told of progress, in the process that called `ingest`."""
