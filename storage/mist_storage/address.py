"""Where a dataset lies: an address, parsed and made canonical.

The rule: an address names a place, no credentials; nothing is opened here, and nothing made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from mist.errors import DatasetNotFound, InvalidRequest
from mist_storage.store_failures import translate_failure

SCHEMES = ("file", "s3", "https", "http", "memory")
"""The kinds of address that a dataset may have."""

WRITABLE_SCHEMES = ("file", "s3")
"""Those that a catalog's table can lie at, and be written to."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address of a dataset or of a folder of datasets, parsed and made canonical."""

    url: str
    """Without a slash at the end; `file://` with an absolute path."""
    scheme: str
    """One of `SCHEMES`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address in `text`: a URL, or a path of a local folder.

        Raises
        ------
        InvalidRequest
            It is empty, of no scheme of `SCHEMES`, names no bucket or host, or names more than a place.
        """
        if not text.strip():  # a variable of a shell that was not set would mean the current folder
            raise InvalidRequest("an address is empty; name a folder (. is the current one), s3://... or https://...")
        scheme, separator, rest = text.partition("://")
        if not separator:
            return cls._of_folder(Path(text))
        if scheme not in SCHEMES:
            raise InvalidRequest(f"an address begins with {', '.join(s + '://' for s in SCHEMES)}, not {text!r}")
        if scheme == "file":
            return cls._of_folder(_local_path(text))
        if any(mark in rest for mark in "?#") or "@" in rest.partition("/")[0]:
            raise InvalidRequest(
                f"{scheme}://...: an address has no ?, # or user@; give credentials in the environment"
            )
        if not rest.strip("/") or rest.startswith("/"):
            raise InvalidRequest(f"{text!r} names no bucket, host or store")
        if not {"", ".", ".."}.isdisjoint(rest.rstrip("/").split("/")):
            raise InvalidRequest(f"{text!r} has a part that is empty, . or ..; write the address without it")
        return cls(text.rstrip("/"), scheme)

    @classmethod
    def _of_folder(cls, path: Path) -> Self:
        absolute = path.absolute()
        whole = absolute.resolve() if ".." in absolute.parts else absolute
        return cls(whole.as_uri().rstrip("/") if whole != Path("/") else "file://", "file")

    @property
    def path(self) -> Path:
        """The local folder of a `file` address."""
        return Path(unquote(urlsplit(self.url).path) or "/")

    @property
    def bucket(self) -> str | None:
        """The bucket of an `s3` address; None for the others."""
        return urlsplit(self.url).netloc if self.scheme == "s3" else None

    def holds(self, path: Path) -> bool:
        """Whether a local path is this folder or lies below it; a link counts as what it leads to."""
        return self.scheme == "file" and path.resolve().is_relative_to(self.path.resolve())

    def joined(self, *names: str) -> Address:
        """The address of something below this one."""
        return Address("/".join((self.url, *names)), self.scheme)


def require_folder(address: Address) -> None:
    """Make sure that a `file` address is a folder that is there, so that reading never creates one.

    Raises
    ------
    DatasetNotFound
        There is no such folder.
    StoreDenied
        It may not be looked at.
    """
    try:
        if address.scheme == "file" and not address.path.is_dir():
            raise DatasetNotFound(f"{address.url}: there is no such folder")
    except OSError as error:
        raise translate_failure(error, address.url) from None


def _local_path(url: str) -> Path:
    """The folder of a `file://` address, percent-encoded or not."""
    host, _, rest = url.removeprefix("file://").partition("/")
    if host not in ("", "localhost"):
        raise InvalidRequest(f"{url!r}: a file address has three slashes: file:///folder")
    return Path("/" + unquote(rest))
