"""Failures of foreign bytes as refusals.

The rule: a file from outside may make a parser raise anything; whatever it raises becomes one `SourceRefused` that
names the file and gives the cause in one line. Knows no format.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from mist.errors import MistError, SourceRefused

MAX_CAUSE_CHARACTERS = 300
"""A parser's message is cut here: some quote the whole of what they could not read."""


_PARSERS = frozenset({"PIL", "nibabel", "openjpeg", "pydicom", "pylibjpeg", "rle", "tifffile"})
"""Packages that read files, by the first part of their loggers' names."""


@contextmanager
def silent_parsers() -> Iterator[None]:
    """Let no warning and no line of a log out of what reads files: they name no file, and may quote what is in it."""
    known = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in _PARSERS]
    all_loggers = map(logging.getLogger, {*_PARSERS, *known})  # tifffile makes its own when it first has to say a thing
    loggers = [logger for logger in all_loggers if not logger.disabled]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.disabled = True
        try:
            yield
        finally:
            for logger in loggers:
                logger.disabled = False


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """Turn every exception raised inside into a refusal of the source called `name`, and let no warning and no log out.

    Parsers tell of headers that break their standard in ways that do not touch the voxels (a padded value, a wrong VR):
    real archives are full of these. What does touch the voxels raises, or is checked by our own code.

    Raises
    ------
    SourceRefused
        Anything was raised inside.
    """
    with silent_parsers():
        try:
            yield
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # a decoder written in Rust panics with what is no Exception
            raise SourceRefused(f"{name}: {cause(error)}") from error


def cause(error: BaseException) -> str:
    """What went wrong, in one line; with the kind of error where that is not one of ours and says more."""
    text = " ".join(str(error).split())
    if len(text) > MAX_CAUSE_CHARACTERS:
        text = text[:MAX_CAUSE_CHARACTERS] + "..."
    if isinstance(error, MistError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
