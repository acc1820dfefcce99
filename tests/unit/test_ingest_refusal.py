from __future__ import annotations

import logging

import pytest

from mist.errors import SourceRefused
from mist.ingest.refusal import refusing, silent_parsers


class Panic(BaseException):
    """What a decoder written in Rust raises: no Exception."""


@pytest.mark.parametrize("error", [ValueError("a\nb"), MemoryError("a b"), RecursionError("a b"), Panic("a b")])
def test_whatever_a_parser_raises_is_a_refusal_in_one_line(error: BaseException) -> None:
    with pytest.raises(SourceRefused, match=f"^f.dcm: {type(error).__name__}: a b$"), refusing("f.dcm"):
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_what_ends_the_program_ends_it(error: BaseException) -> None:
    with pytest.raises(type(error)), refusing("f.dcm"):
        raise error


@pytest.mark.parametrize("name", ["nibabel.global", "pydicom", "pydicom.some.part", "tifffile"])
def test_what_parsers_log_without_a_file_s_name_stays_unsaid_inside_and_only_there(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger(name)
    with refusing("f.dcm"), silent_parsers():
        logger.critical("unnamed")
    logger.critical("outside")
    assert [record.message for record in caplog.records] == ["outside"]


def test_what_others_log_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    with refusing("f.dcm"):
        logging.getLogger("somebody.else").critical("heard")
    assert [record.message for record in caplog.records] == ["heard"]
