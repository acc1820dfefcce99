from __future__ import annotations

import pytest

from mist.errors import InvalidRequest
from mist_storage.condition import MAX_CHARACTERS, MAX_TERMS, checked_condition


@pytest.mark.parametrize(
    "condition",
    [
        "modality = 'CT' AND age > 60",
        "age BETWEEN 1.5 AND 2e3 OR age IS NOT NULL",
        "NOT (split IN ('train', 'test'))",
        "\"Patient Age\" >= -1 and finding <> 'it''s -- SELECT * FROM x'",
        "\"select\" = 'from' /  2",
        "finding LIKE 'no%' AND LOWER(finding) ~ '^a\\d'",
        "CASE WHEN age > 1 THEN true ELSE false END",
        "age::int % 2 = 0",
        "shape[1] > 10 AND array_length(shape) = 3",
        "größe > 1",
    ],
)
def test_comparisons_of_columns_pass(condition: str) -> None:
    assert checked_condition(condition) == condition


@pytest.mark.parametrize(
    "condition",
    [
        "age IN (SELECT a FROM read_csv('/etc/passwd'))",
        "age IN (select a)",
        "EXISTS (TABLE x)",
        "age IN (VALUES (1))",
        "age = 1 UNION ALL x",
        "a = 1 /* ' */ OR age IN (SELECT * FROM read_csv('/etc/passwd')) /* ' */",
        "a = 1 -- ' \n OR age IN (SELECT 1) --'",
        "age = E'\\' OR age IN (SELECT 1) --'",
        "m = $$CT$$",
        "m = $a$ ' $a$ OR age IN (SELECT 1) OR m = $a$ ' $a$",
        "m = `a'` OR age IN (SELECT 1) OR m = `'`",
        'm = r"\\" OR 1',
        "m = N'CT'",
        "age = 1; DROP TABLE x",
        "age = 'unclosed",
        '"unclosed = 1',
        "age = 1 \\ 2",
        "age @ 1",
        "age # 1",
        "age = ?",
        "age = {x}",
        "age\x00 = 1",
    ],
)
def test_what_is_more_than_a_comparison_is_refused(condition: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_condition(condition)


@pytest.mark.parametrize(
    "call", ["read_csv('/x')", "\"read_csv\"('/x')", "READ_PARQUET ('/x')", "rpad(m, 1000000000, 'x')", "columns('a')"]
)
def test_only_harmless_functions_are_called(call: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a function that a condition may call"):
        checked_condition(f"{call} = 1")


def test_a_keyword_that_is_a_column_is_to_be_quoted() -> None:
    with pytest.raises(InvalidRequest, match='write "values" in double quotes'):
        checked_condition("values > 1")


def test_a_long_list_of_values_passes() -> None:
    checked_condition(f"scan_id IN ({', '.join(repr(str(number)) for number in range(5000))})")


@pytest.mark.parametrize("term", [" || m", " + 1", " AND m", ")", " NOT"])
def test_more_terms_than_the_engine_takes_are_refused(term: str) -> None:
    with pytest.raises(InvalidRequest, match="at most"):
        checked_condition("m" + term * (MAX_TERMS + 1))


def test_more_characters_than_anybody_needs_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="at most"):
        checked_condition("m = '" + "x" * MAX_CHARACTERS + "'")
