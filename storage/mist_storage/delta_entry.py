"""One entry of the log of a catalog's Delta Lake table: what a commit did, with a digest of itself.

The rule: an entry without its digest, or with another one, is no entry. The digest stands at the very beginning, in the
information on the commit, which Delta Lake lets writers extend; it is of the entry's name and of all bytes after it. So
whatever is cut off, left out, put elsewhere or altered is found before anything is parsed. Knows actions, no store.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

Action = dict[str, Any]
"""One line of an entry, by the words of the Delta Lake protocol: `{"add": {...}}`."""

READER_VERSION = 1
"""The version of the Delta Lake protocol by which the table is read."""

_FIELD = "mistSha256"
_BEFORE_DIGEST = f'{{"commitInfo":{{"{_FIELD}":"'.encode()
_DIGEST = slice(len(_BEFORE_DIGEST), len(_BEFORE_DIGEST) + 64)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One commit."""

    version: int
    actions: tuple[Action, ...]
    """What it did, in order; first who committed, when and why."""

    @property
    def info(self) -> Action:
        """Who committed, when and why."""
        return next(iter(self._all("commitInfo")), {})

    @property
    def time(self) -> datetime:
        """When it was committed, by the writer's clock."""
        return datetime.fromtimestamp(self.info.get("timestamp", 0) / 1000, UTC)

    @property
    def metadata(self) -> Action | None:
        """The table's schema, where this entry sets it."""
        return next(iter(self._all("metaData")), None)

    @property
    def added(self) -> dict[str, Action]:
        """The files of rows that it adds, by their names in the folder of the catalog."""
        return {unquote(file["path"]): file for file in self._all("add")}

    @property
    def removed(self) -> list[str]:
        """The names of the files of rows that it takes out."""
        return [unquote(file["path"]) for file in self._all("remove")]

    def to_bytes(self) -> bytes:
        """The entry as it is stored, with its digest."""
        info: Action = {"commitInfo": {_FIELD: "0" * 64, **self.info}}
        others = [action for action in self.actions if "commitInfo" not in action]
        data = "".join(json.dumps(action, separators=(",", ":")) + "\n" for action in (info, *others)).encode()
        return _BEFORE_DIGEST + _digest(self.version, data) + data[_DIGEST.stop :]

    def _all(self, kind: str) -> list[Action]:
        return [action[kind] for action in self.actions if kind in action]


def entry_name(version: int) -> str:
    """The name of the entry of `version` in the folder of the log."""
    return f"{version:020}.json"


def parsed_entry(version: int, data: bytes) -> LogEntry:
    """The entry in `data`; `ValueError` where it is none."""
    _require_whole(version, data)
    actions = tuple(json.loads(line) for line in data.splitlines())
    if not all(map(_is_action, actions)):
        raise ValueError("it has actions that Delta Lake does not know")
    if any(action.get("protocol", {}).get("minReaderVersion", 1) != READER_VERSION for action in actions):
        raise ValueError("a newer MIST wrote it; read it with that one")
    return LogEntry(version, ({"commitInfo": _without_digest(actions[0]["commitInfo"])}, *actions[1:]))


def _require_whole(version: int, data: bytes) -> None:
    if not data:
        raise ValueError("it is empty")
    if not data.startswith(_BEFORE_DIGEST):
        raise ValueError(f"its {len(data)} bytes do not begin with a digest: it was cut or altered, or is not MIST's")
    if data[_DIGEST] != _digest(version, data):
        raise ValueError(f"its {len(data)} bytes do not fit their digest: some were altered, lost or moved")


def _digest(version: int, data: bytes) -> bytes:
    """The digest of an entry whose bytes after the place of the digest are those of `data`."""
    return hashlib.sha256(f"{entry_name(version)}\n".encode() + data[_DIGEST.stop :]).hexdigest().encode()


def _without_digest(info: Action) -> Action:
    return {name: said for name, said in info.items() if name != _FIELD}


def _is_action(action: object) -> bool:
    """Whether a line of an entry is an action, and names a file where it adds or removes one."""
    if not isinstance(action, dict) or not all(isinstance(told, dict) for told in action.values()):
        return False
    return all(isinstance(action[kind].get("path"), str) for kind in ("add", "remove") if kind in action)
