from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mist.errors import DatasetNotFound, StoreUnavailable
from mist.server.run import serve

CODE = "import sys; from mist.server.run import serve; serve(sys.argv[1], '127.0.0.1', 0)"


@contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process of its own, and its address as it says it."""
    command = [sys.executable, "-c", CODE, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.fullmatch(r"serving on (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
        try:
            assert found is not None
            yield process, found[1]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with served(tmp_path) as (process, url):
        host = urlsplit(url).netloc
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status": "up"}'
        process.send_signal(number)
        _, log = process.communicate(timeout=20)
        connection.close()
    assert process.returncode == 0
    assert "Traceback" not in log


def test_a_request_is_one_line_in_the_log_and_nonsense_no_traceback(tmp_path: Path) -> None:
    with served(tmp_path) as (process, url):
        host = urlsplit(url)
        for line in (b"GET /healthz HTTP/1.1", b"GET /nothing HTTP/1.1", b"\x16\x03\x01"):
            with socket.create_connection((str(host.hostname), host.port or 0), timeout=10) as connection:
                connection.sendall(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert connection.recv(100)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    assert len(re.findall(r'"GET /healthz HTTP/1.1" 200 \d+ bytes', log)) == 1
    assert len(re.findall(r'"GET /nothing HTTP/1.1" 404 ', log)) == 1
    assert "Traceback" not in log


def test_a_folder_that_is_not_there_is_refused_before_listening(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match="no such folder"):
        serve(str(tmp_path / "gone"), "127.0.0.1", 0)


def test_a_port_that_is_taken_is_one_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StoreUnavailable, match=f"cannot listen on 127.0.0.1 port {port}: .*choose another port"):
            serve(str(tmp_path), "127.0.0.1", port)
