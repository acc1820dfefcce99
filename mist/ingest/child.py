"""A process that does one thing at a time for another one, and may die of it.

The rule: processes are started anew and never forked, since the object store's runtime does not survive a fork; one
does a single job at a time, so that it is known of which job it died. It ends when its parent does, however that ends.
Knows nothing of scans. Not by `multiprocessing`, whose processes a Dask worker may not start.

A message is its length, 8 bytes little endian, and a pickle.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, TypeVar

from mist_storage.decoding_threads import stay_on_one_thread

_Result = TypeVar("_Result")

_LENGTH_BYTES = 8


class ChildDied(Exception):
    """A process ended in the middle of what it was told to do."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"exit code {code}")

    @property
    def took_too_long(self) -> bool:
        """Whether its alarm ended it; see `mist.ingest.limits`."""
        return self.code == -signal.SIGALRM


class Child:
    """A process that waits for something to do."""

    def __init__(self) -> None:
        with _interrupts_for_this_process_alone():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mist.ingest.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )

    def call(self, function: Callable[..., _Result], *arguments: object) -> _Result:
        """What `function`, which can be imported by its name, returns there; what it raises is raised here.

        Raises
        ------
        ChildDied
            The process has ended.
        """
        try:
            _send(self._input, (function, arguments))
            is_error, found = _receive(self._output)
        except (EOFError, OSError):
            raise ChildDied(self._process.wait()) from None
        if is_error:
            raise found
        return found  # type: ignore[no-any-return] # it is what the function returned

    @property
    def is_alive(self) -> bool:
        """Whether it can be called."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process, whatever it is doing; what another thread called it for raises `ChildDied` there."""
        self._process.kill()

    def end(self) -> None:
        """End the process, which nobody calls any more, and leave nothing of it."""
        self._process.kill()
        self._process.wait()
        self._output.close()
        with suppress(OSError):  # what was not sent never will be
            self._input.close()

    @property
    def _input(self) -> IO[bytes]:
        if self._process.stdin is None:
            raise TypeError("a process without a standard input")
        return self._process.stdin

    @property
    def _output(self) -> IO[bytes]:
        if self._process.stdout is None:
            raise TypeError("a process without a standard output")
        return self._process.stdout


@contextmanager
def _interrupts_for_this_process_alone() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; those started in here leave it to this one, which then ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _send(stream: IO[bytes], message: object) -> None:
    data = pickle.dumps(message)
    stream.write(len(data).to_bytes(_LENGTH_BYTES, "little"))
    stream.write(data)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:  # noqa: ANN401 - whatever was sent
    length = stream.read(_LENGTH_BYTES)
    data = stream.read(int.from_bytes(length, "little"))
    if len(length) < _LENGTH_BYTES or len(data) < int.from_bytes(length, "little"):
        raise EOFError
    return pickle.loads(data)  # noqa: S301 - from this process's own parent or child


def _answer(function: Callable[..., object], arguments: tuple[object, ...]) -> tuple[bool, object]:
    """Whether `function` failed, and with what; or what it returned."""
    try:
        return False, function(*arguments)
    except Exception as error:  # noqa: BLE001 - raised again where it was called from
        return True, error


def serve(calls: IO[bytes], answers: IO[bytes]) -> None:
    """Do what comes in, until nobody asks any more."""
    stay_on_one_thread()
    while True:
        try:
            function, arguments = _receive(calls)
            _send(answers, _answer(function, arguments))
        except (EOFError, BrokenPipeError):
            return


if __name__ == "__main__":
    answering = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # decoders print
    serve(sys.stdin.buffer, answering)
    os._exit(0)  # at once: nobody reads what would be flushed
