"""DICOM files without what identifies.

The rule: the new file is written from the clean dataset alone: an empty preamble, file meta information of its own, and
what was done to it (0012,0062 to 0012,0064 by PS3.15 E.1.1; 0028,0303 by E.2 and E.3.6). Its transfer syntax stays, so
that pixels do.
"""

from __future__ import annotations

from io import BytesIO

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from mist.ingest.deidentify.counts import Tally
from mist.ingest.deidentify.dataset import clean_dataset
from mist.ingest.deidentify.dicom_pixels import clean_pixels
from mist.ingest.deidentify.key import Key
from mist.ingest.deidentify.profile import Option, Profile
from mist.ingest.deidentify.table import EDITION
from mist.ingest.dicom_dataset import transfer_syntax

IMPLEMENTATION = UID("2.25.271346120836207117339049219190218173573")
"""MIST, as the writer of a file (PS3.7 D.3.3.2)."""

_PREAMBLE = bytes(128)


def clean_header(dataset: FileDataset, key: Key, profile: Profile) -> FileDataset:
    """`dataset`, which was read without its pixels, without what identifies."""
    is_implicit, is_little_endian = dataset.original_encoding
    clean = clean_dataset(dataset, key, profile, Tally(), is_little_endian=bool(is_little_endian))
    found = FileDataset("", clean, is_implicit_VR=bool(is_implicit), is_little_endian=bool(is_little_endian))
    found.file_meta = _meta(found, None)
    return found


def clean_file(dataset: FileDataset, key: Key, profile: Profile, tally: Tally, *, remark: str = "") -> bytes:
    """The file of `dataset`, which nothing has asked for a value yet, without what identifies.

    Parameters
    ----------
    remark
        What else the file says of how it was de-identified.
    """
    is_little_endian = bool(dataset.original_encoding[1])
    clean = clean_dataset(dataset, key, profile, tally, is_little_endian=is_little_endian)
    syntax = transfer_syntax(dataset)  # which converts elements
    clean_pixels(clean, syntax, is_little_endian=is_little_endian)
    _sign(clean, profile, remark)
    clean.set_original_encoding(syntax.is_implicit_VR, syntax.is_little_endian, "iso8859")
    whole = FileDataset("", clean, _PREAMBLE, _meta(clean, syntax), syntax.is_implicit_VR, syntax.is_little_endian)
    whole.set_original_encoding(syntax.is_implicit_VR, syntax.is_little_endian, "iso8859")
    stream = BytesIO()
    dcmwrite(stream, whole)
    return stream.getvalue()


def _meta(dataset: Dataset, syntax: UID | None) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0  # written when it is known
    meta.FileMetaInformationVersion = b"\0\1"
    for keyword, source in (
        ("MediaStorageSOPClassUID", "SOPClassUID"),
        ("MediaStorageSOPInstanceUID", "SOPInstanceUID"),
    ):
        if dataset.get(source):
            setattr(meta, keyword, dataset.get(source))
    if syntax is not None:
        meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = IMPLEMENTATION
    meta.ImplementationVersionName = "MIST"
    return meta


def _sign(dataset: Dataset, profile: Profile, remark: str) -> None:
    """Let `dataset` say what was done to it."""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = [f"MIST: {profile}", f"PS3.15 {EDITION} Annex E", *([remark] if remark else [])]
    dataset.DeidentificationMethodCodeSequence = [_code(*code) for code in profile.codes]
    is_shifted = Option.MODIFIED_DATES in profile.options
    dataset.LongitudinalTemporalInformationModified = "MODIFIED" if is_shifted else "REMOVED"


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code
