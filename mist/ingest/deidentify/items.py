"""Items of a sequence, also of one that was written by something that did not know it to be one.

The rule: a value of unknown VR (UN) is in Implicit VR Little Endian whatever the file is in (PS3.5 6.2.2), and of any
length. What is no sequence of items is refused: to take a sequence away could put an image elsewhere. Knows no values.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from mist.errors import SourceRefused

_ITEM = b"\xfe\xff\x00\xe0"
"""How a sequence of items begins, in little endian (PS3.5 7.5)."""


def items_of(dataset: Dataset, tag: BaseTag) -> Iterable[Dataset]:
    """The items of the sequence `tag` of `dataset`.

    Raises
    ------
    SourceRefused
        The element is of unknown VR, and holds no items.
    """
    element = dataset.get_item(tag, keep_deferred=True)
    items: Iterable[Dataset] = _parsed(tag, element.value or b"") if element.VR == "UN" else dataset[tag].value
    return items


def _parsed(tag: BaseTag, value: bytes) -> Iterable[Dataset]:
    """The items in a value of unknown VR; pydicom leaves such a value as bytes where it has 64 KiB or more."""
    known = RawDataElement(tag, "SQ", len(value), value, 0, True, True)  # noqa: FBT003
    try:
        if value and not value.startswith(_ITEM):
            raise ValueError("no item")  # noqa: TRY301 - what the parser finds out only with debugging on
        items: Iterable[Dataset] = convert_raw_data_element(known).value
    except Exception:  # noqa: BLE001 - whatever a parser trips over, and its message may quote what it read
        raise SourceRefused(
            f"{tag} {keyword_for_tag(tag)} should be a sequence, and is {len(value)} bytes of unknown VR (UN) that are "
            "no items; take it out of the file, or export the file anew from what wrote it"
        ) from None
    return items
