"""How commands speak: tables, progress, errors; for people on a terminal, plain lines otherwise, JSON where asked.

The rule: results go to standard output, everything else to standard error; what was stored is shown as it is, never
read as markup, and cannot reach the terminal as a control character. Knows nothing of what it prints.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

PLAIN_PROGRESS_LINES = 20
"""How many lines a long piece of work says of its progress where there is no terminal."""

WIDEST = 1 << 16
"""The most characters in a line of a table."""

Row = Mapping[str, object]

_output = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
_messages = Console(soft_wrap=True, highlight=False, markup=False, emoji=False, stderr=True)


def say(text: str = "") -> None:
    """One line of a result."""
    _output.print(_one_line(text))


def note(text: str) -> None:
    """One line about what is going on."""
    _messages.print(_one_line(text))


def complain(text: str) -> None:
    """One line about what went wrong."""
    _messages.print(Text.assemble(("error: ", "red"), _one_line(text)))


def say_json(value: object) -> None:
    """A result as JSON; numbers that are not finite, which JSON cannot say, are null."""
    sys.stdout.write(json.dumps(_finite(value), indent=2, allow_nan=False) + "\n")


def say_table(title: str, rows: Sequence[Row], *, right: Sequence[str] = (), folded: str = "") -> None:
    """Rows, all with the same keys, as a table.

    Parameters
    ----------
    title
        Stands above it.
    rows
        What the columns hold, by their names; None is shown as nothing.
    right
        Columns that are aligned to the right.
    folded
        The column of long text that is folded where the terminal is narrow. Without one, and where there is no
        terminal, lines are as long as they must be: a folded name could not be copied.
    """
    if not rows:
        note(f"{title}: none")
        return
    table = _table(show_header=True)
    for name in rows[0]:
        justify: Literal["left", "right"] = "right" if name in right else "left"
        table.add_column(name, justify=justify, no_wrap=name != folded, overflow="fold")
    _say_rows(title, table, [*map(_cells, rows)], is_folded=bool(folded))


def say_facts(title: str, facts: Row) -> None:
    """Facts by name, one a line."""
    table = _table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    _say_rows(title, table, [[name, *_cells({name: fact})] for name, fact in facts.items()], is_folded=True)


def size(count: float) -> str:
    """A number of bytes in words: `1.2 MB`."""
    return decimal(int(count))


def confirmed(question: str) -> bool:
    """Whether somebody at a terminal says yes to a question; where nobody is there to be asked, no."""
    if not sys.stdin.isatty():
        note(f"{question} Nobody can be asked here; --yes says so beforehand")
        return False
    _messages.print(f"{_one_line(question)} [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


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


def _table(*, show_header: bool) -> Table:
    return Table(box=box.SIMPLE_HEAD, show_header=show_header, show_edge=False, pad_edge=False, header_style="bold")


def _cells(row: Row) -> list[str]:
    return ["" if value is None else _one_line(str(value)) for value in row.values()]


def _say_rows(title: str, table: Table, rows: Sequence[Sequence[str]], *, is_folded: bool) -> None:
    """Print `table` with `rows`, without spaces at the ends of lines."""
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False, emoji=False)
    if not (is_folded and _output.is_terminal):
        console.width = console.measure(table, options=console.options.update(width=WIDEST)).maximum
    with console.capture() as printed:
        console.print(table)
    _output.print(_one_line(title), style="bold")
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in printed.get().splitlines())
    sys.stdout.flush()  # a reader that has left is told of now, not at exit


def _one_line(text: str) -> str:
    """`text` with a space for each character that is not printed: line ends, and what would command a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
