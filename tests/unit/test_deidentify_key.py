from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from mist.errors import InvalidRequest
from mist.ingest.deidentify.key import MOST_DAYS, Key, make_key

KEY, OTHER = Key(b"k" * 32), Key(b"o" * 32)


def test_a_key_gives_the_same_uid_for_the_same_one_and_another_for_another() -> None:
    assert KEY.uid("1.2.3") == Key(b"k" * 32).uid("1.2.3")
    assert len({KEY.uid("1.2.3"), KEY.uid("1.2.4"), OTHER.uid("1.2.3")}) == 3


def test_a_uid_is_a_uuid_below_the_root_for_them() -> None:
    root, number = KEY.uid("1.2.3").rsplit(".", 1)
    assert root == "2.25"
    assert int(number).bit_length() <= 128
    assert int(number) >> 76 & 0xF == 8  # version


def test_dates_move_back_by_one_day_to_ten_years() -> None:
    days = {KEY.days_back(str(patient)) for patient in range(200)}
    assert min(days) >= 1
    assert max(days) <= MOST_DAYS
    assert len(days) > 150


def test_what_is_spelt_alike_has_other_pseudonyms_for_other_purposes() -> None:
    assert KEY.pseudonym("patient", "7") != KEY.pseudonym("file", "7")


def test_a_key_shows_nothing_of_its_secret() -> None:
    assert "kkk" not in f"{KEY!r} {KEY}"


def test_a_new_key_can_be_read_by_its_owner_alone_and_is_never_overwritten(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert Key.read(tmp_path / "key") != OTHER
    with pytest.raises(InvalidRequest, match="never overwritten"):
        make_key(tmp_path / "key")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(InvalidRequest, match="chmod 600"):
        Key.read(tmp_path / "key")


def test_a_missing_key_says_how_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=re.escape("mist new-key")):
        Key.read(tmp_path / "key")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="has 5 characters"):
        Key(b"short")
