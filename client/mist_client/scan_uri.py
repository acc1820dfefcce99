"""The address of one scan, for programs that know files by name: `mist+<dataset address>#<scan id>`.

    mist+file:///data/cxr#scan-7      mist+s3://bucket/cxr@12#scan-7      mist+https://host/v1/datasets/cxr/store#scan-7

The rule: what follows `mist+` up to the `#` is what `mist_client.open` takes, version included. Path libraries squeeze
`://` to `:/` (MONAI's LoadImage does), so slashes after the scheme are not counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from mist.errors import InvalidRequest
from mist_storage.address import SCHEMES
from mist_storage.keys import checked_scan_id

_FORM = re.compile(rf"mist\+({'|'.join(SCHEMES)}):/+(.+)#(.*)")


@dataclass(frozen=True, slots=True)
class ScanUri:
    """The address of one scan; `str` gives its text."""

    dataset_url: str
    """The dataset's address, which may end in `@N` for version N."""
    scan_id: str

    def __str__(self) -> str:
        return f"mist+{self.dataset_url}#{self.scan_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address in `text`.

        Raises
        ------
        InvalidRequest
            It is not of the form above.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise InvalidRequest(f"a scan's address is mist+file:///folder#scan-id, or s3, https, http; not {text!r}")
        scheme, rest, scan_id = match.groups()
        slashes = "///" if scheme == "file" else "//"
        return cls(f"{scheme}:{slashes}{rest}", checked_scan_id(scan_id))


def is_scan_uri(text: str) -> bool:
    """Whether `text` has the form of a scan's address."""
    return _FORM.fullmatch(text) is not None
