"""The address below which a server finds its datasets.

The rule: a dataset is a folder directly below the root that holds a catalog. Where the root itself holds one, it is the
only dataset and goes by the last part of the address. A name never becomes part of an address unless it is plain.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from mist.errors import DatasetNotFound, ObjectNotFound, StoreUnavailable
from mist.server.remembered import Clock, Remembered
from mist_storage.address import Address
from mist_storage.keys import CATALOG, PUBLISHED_CATALOG
from mist_storage.store import ObjectStore

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
"""As scan ids: such a name is one part of a path on every store, and needs no escape in an address."""


class DatasetRoot:
    """The datasets below `url`, looked for again when what is known is `max_age_s` old."""

    def __init__(self, url: str, max_age_s: float, clock: Clock) -> None:
        self.address = Address.parse(url)
        self.store = ObjectStore(self.address)
        self.own_name = unquote(self.address.url.rsplit("/", 1)[-1])
        self._is_dataset = Remembered[bool](lambda known: known or self._holds_catalog(""), max_age_s, clock)
        self._names = Remembered[list[str]](lambda _: self._found_names(), max_age_s, clock)

    def names(self) -> list[str]:
        """The names of all datasets, sorted."""
        self.check()
        return self._names.get()

    def folder_of(self, name: str) -> str:
        """The folder of the dataset `name`, empty for the root itself; whether it holds a catalog is not looked at.

        Raises
        ------
        DatasetNotFound
            No dataset can be called so here.
        StoreUnavailable
            The root is not there.
        """
        self.check()
        if self._is_dataset.get():
            if name == self.own_name:
                return ""
        elif _PLAIN_NAME.fullmatch(name):
            return name
        raise DatasetNotFound(f"no dataset is called {name!r}")

    def address_of(self, folder: str) -> Address:
        """The address of a dataset's folder."""
        return self.address.joined(folder) if folder else self.address

    def check(self) -> None:
        """Make sure that the root is there, before anything is created in it by looking.

        Raises
        ------
        StoreUnavailable
            It is a local folder and not there.
        """
        if self.address.scheme == "file" and not self.address.path.is_dir():
            raise StoreUnavailable(f"{self.address.url}: there is no such folder")

    def probe(self) -> None:
        """Ask the store something, to see whether it answers; `StoreError` where it does not."""
        self.check()
        self._holds_catalog("")

    def _found_names(self) -> list[str]:
        if self._is_dataset.get():
            return [self.own_name]
        folders = [name for name in self.store.folders() if _PLAIN_NAME.fullmatch(name)]
        return [name for name in folders if self._holds_catalog(name)]

    def _holds_catalog(self, folder: str) -> bool:
        address = self.address_of(folder)
        if address.scheme in ("file", "s3") and CATALOG in ObjectStore(address).folders():
            return True
        try:
            return bool(ObjectStore(address).get_range(PUBLISHED_CATALOG, 0, 4))
        except ObjectNotFound:
            return False
