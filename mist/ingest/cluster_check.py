"""Whether a machine of a cluster can do this ingest's jobs.

The rule: a worker must run the same MIST on the same Python, and see the same files in the same places: otherwise it
would store other scans, or store them where nobody looks. What is wrong is said with the machine and the path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a machine has."""

    host: str
    """Its name."""
    python: str
    """Version of Python, without the last number."""
    mist: str
    """Version of MIST; empty where it is not installed."""
    missing: tuple[str, ...] = ()
    """Of the paths that were asked for, those that it does not have."""


def looking(paths: Sequence[Path]) -> Callable[[], dict[str, Any]]:
    """What tells a machine's `Surroundings`, and which of `paths` it lacks; works where there is no MIST."""
    names = [str(path) for path in paths]

    # A function in a function travels as its code, not as the name of something to import.
    def look() -> dict[str, Any]:
        import os  # noqa: PLC0415
        import platform  # noqa: PLC0415
        import socket  # noqa: PLC0415
        from importlib.metadata import version  # noqa: PLC0415

        try:
            from mist.ingest.source import INGEST_VERSION  # noqa: PLC0415

            mist = f"{version('mist-streaming')} ({INGEST_VERSION})"
        except ImportError:
            mist = ""
        return {
            "host": socket.gethostname(),
            "python": ".".join(platform.python_version_tuple()[:2]),
            "mist": mist,
            "missing": tuple(name for name in names if not os.path.exists(name)),  # noqa: PTH110
        }

    return look


def fault(here: Surroundings, there: Surroundings) -> str:
    """Why the machine `there` cannot do what `here` asks for, with the remedy; empty where it can."""
    if not there.mist:
        return f"{there.host} has no MIST; install mist-streaming[ingest,dask] {here.mist} where workers run"
    if there.mist != here.mist:
        return f"{there.host} has MIST {there.mist}, and this machine {here.mist}; install the same everywhere"
    if there.python != here.python:
        return f"{there.host} runs Python {there.python}, and this machine {here.python}; use the same everywhere"
    if there.missing:
        return (
            f"{there.host} does not see {there.missing[0]}; sources, and a dataset that is a folder, must lie where "
            "every worker sees them under the same path"
        )
    return ""
