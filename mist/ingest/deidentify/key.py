"""The secret from which a de-identification draws whatever takes the place of what identifies.

The rule: the same key gives the same pseudonyms in every run, and without it nobody can tell whose they are. It comes
from a file that only its owner can read; it is never an argument, never stored, never shown. Each purpose has digests
of its own, so that a patient's identifier and a file's name that are spelt alike do not show as alike.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from mist.errors import InvalidRequest

LEAST_CHARACTERS = 32
"""The shortest key that is taken: 32 hex digits are 128 random bits."""

MOST_DAYS = 3650
"""The most by which a patient's dates move back: ten years, so that seasons and weekdays say nothing."""

_UUID_ROOT = "2.25."
"""Below it, any number of 128 bits is a UID (PS3.5 B.2)."""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret, and the pseudonyms that follow from it."""

    secret: bytes = field(repr=False)
    """At least `LEAST_CHARACTERS` bytes."""

    def __post_init__(self) -> None:
        if len(self.secret) < LEAST_CHARACTERS:
            raise InvalidRequest(
                f"the key has {len(self.secret)} characters, and {LEAST_CHARACTERS} are the least; "
                "make one with `mist new-key FILE`"
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """The key in the file at `path`.

        Raises
        ------
        InvalidRequest
            There is none, others than its owner may read it, or it is too short.
        """
        try:
            mode, secret = path.stat().st_mode, path.read_bytes().strip()
        except OSError as error:
            raise InvalidRequest(
                f"the key file {path} cannot be read ({error.strerror}); make one with `mist new-key {path}`, and keep "
                "it: another key gives every patient other pseudonyms"
            ) from None
        if stat.S_IMODE(mode) & 0o077:
            raise InvalidRequest(f"others may read the key file {path}; take that from them: chmod 600 {path}")
        return cls(secret)

    def digest(self, purpose: str, text: str) -> bytes:
        """32 bytes that follow from `text`, and differ from those of any other purpose."""
        return hmac.digest(self.secret, f"{purpose}\0{text}".encode("utf-8", "surrogateescape"), "sha256")

    def pseudonym(self, purpose: str, text: str) -> str:
        """20 hex digits that take the place of `text`."""
        return self.digest(purpose, text).hex()[:20]

    def uid(self, original: str) -> str:
        """The UID that takes the place of `original`, wherever it stands."""
        number = bytearray(self.digest("uid", original)[:16])
        number[6] = number[6] & 0x0F | 0x80  # a UUID of version 8, which is what its maker likes (RFC 9562 5.8)
        number[8] = number[8] & 0x3F | 0x80
        return f"{_UUID_ROOT}{int.from_bytes(number)}"

    def days_back(self, patient: str) -> int:
        """By how many days the dates of a patient move back, from 1 to `MOST_DAYS`."""
        return 1 + int.from_bytes(self.digest("days", patient)[:8]) % MOST_DAYS

    @property
    def name(self) -> str:
        """What tells keys apart without giving one away."""
        return self.pseudonym("key", "")[:8]


def make_key(path: Path) -> None:
    """Write a new key to a file that only its owner can read.

    Raises
    ------
    InvalidRequest
        The file is there: a key that is overwritten is lost, and with it what leads to the same pseudonyms. Or it
        cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InvalidRequest(f"{path} is there already, and a key is never overwritten; give another name") from None
    except OSError as error:
        raise InvalidRequest(
            f"the key {path} cannot be written ({error.strerror}); name a folder that is there and you can write to"
        ) from None
    with os.fdopen(handle, "w") as stream:
        stream.write(secrets.token_hex(32) + "\n")
