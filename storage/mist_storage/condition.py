"""Conditions over a catalog's columns: SQL that compares, and nothing else.

The rule: a condition may come from anybody, so it is read word by word before the query engine sees it, and only what
is known to be harmless passes: no query, which could read the machine's files, no comment, no unknown function, and
no more than the engine takes without running out of stack or time. Knows no columns.
"""

from __future__ import annotations

import re

from mist.errors import InvalidRequest

MAX_TERMS = 200
"""Names, operators and keywords in a condition; some 1,000 overflow the engine's stack. Values in a list are free."""

MAX_CHARACTERS = 100_000
"""Characters in a condition: some thousand scan ids in a list."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<value>'(?:[^']|'')*' | [0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<comment>-- | /\*)
      | (?P<quoted>"(?:[^"]|"")+")
      | (?P<word>[^\W\d]\w*(?!['"]))
      | (?P<operator><> | <= | >= | != | \|\| | :: | [-=<>+*/%().\[\]~])
      | (?P<comma>,)""",
    re.VERBOSE,
)

_QUERY_WORD = re.compile(
    "select|from|with|table|values|join|union|intersect|except|exists|lateral|over|unnest|into|copy", re.IGNORECASE
)
"""Words that begin or join queries; a column of such a name is written in double quotes."""

_KEYWORD = re.compile("and|or|not|in|like|ilike|is|between|when|then|else|case", re.IGNORECASE)
"""Keywords that an opening bracket may follow."""

_FUNCTION = re.compile(
    "abs|ceil|floor|round|sqrt|sign|mod|lower|upper|length|char_length|octet_length|trim|ltrim|rtrim|left|right|strpos|"
    "substr|replace|concat|starts_with|ends_with|regexp_like|coalesce|nullif|greatest|least|if|ifnull|cast|try_cast|"
    "array_length|array_contains|array_min|array_max|array_sum",
    re.IGNORECASE,
)
"""Functions that may be called: they look at one row at a time, and bring nothing in from elsewhere."""


def checked_condition(condition: str) -> str:
    """`condition` itself, such as `modality = 'CT' AND age > 60`.

    Raises
    ------
    InvalidRequest
        It is too long, or holds a query, a comment, an unknown function or a sign that no comparison needs.
    """
    if len(condition) > MAX_CHARACTERS:
        raise InvalidRequest(f"a condition has at most {MAX_CHARACTERS} characters, not {len(condition)}")
    terms, at, previous = 0, 0, ""
    while at < len(condition):
        found = _TOKEN.match(condition, at)
        if found is None or found.lastgroup == "comment":
            raise InvalidRequest(
                f"a condition compares columns with values; it cannot hold {condition[at : at + 20]!r}"
            )
        if found.lastgroup != "space":
            _check_token(found, previous)
            previous = found[0]
        terms += found.lastgroup in ("quoted", "word", "operator")
        at = found.end()
    if terms > MAX_TERMS:
        raise InvalidRequest(f"a condition has at most {MAX_TERMS} names and operators, not {terms}")
    return condition


def _check_token(token: re.Match[str], previous: str) -> None:
    """Refuse a word of queries, and a call of a function that is not among those allowed."""
    if token.lastgroup == "word" and _QUERY_WORD.fullmatch(token[0]):
        raise InvalidRequest(
            f'a condition compares columns; if {token[0]!r} is one, write "{token[0]}" in double quotes'
        )
    if token[0] == "(" and re.match(r'[^\W\d]|"', previous) and not _may_be_called(previous):
        raise InvalidRequest(f"{previous!r} is not a function that a condition may call")


def _may_be_called(name: str) -> bool:
    return bool(_FUNCTION.fullmatch(name) or _KEYWORD.fullmatch(name))
