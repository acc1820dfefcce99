"""Pixel Data without what is no pixel.

The rule: what a decoder gives is the same before and after, bit for bit. What lies between and beyond goes: see
`mist.ingest.deidentify.native_samples`, `plain_frames` and `marked_codestream` for each kind of frame.
"""

from __future__ import annotations

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.tag import Tag
from pydicom.uid import UID, RLELossless

from mist.errors import SourceRefused
from mist.ingest.deidentify.dataset import UNDEFINED_LENGTH
from mist.ingest.deidentify.marked_codestream import without_texts
from mist.ingest.deidentify.native_samples import Form, frames_of, native, samples_of
from mist.ingest.deidentify.plain_frames import plain_frame
from mist.ingest.dicom_streams import require_frames

_PIXELS = 0x7FE00010
_OFFSET_TABLES = (0x7FE00001, 0x7FE00002)
_FLOATS = {0x7FE00008: 4, 0x7FE00009: 8}
"""Bytes of a sample of Float and of Double Float Pixel Data (PS3.3 C.7.6.24, C.7.6.25)."""
_JPEGS = "1.2.840.10008.1.2.4."
"""Root of the transfer syntaxes of the JPEG family (PS3.5 A.4.1, A.4.3, A.4.4, A.4.9 to A.4.11)."""


def clean_pixels(dataset: Dataset, syntax: UID, *, is_little_endian: bool) -> None:
    """Take from the Pixel Data of a clean `dataset` what is no pixel."""
    _clean_floats(dataset)
    if _PIXELS not in dataset:
        return
    element = dataset.get_item(_PIXELS)
    if not isinstance(element, RawDataElement) or element.value is None:
        return
    if element.length == UNDEFINED_LENGTH:
        dataset[Tag(_PIXELS)] = element._replace(value=_wrapped_anew(dataset, element.value, syntax))
    else:
        form = Form.of(dataset)
        _require_no_more(element.value, form, frames_of(dataset))
        value = native(element.value, form, "<" if is_little_endian else ">")
        dataset[Tag(_PIXELS)] = element._replace(value=value, length=len(value))
    for tag in _OFFSET_TABLES:  # which are of frames as they were, if of any
        dataset.pop(tag, None)


def _require_no_more(value: bytes, form: Form, frames: int) -> None:
    """Refuse samples after which there is another frame: it is a picture, and no rest to be taken away."""
    held = (len(value) - form.bytes % 2) // max(1, form.part(frames).bytes)
    if held > frames:
        raise SourceRefused(f"the header says {frames} frames, and there are {held}; correct Number of Frames")


def _wrapped_anew(dataset: Dataset, value: bytes, syntax: UID) -> bytes:
    """Encoded frames, cleaned one by one; without offsets, which need say nothing that is true."""
    count, shape = frames_of(dataset), (int(dataset.Rows), int(dataset.Columns))
    form = Form.of(dataset).part(count)
    offsets = [dataset.get_item(tag).value for tag in _OFFSET_TABLES if tag in dataset]
    table = dataset.get_item(_OFFSET_TABLES[0])
    require_frames(value, count, is_rle=syntax == RLELossless, offsets=None if table is None else table.value)
    extended = (offsets[0], offsets[1]) if len(offsets) == len(_OFFSET_TABLES) else None
    frames = generate_frames(value, number_of_frames=count, extended_offsets=extended)
    is_marked = syntax.startswith(_JPEGS)
    clean = [without_texts(frame) if is_marked else plain_frame(frame, form, shape, syntax) for frame in frames]
    return encapsulate(clean, has_bot=False)


def _clean_floats(dataset: Dataset) -> None:
    """Floats without what follows the last one; none of them beside Pixel Data, of which an image has one kind."""
    for tag, sample_bytes in _FLOATS.items():
        element = dataset.get_item(tag)
        if isinstance(element, RawDataElement):
            value = (element.value or b"")[: samples_of(dataset) * sample_bytes]
            dataset[Tag(tag)] = element._replace(value=value, length=len(value))
        if _PIXELS in dataset:
            dataset.pop(tag, None)
