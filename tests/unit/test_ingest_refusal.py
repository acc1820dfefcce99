from __future__ import annotations

import pytest

from mist.errors import SourceRefused
from mist.ingest.refusal import refusing


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
