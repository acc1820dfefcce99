"""The `mist` command in a process of its own, and in this one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

COMMAND = (sys.executable, "-m", "mist.command")

DEADLINE_S = 120.0
"""For one command; a busy machine may take half a minute to compile."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    code: int
    output: str
    messages: str

    @property
    def error(self) -> str:
        """The line that says why a command failed, once it is known that it did and says so in one line, the last."""
        lines = self.messages.splitlines()
        assert self.code == 1, self
        assert "Traceback" not in self.messages
        assert [line for line in lines if line.startswith("error: ")] == lines[-1:], self.messages
        return lines[-1].removeprefix("error: ")


Mist = Callable[..., Done]
"""Runs `mist` with some arguments in this process."""


def run_process(*arguments: object) -> Done:
    """`mist` with `arguments`, in a process of its own, to its end."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )
    return Done(done.returncode, done.stdout, done.stderr)


def start_process(arguments: Sequence[object], output: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[str]:
    """`mist` with `arguments`, running in a process group of its own, as in a terminal."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True, start_new_session=True)
