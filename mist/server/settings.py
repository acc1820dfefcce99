"""What an operator may set of a server."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mist.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Limits and sizes of one server process; all of them above 0.

    Raises
    ------
    InvalidRequest
        A value is not above 0.
    """

    cache_bytes: int = 256 << 20
    """Memory for the beginnings of scans, which is where their coarse levels lie, over all datasets."""
    max_response_bytes: int = 2 << 30
    """An image request that would make more voxels than this many bytes is refused before anything is read."""
    max_open_datasets: int = 32
    """How many catalogs, each in one version, are kept in memory."""
    refresh_s: float = 3.0
    """How old a catalog may be before its latest version is looked for again."""
    worker_threads: int = 8
    """How many requests are worked on at a time."""
    max_waiting: int = 256
    """How many requests may wait for a worker thread; further ones are told to come back."""
    request_timeout_s: float = 120.0
    """How long making an answer may take, before its first byte is sent."""
    write_timeout_s: float = 60.0
    """How long a client may leave one piece of an answer unread before the connection is cut."""
    keepalive_timeout_s: float = 75.0
    """How long an idle connection is kept: longer than the usual proxy's, so that the proxy closes first."""
    shutdown_timeout_s: float = 10.0
    """How long requests in progress are waited for when the server stops."""

    def __post_init__(self) -> None:
        for setting in fields(self):
            if not getattr(self, setting.name) > 0:
                raise InvalidRequest(f"{setting.name} must be above 0, not {getattr(self, setting.name)}")
