from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from mist.errors import StoreUnavailable
from mist_eval.local_server import local_server


def names_at(address: str) -> list[object]:
    with urllib.request.urlopen(f"{address}/v1/datasets", timeout=20) as answer:  # noqa: S310
        return list(json.loads(answer.read())["datasets"])


def test_a_server_answers_while_it_is_wanted_and_then_is_gone(tmp_path: Path) -> None:
    with local_server(str(tmp_path)) as address:
        assert names_at(address) == []
    with pytest.raises(URLError):
        names_at(address)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = local_server(str(tmp_path / "gone"))
    with pytest.raises(StoreUnavailable, match=r"did not start: .*there is no such folder"):
        server.__enter__()


def test_a_failure_of_the_caller_stops_the_server_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError) as failure, local_server(str(tmp_path)) as address:
        raise KeyError(address)
    with pytest.raises(URLError):
        names_at(failure.value.args[0])
