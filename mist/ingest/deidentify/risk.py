"""What pixels may show of a patient, as far as a header tells: burned-in text, and faces.

The rule: nobody looks at pixels here. Burned In Annotation (0028,0301) may be absent, and then "may or may not contain"
text (PS3.3 Table C.7-9); so a file that says YES, and one that is silent and of a kind known for text in its pixels, is
refused until a person who has looked accepts it. A face that could be reconstructed (PS3.15 E.3.2) is only counted.
"""

from __future__ import annotations

from pydicom.config import IGNORE
from pydicom.dataset import Dataset
from pydicom.uid import UID

from mist.errors import SourceRefused
from mist.ingest.deidentify.dataset import stored_text

_BURNED_IN, _FEATURES, _MODALITY, _CONVERSION, _IMAGE_TYPE, _SOP_CLASS, _BODY_PART = (
    0x00280301,
    0x00280302,
    0x00080060,
    0x00080064,
    0x00080008,
    0x00080016,
    0x00180015,
)

_TEXT_MODALITIES = frozenset(
    {"AU", "BMD", "DOC", "ECG", "EPS", "ES", "GM", "HD", "IVUS", "KO", "OP", "OPT", "OT", "PR", "PX", "SC", "SR", "US"}
    | {"XC", ""}
)
"""Modalities (PS3.3 C.7.3.1.1.1) whose machines write on the picture, whose pictures are of pages and screens, and none
at all."""

_TEXT_CONVERSIONS = frozenset({"DF", "DI", "DRW", "DV", "SD", "SI", "SYN", "WSD"})
"""Conversion Types (PS3.3 C.8.6.1): all there are, since each says that the picture was taken of another one."""

_SCREENS = frozenset({"SCREEN SAVE", "SCREENSAVE", "DOSE_INFO", "REPORT"})
"""Values of Image Type for pictures of screens and tables."""

_FACE_MODALITIES = frozenset({"CT", "MR", "NM", "PT"})
_FACE_PARTS = frozenset(
    {"", "BRAIN", "FACE", "HEAD", "HEADNECK", "JAW", "NECK", "ORBIT", "SINUS", "SKULL", "WHOLEBODY"}
)

BURNED_IN_ACCEPTED = "files whose burned-in text was accepted"
BURNED_IN_REFUSED = "files refused for burned-in text"
NO_HEADER = "pictures and arrays without a header that tells of burned-in text"
FACES = "files of which a face may be reconstructed"


class BurnedInRisk(SourceRefused):
    """The pixels may show who the patient is."""


def burned_in_risk(dataset: Dataset) -> str:
    """Why the pixels of an object may show text about the patient; empty where nothing says so."""
    said = stored_text(dataset, _BURNED_IN).upper()
    if said == "YES":
        return "its header says that text is burned into the pixels"
    if said == "NO":
        return ""
    modality = stored_text(dataset, _MODALITY).upper()
    name = UID(stored_text(dataset, _SOP_CLASS), validation_mode=IGNORE).name
    is_picture = (
        modality in _TEXT_MODALITIES
        or "Secondary Capture" in name
        or stored_text(dataset, _CONVERSION) in _TEXT_CONVERSIONS
        or not _SCREENS.isdisjoint(stored_text(dataset, _IMAGE_TYPE).split("\\"))
    )
    return "images of its kind often show text, and its header does not say that there is none" if is_picture else ""


def may_show_face(dataset: Dataset) -> bool:
    """Whether a face may be seen, or reconstructed."""
    said = stored_text(dataset, _FEATURES)
    part = stored_text(dataset, _BODY_PART).upper()
    is_head = stored_text(dataset, _MODALITY) in _FACE_MODALITIES and part in _FACE_PARTS
    return said == "YES" or (said != "NO" and (is_head or stored_text(dataset, _MODALITY) == "XC"))
