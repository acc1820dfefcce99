"""`mist serve` as a process, and what `mist demo` refuses."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

from tests.command_line import DEADLINE_S, Mist, run_process, start_process
from tests.labelled_sources import write_sources
from tests.stored_files import files


class TestServe:
    """A server as a process."""

    def test_it_says_where_it_listens_and_a_signal_stops_it(self, dataset: Path) -> None:
        running = start_process(["serve", dataset.parent, "--port", 0])
        assert running.stdout is not None
        found = re.fullmatch(r"serving on (http://127\.0\.0\.1:\d+)\n", running.stdout.readline())
        assert found is not None
        connection = http.client.HTTPConnection(urlsplit(found[1]).netloc, timeout=20)
        connection.request("GET", "/v1/datasets")
        names = [entry["name"] for entry in json.loads(connection.getresponse().read())["datasets"]]
        connection.close()
        running.send_signal(signal.SIGTERM)
        _, messages = running.communicate(timeout=DEADLINE_S)
        assert (names, running.returncode) == (["small"], 0)
        assert "Traceback" not in messages

    def test_a_taken_port_is_one_line(self, dataset: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = run_process("serve", dataset.parent, "--port", port)
        assert re.match(f"cannot listen on 127.0.0.1 port {port}: .*; choose another port$", done.error)


class TestDemoRefusals:
    """What the demo does not touch, and does not begin."""

    def test_a_folder_of_somebody_else_is_left_alone(self, mist: Mist, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("mine")
        assert "the demo did not make" in mist("demo", "--folder", tmp_path).error
        assert files(tmp_path) == {"thesis.txt": b"mine"}

    def test_images_inside_the_folder_to_be_emptied_are_left_alone(self, mist: Mist, tmp_path: Path) -> None:
        (tmp_path / ".mist-demo").touch()
        images = write_sources(tmp_path / "images")
        before = files(images)
        assert "which the demo empties" in mist("demo", images, "--folder", tmp_path).error
        assert files(images) == before

    def test_a_folder_of_images_that_is_none_is_named(self, mist: Mist, tmp_path: Path) -> None:
        assert "gone is no folder of images" in mist("demo", tmp_path / "gone", "--folder", tmp_path / "demo").error

    def test_sizes_that_are_no_numbers_are_named(self, mist: Mist, tmp_path: Path) -> None:
        error = mist("demo", "--sizes", "1024,big", "--folder", tmp_path / "demo").error
        assert error == "a size is a whole number of 0 or more, not 'big'"
        assert not (tmp_path / "demo").exists()
