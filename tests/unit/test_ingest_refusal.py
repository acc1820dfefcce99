from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

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


def test_what_a_parser_logs_first_of_all_stays_unsaid_too(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.zeros((4, 4), np.uint8), description="a name")
    path.write_bytes(path.read_bytes().replace(b"a name", b"a nam\x81"))
    code = f"""
from mist.ingest.refusal import silent_parsers
import tifffile
with silent_parsers(), tifffile.TiffFile({str(path)!r}) as file:
    file.pages[0].description
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stderr == b""


def test_what_others_log_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    with refusing("f.dcm"):
        logging.getLogger("somebody.else").critical("heard")
    assert [record.message for record in caplog.records] == ["heard"]
