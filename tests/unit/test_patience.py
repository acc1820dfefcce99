from __future__ import annotations

import pytest

from mist.errors import InvalidRequest
from mist_storage.patience import Patience


def test_the_environment_says_how_long_a_request_may_take_and_how_often_it_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MIST_STORE_TIMEOUT_S", "0.5")
    monkeypatch.setenv("MIST_STORE_RETRIES", "2")
    assert Patience.of_environment() == Patience(0.5, 2)


def test_without_a_word_of_the_environment_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIST_STORE_TIMEOUT_S", raising=False)
    monkeypatch.setenv("MIST_STORE_RETRIES", "")
    assert Patience.of_environment() == Patience(120.0, 5)


def test_connecting_takes_no_longer_than_the_request() -> None:
    assert (Patience(1.0).connect_timeout_s, Patience(60.0).connect_timeout_s) == (1.0, 5.0)


@pytest.mark.parametrize("name", ["MIST_STORE_TIMEOUT_S", "MIST_STORE_RETRIES"])
@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf", "1e9"])
def test_what_is_no_number_in_range_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(InvalidRequest, match=f"{name} is a number from"):
        Patience.of_environment()
