from __future__ import annotations

import pytest

from mist.ingest.deidentify.codes import is_public_code

UNITS = """
1 % mm mm2/s um2/s cm3 ml Bq/ml kBq/ml g/ml {SUVbw}g/ml [hnsf'U] {ratio} 10*-6.mm2/s mGy.cm mGy mSv uA.s kV mA ms s
min deg mT/m Hz /min keV {counts}/s kg/m2 ml/min/g mm[Hg] 100 eV
"""


@pytest.mark.parametrize("unit", UNITS.split())
def test_units_that_images_are_measured_in_stay(unit: str) -> None:
    assert is_public_code("UCUM", unit)


@pytest.mark.parametrize("word", ["DOEJOHN", "Miller", "doe", "J.Doe/Smith", "{Doe}", "[Doe]", "1234567", "", "a b"])
def test_words_that_are_no_units_go(word: str) -> None:
    assert not is_public_code("UCUM", word)


@pytest.mark.parametrize(
    ("scheme", "value", "is_public"),
    [("DCM", "113100", True), ("SCT", "12738006", True), ("99HOSPITAL", "1", False), ("DCM", "DOE", False)],
)
def test_a_code_stays_where_its_vocabulary_is_public(scheme: str, value: str, *, is_public: bool) -> None:
    assert is_public_code(scheme, value) == is_public
