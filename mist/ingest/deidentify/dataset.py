"""A DICOM dataset without what identifies.

The rule: the clean dataset is built from nothing, element by element, so that what nobody thought of is not in it. The
table decides (`mist.ingest.deidentify.table`); here it is done, in items of sequences as at the top. Bytes that stay
are the bytes of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from mist.ingest.deidentify.codes import is_public_code
from mist.ingest.deidentify.counts import Tally
from mist.ingest.deidentify.items import items_of
from mist.ingest.deidentify.key import Key
from mist.ingest.deidentify.lookup_tables import DESCRIPTORS, entries_only
from mist.ingest.deidentify.profile import Option, Profile
from mist.ingest.deidentify.safe_private import MOST_VALUES, creator_tag, safe_vr
from mist.ingest.deidentify.table import PALETTES, TABLE, Action, action_of, most_values, standard_vr
from mist.ingest.deidentify.values import (
    age_of_many,
    dummy,
    formed,
    has_count,
    has_form,
    is_well_known,
    padded,
    shifted,
    text_of,
)

_CODE_VALUE, _CODE_SCHEME, _CODE_MEANING = 0x00080100, 0x00080102, 0x00080104
_CODE = frozenset({_CODE_VALUE, _CODE_SCHEME, _CODE_MEANING})
_PATIENT_NAME, _PATIENT_ID, _BIRTH_DATE, _AGE, _STUDY_UID = 0x00100010, 0x00100020, 0x00100030, 0x00101010, 0x0020000D
_PHOTOMETRIC, _ROWS, _LUT_DATA = 0x00280004, 0x00280010, 0x00283006

_SEGMENTED = 0x20
"""By how much the tag of a palette in segments is greater than that of the same one entry by entry."""

UNDEFINED_LENGTH = 0xFFFFFFFF
"""Length of an element that ends by a mark (PS3.5 7.1.1)."""

_Element = DataElement | RawDataElement
_Done = tuple[Action, bytes | None]


def clean_dataset(dataset: Dataset, key: Key, profile: Profile, tally: Tally, *, is_little_endian: bool) -> Dataset:
    """A new dataset with what may stay of `dataset`, which nothing has asked for a value yet."""
    return _Cleaning(dataset, key, profile, tally, patient_of(dataset), is_little_endian).result()


def patient_of(dataset: Dataset) -> str:
    """What tells the patient of an object from others: the number, else name and date of birth, else the study."""
    name = f"{stored_text(dataset, _PATIENT_NAME)}^{stored_text(dataset, _BIRTH_DATE)}"
    return stored_text(dataset, _PATIENT_ID) or (name if name != "^" else stored_text(dataset, _STUDY_UID))


def stored_text(dataset: Dataset, tag: int) -> str:
    """The value of an element as characters; empty where there is none."""
    return text_of(_stored(dataset, tag)) if tag in dataset else ""


@dataclass(frozen=True, slots=True)
class _Cleaning:
    """One dataset being cleaned, at the top or in a sequence."""

    source: Dataset
    key: Key
    profile: Profile
    tally: Tally
    patient: str
    """Whose dataset it is; see `patient_of`."""
    is_little_endian: bool
    is_top: bool = True
    """Whether it is the object itself, whose pixels are the image; those in an item are of something else."""

    def result(self) -> Dataset:
        clean = Dataset()
        tags = sorted(
            self.source.keys(), key=lambda tag: _is_sequence(self.source, tag)
        )  # which convert other elements
        for tag in tags:
            for element in self._private(tag) if tag.is_private else self._standard(tag):
                clean[element.tag] = element
        return clean

    def _standard(self, tag: BaseTag) -> Iterator[_Element]:
        """What stays of a standard element, or of one that nobody knows: one, or none."""
        vr = standard_vr(tag, _file_vr(self.source, tag))
        action = action_of(tag, vr, self.profile)
        if vr == "SQ" and action is not Action.REMOVE:
            self._count(tag, action)
            yield DataElement(tag, "SQ", self._sequence(tag, action))
            return
        done, value = self.done(tag, vr, action)
        self._count(tag, done, is_standard=vr is not None)
        if value is not None and vr is not None:
            yield self._raw(tag, vr, value)

    def done(self, tag: int, vr: str | None, action: Action) -> _Done:
        """What is really done to an element that is no sequence, and its value then; None where it goes."""
        if vr is None or action is Action.REMOVE:
            return Action.REMOVE, None
        return self.code(tag, vr) if tag in _CODE else _DOINGS[action](self, tag, vr)

    def keep(self, tag: int, vr: str) -> _Done:
        """A value that stays if it has the form of its VR; a text gives way to one that says so."""
        value = self._table(tag) if tag in DESCRIPTORS else _stored(self.source, tag)
        if value is None:
            return Action.REMOVE, None
        if vr.startswith("O"):
            return (Action.KEEP, value) if self._belongs(tag) else (Action.REMOVE, None)
        if not has_count(vr, value, most_values(tag)):
            return Action.REMOVE, None
        if not has_form(vr, value):
            return (Action.DUMMY, formed(vr, value)) if vr in ("CS", "LO", "SH") else (Action.REMOVE, None)
        aged = age_of_many(value) if tag == _AGE else value
        return (Action.KEEP if aged == value else Action.DUMMY), aged

    def code(self, tag: int, vr: str) -> _Done:
        """A code that stays if a public vocabulary can have it, and says its meaning by itself."""
        value = stored_text(self.source, _CODE_VALUE)
        if not is_public_code(stored_text(self.source, _CODE_SCHEME), value):
            return Action.REMOVE, None
        return (Action.DUMMY, padded(value)) if tag == _CODE_MEANING else self.keep(tag, vr)

    def empty(self, _tag: int, _vr: str) -> _Done:
        """No value."""
        return Action.EMPTY, b""

    def replace(self, _tag: int, vr: str) -> _Done:
        """A value that says nothing."""
        return Action.DUMMY, dummy(vr)

    def uid(self, tag: int, _vr: str) -> _Done:
        """Other UIDs, where they are not the standard's own."""
        value = _stored(self.source, tag)
        uids = self._uids(value)
        return (Action.KEEP if text_of(uids) == text_of(value) else Action.UID), uids

    def shift(self, tag: int, vr: str) -> _Done:
        """Dates moved back; what the table says where one of them cannot be read."""
        value = shifted(vr, _stored(self.source, tag), self.key.days_back(self.patient))
        return (Action.SHIFT, value) if value is not None else self.done(tag, vr, TABLE[tag])

    def pseudonym(self, _tag: int, _vr: str) -> _Done:
        """The patient's other name."""
        return Action.PSEUDONYM, padded(self.key.pseudonym("patient", self.patient))

    def _belongs(self, tag: int) -> bool:
        """Whether bytes stand where they have a meaning: pixels in an image, entries in a table, colours of indices."""
        if tag in PALETTES:
            is_spare = tag - _SEGMENTED in DESCRIPTORS and tag - _SEGMENTED in self.source  # which no decoder reads
            return stored_text(self.source, _PHOTOMETRIC) == "PALETTE COLOR" and not is_spare
        if tag == _LUT_DATA:
            return True  # it has a descriptor, or was gone by now
        return self.is_top and _ROWS in self.source

    def _table(self, tag: int) -> bytes | None:
        """The entries of a lookup table; None where nothing describes it."""
        descriptor = DESCRIPTORS[tag]
        said = _stored(self.source, descriptor) if descriptor in self.source else b""
        return entries_only(_stored(self.source, tag), said, is_little_endian=self.is_little_endian)

    def _uids(self, value: bytes) -> bytes:
        uids = [part.strip(" \0") for part in text_of(value).split("\\")]
        return padded("\\".join(uid if not uid or is_well_known(uid) else self.key.uid(uid) for uid in uids), b"\0")

    def _sequence(self, tag: BaseTag, action: Action) -> Sequence:
        if action is Action.EMPTY:
            return Sequence()
        items = items_of(self.source, tag)
        if action is Action.DUMMY:
            return Sequence([self._dummies(item) for item in items])
        return Sequence([self._item(item) for item in items])

    def _item(self, item: Dataset) -> Dataset:
        """An item, cleaned; one of unknown VR may have another byte order than the file."""
        is_little_endian = item.original_encoding[1] is not False
        return replace(self, source=item, is_top=False, is_little_endian=is_little_endian).result()

    def _dummies(self, item: Dataset) -> Dataset:
        """An item in which every value is a dummy."""
        found = Dataset()
        for tag in item.keys():  # noqa: SIM118 - elements, unlike keys, are converted
            vr = None if tag.is_private else standard_vr(tag, _file_vr(item, tag))
            if vr == "SQ":
                found[tag] = DataElement(tag, vr, Sequence([self._dummies(one) for one in items_of(item, tag)]))
            elif vr is not None and vr != "NONE":
                found[tag] = self._raw(tag, vr, self._uids(_stored(item, tag)) if vr == "UI" else dummy(vr))
        return found

    def _private(self, tag: BaseTag) -> Iterator[RawDataElement]:
        """A private element that the standard calls safe, with the creator of its block; or nothing."""
        creator = creator_tag(tag)
        name = stored_text(self.source, creator)
        vr = safe_vr(tag, name, _file_vr(self.source, tag)) if Option.SAFE_PRIVATE in self.profile.options else None
        if vr is not None and has_form(vr, value := _stored(self.source, tag)) and has_count(vr, value, MOST_VALUES):
            yield self._raw(creator, "LO", padded(name))
            yield self._raw(tag, vr, _stored(self.source, tag))
        else:
            self._count(tag, Action.REMOVE, is_standard=False)

    def _raw(self, tag: int, vr: str, value: bytes) -> RawDataElement:
        element = self.source.get_item(tag, keep_deferred=True) if tag in self.source else None
        is_marked = isinstance(element, RawDataElement) and element.length == UNDEFINED_LENGTH and vr.startswith("O")
        length = UNDEFINED_LENGTH if is_marked else len(value)
        return RawDataElement(Tag(tag), vr, length, value, 0, False, self.is_little_endian)  # noqa: FBT003

    def _count(self, tag: int, action: Action, *, is_standard: bool = True) -> None:
        if action not in (Action.KEEP, Action.DESCEND):
            self.tally.add(tag, action, is_standard=is_standard)


_DOINGS = {
    Action.KEEP: _Cleaning.keep,
    Action.EMPTY: _Cleaning.empty,
    Action.DUMMY: _Cleaning.replace,
    Action.UID: _Cleaning.uid,
    Action.SHIFT: _Cleaning.shift,
    Action.PSEUDONYM: _Cleaning.pseudonym,
}
"""What each action does to an element that is no sequence."""


def _is_sequence(dataset: Dataset, tag: BaseTag) -> bool:
    return not tag.is_private and standard_vr(tag, _file_vr(dataset, tag)) == "SQ"


def _stored(dataset: Dataset, tag: int) -> bytes:
    """The value of an element as it is stored."""
    element = dataset.get_item(tag, keep_deferred=True)
    if not isinstance(element, RawDataElement):  # a sequence, or one that was asked for its value
        raise TypeError("an element that is no sequence has items")
    return element.value or b""


def _file_vr(dataset: Dataset, tag: int) -> str | None:
    """The VR that the file gives an element; None where it is silent."""
    vr = dataset.get_item(tag, keep_deferred=True).VR
    return None if vr is None else str(vr)
