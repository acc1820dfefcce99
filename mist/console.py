"""How commands speak: tables, progress, errors; for people on a terminal, plain lines otherwise, JSON where asked.

The rule: results go to standard output, everything else to standard error. Knows nothing of what it prints.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

PLAIN_PROGRESS_LINES = 20
"""How many lines a long piece of work says of its progress where there is no terminal."""

_output = Console(soft_wrap=True, highlight=False)
_messages = Console(stderr=True, soft_wrap=True, highlight=False)


def say(text: str) -> None:
    """One line of a result."""
    _output.print(escape(text))


def note(text: str) -> None:
    """One line about what is going on."""
    _messages.print(escape(text))


def complain(text: str) -> None:
    """One line about what went wrong."""
    _messages.print(f"[red]error:[/red] {escape(text)}" if _messages.is_terminal else f"error: {escape(text)}")


def say_json(value: object) -> None:
    """A result as JSON."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, allow_nan=False) + "\n")


def say_table(title: str, rows: Sequence[Mapping[str, object]], *, right: Sequence[str] = ()) -> None:
    """Rows, all with the same keys, as a table; the columns named in `right` are aligned to the right."""
    if not rows:
        note(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for name in rows[0]:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape("" if value is None else str(value)) for value in row.values()))
    Console(highlight=False, width=None if _output.is_terminal else _width(rows)).print(table)


def size(count: float) -> str:
    """A number of bytes in words: `1.2 MB`."""
    return decimal(int(count))


@contextmanager
def progress(work: str) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar of `work`; what it gives is told how many pieces are done, of how many, and which one just now."""
    if not _messages.is_terminal:
        yield lambda done, total, name: _plain_progress(work, done, total, name)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_messages, transient=True) as bar:
        task = bar.add_task(work, total=None)
        yield lambda done, total, _: bar.update(task, completed=done, total=total)


def _plain_progress(work: str, done: int, total: int, name: str) -> None:
    if done == total or done % max(1, total // PLAIN_PROGRESS_LINES) == 0:
        note(f"{work}: {done} of {total} ({name})")


def _width(rows: Sequence[Mapping[str, object]]) -> int:
    """Wide enough that no cell of a table is folded where the output is a file."""
    longest = [max(len(name), *(len(str(row[name])) for row in rows)) + 3 for name in rows[0]]
    return max(80, sum(longest) + 1)
