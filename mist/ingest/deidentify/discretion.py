"""Failures over files that still identify somebody, told without a word of them.

The rule: a parser's message may quote what it could not read, and so may its warnings and its log; of an error that is
not our own only the kind is told. For the time before a file is clean; afterwards nothing can be quoted that is not
stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mist.errors import SourceRefused
from mist.ingest.refusal import silent_parsers


@contextmanager
def discreet(name: str = "") -> Iterator[None]:
    """Turn what is raised inside into a refusal that quotes nothing, of the source called `name` where one is given.

    Raises
    ------
    SourceRefused
        Anything was raised inside; of one of ours, whose words are our own, the type stays.
    """
    prefix = f"{name}: " if name else ""
    with silent_parsers():
        try:
            yield
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except SourceRefused as error:
            raise type(error)(f"{prefix}{error}") from None
        except BaseException as error:  # noqa: BLE001 - a decoder written in Rust panics with what is no Exception
            raise SourceRefused(
                f"{prefix}it cannot be de-identified, since it cannot be read ({type(error).__name__}); export it anew"
            ) from None
