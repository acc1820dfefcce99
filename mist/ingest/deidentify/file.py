"""Any source file without what identifies, and what that took.

The rule: one table says who cleans what; a file of a kind that has no cleaner cannot be ingested. What a file says
beside its voxels is either understood and harmless, or gone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePath

from mist.ingest.deidentify.counts import Findings, Tally
from mist.ingest.deidentify.dicom_file import clean_file, clean_header
from mist.ingest.deidentify.discretion import discreet
from mist.ingest.deidentify.key import Key
from mist.ingest.deidentify.nifti import clean_nifti
from mist.ingest.deidentify.pictures import clean_array, clean_picture, clean_tiff
from mist.ingest.deidentify.profile import Profile
from mist.ingest.deidentify.risk import (
    BURNED_IN_ACCEPTED,
    FACES,
    NO_HEADER,
    BurnedInRisk,
    burned_in_risk,
    may_show_face,
)
from mist.ingest.dicom_dataset import read_dataset
from mist.ingest.dicom_header import HEADER_KEYWORDS, DicomHeader, header_of, is_directory
from mist.ingest.source import SourceKind

FILES = "files"
"""How many files were looked at."""

_CLEANERS = {
    SourceKind.NIFTI: clean_nifti,
    SourceKind.PICTURE: clean_picture,
    SourceKind.TIFF: clean_tiff,
    SourceKind.NUMPY: clean_array,
}
"""Of all kinds but DICOM."""


@dataclass(frozen=True, slots=True)
class Deidentification:
    """What is done to each file before anything else reads it."""

    profile: Profile
    """What is kept."""
    key: Key
    """From which pseudonyms follow."""
    accepts_burned_in: bool = False
    """Whether somebody has looked at the pixels, and answers for them."""

    def header(self, path: Path, relative: PurePath) -> DicomHeader | None:
        """The clean header of the DICOM file at `path`; see `mist.ingest.dicom_header.read_header`.

        Raises
        ------
        SourceRefused
            It cannot be read.
        """
        with discreet():
            dataset = read_dataset(path, HEADER_KEYWORDS)
            if is_directory(dataset):
                return None
            clean = clean_header(dataset, self.key, self.profile)
        return header_of(clean, path, relative)

    def clean(self, path: Path, kind: SourceKind) -> tuple[bytes, Findings]:
        """The file at `path` without what identifies.

        Raises
        ------
        BurnedInRisk
            Its pixels may show who the patient is, and nobody has answered for them.
        SourceRefused
            It cannot be read.
        """
        with discreet(path.name):
            if kind is SourceKind.DICOM:
                return self._clean_dicom(path)
            facts = {FILES: 1} | ({} if kind is SourceKind.NIFTI else {NO_HEADER: 1})
            return _CLEANERS[kind](path.read_bytes()), Findings(facts=facts)

    def _clean_dicom(self, path: Path) -> tuple[bytes, Findings]:
        dataset, tally, facts = read_dataset(path), Tally(), Counter({FILES: 1})
        facts[FACES] += may_show_face(dataset)
        risk = burned_in_risk(dataset)
        if risk and not self.accepts_burned_in:
            raise BurnedInRisk(
                f"{risk}; look at its pixels, and if they name nobody, give it by itself with --accept-burned-in"
            )
        facts[BURNED_IN_ACCEPTED] += bool(risk)
        remark = "burned-in text accepted by the operator" if risk else ""
        clean = clean_file(dataset, self.key, self.profile, tally, remark=remark)
        return clean, Findings(dict(tally.actions), dict(+facts))
