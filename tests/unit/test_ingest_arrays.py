from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mist.errors import SourceRefused
from mist.ingest.arrays import read_array
from mist.ingest.deidentify.pictures import clean_array

NUMBERS = np.arange(24).reshape(4, 6)
STORED = "save them as one of uint8, int8, uint16, int16, uint32, int32, float32, float64"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.npy"


@pytest.mark.parametrize(
    "array",
    [
        NUMBERS > 9,
        NUMBERS.astype("float16") / 3,
        NUMBERS.astype(">u2"),
        NUMBERS.astype(">f8") / 3,
        NUMBERS.astype(">i8"),
        np.asfortranarray(NUMBERS.astype("int16")),
        np.asfortranarray(NUMBERS.reshape(2, 3, 4).astype(">i4")),
        np.full((3, 4), np.nan),
    ],
)
def test_values_are_those_of_the_file(path: Path, array: npt.NDArray[Any]) -> None:
    np.save(path, array)
    np.testing.assert_array_equal(read_array(path).volume.voxels, array)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (NUMBERS.astype(object), "Python objects, .* could run code; save it as an array of numbers"),
        (np.zeros((4, 6), [("a", "u1"), ("b", "u2")]), "records of 2 fields; save each of the fields as an array"),
        (NUMBERS.astype(complex), f"type complex128 cannot be stored; {STORED}"),
        (NUMBERS.astype("M8[s]"), re.escape(f"type datetime64[s] cannot be stored; {STORED}")),
        (NUMBERS.astype("m8[s]"), re.escape(f"type timedelta64[s] cannot be stored; {STORED}")),
        (NUMBERS.astype("U2"), f"type <U2 cannot be stored; {STORED}"),
        (NUMBERS.astype("V3"), rf"type \|V3 cannot be stored; {STORED}"),
        (NUMBERS << 40, "int64 samples from 0 to 25288767438848 do not fit in int32; shift or scale them"),
        (NUMBERS[0], r"an array of shape \(6,\); two axes .* are taken: reshape it"),
        (NUMBERS[0, 0], r"an array of shape \(\); two axes"),
        (NUMBERS.reshape(2, 2, 2, 3), r"an array of shape \(2, 2, 2, 3\); .*, or save each volume as a file"),
        (NUMBERS[:0], r"an array of shape \(0, 6\) has no samples; leave it out"),
    ],
)
def test_what_cannot_be_stored_is_named_with_the_remedy(path: Path, array: npt.NDArray[Any], message: str) -> None:
    np.save(path, array, allow_pickle=True)
    with pytest.raises(SourceRefused, match=message):
        read_array(path)


def test_a_file_that_was_cut_short_says_by_how_much(path: Path) -> None:
    np.save(path, NUMBERS)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(SourceRefused, match="3 bytes of its samples are missing; fetch the file again"):
        read_array(path)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"\x93NUMPY\x01\x00\x76\x00{'descr'", "its header cannot be read .*; write the file anew"),
        (b"\x93NUMPY\x01\x00\x08\x00{(CNRY: ", "its header cannot be read .*; write the file anew"),
        (b"\x93NUMPY\x09\x00\x08\x00        ", "of version 9.0 of the format; save it in version 1.0 or 2.0"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused_and_not_quoted(path: Path, start: bytes, message: str) -> None:
    path.write_bytes(start)
    with pytest.raises(SourceRefused, match=message) as refused:
        read_array(path)
    assert "CNRY" not in str(refused.value)


def test_names_of_records_are_not_quoted(path: Path) -> None:
    np.save(path, np.zeros((4, 6), [("CNRY", "u1")]))
    with pytest.raises(SourceRefused, match="records of 1 fields") as refused:
        clean_array(path.read_bytes())
    assert "CNRY" not in str(refused.value)
