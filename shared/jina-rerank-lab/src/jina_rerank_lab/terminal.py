"""What the lab's commands print: messages, progress and tables, all of it safe for a terminal."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from jina_rerank.terminal import BAR, GAP, MEMORY, clean, count, dump, show, status

__all__ = ["UsageError", "clean", "count", "dump", "progress", "say", "show", "status", "table"]

PROGRAM = "jina-rerank-lab"

NAME = 24
"""Columns of a name in a table that is too wide."""

TITLE = 7
"""Columns of a title in such a table."""


class UsageError(typer.TyperException):
    """An argument that typer accepts and we do not."""

    exit_code = 2


def say(message: str) -> None:
    """Print a message on standard error, one line."""
    print(f"{PROGRAM}: {clean(message)}", file=sys.stderr)  # noqa: T201 - this is the terminal


def say_usage(message: str, command: str | None) -> None:
    """Print what is wrong with the usage, and where the right one is explained."""
    if message:  # else it is the help itself
        say(message if command is None else f"{message.rstrip('.')}; see '{command} --help'")


@contextmanager
def progress(action: str, total: int, *, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while something lasts, if somebody watches.

    Args:
        action: What is under way.
        total: How many steps there are.
        done: How many were done before.

    Yields:
        What is to be called with each number of further steps that are done.
    """
    if not sys.stderr.isatty():
        yield lambda _steps: None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(BAR),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, speed_estimate_period=MEMORY) as bar:
        task = bar.add_task(clean(action), total=total, completed=done)
        yield lambda steps: bar.advance(task, steps)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Print a table on standard output: for people, or between tabs if it is a pipe.

    Args:
        header: The titles of the columns.
        rows: The cells.
        left: How many columns hold words and stand to the left; the others hold numbers.
    """
    if not sys.stdout.isatty():
        for row in (header, *rows):
            show("\t".join(map(clean, row)))
        return
    console = Console(markup=False, emoji=False, highlight=False)
    drawn = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    for number, (title, width) in enumerate(
        zip(header, _widths(header, rows, left, console.width), strict=True)
    ):
        words = number < left
        drawn.add_column(
            Text(clean(title)),
            justify="left" if words else "right",
            style="cyan" if words else "",
            width=width,
            overflow="fold",
        )
    for row in rows:
        drawn.add_row(*(Text(clean(cell)) for cell in row))
    console.print(drawn)


def _widths(
    header: Sequence[str], rows: Sequence[Sequence[str]], left: int, room: int
) -> list[int]:
    """Make columns as narrow as the terminal needs: titles are folded first, then long names."""
    cells = [max((cell_len(clean(row[i])) for row in rows), default=0) for i in range(len(header))]
    titles = [cell_len(clean(title)) for title in header]
    widths = list(map(max, cells, titles))
    for longest in range(max(titles), TITLE, -1):
        widths = [max(cell, min(title, longest)) for cell, title in zip(cells, titles, strict=True)]
        if sum(widths) + GAP * (len(widths) - 1) <= room:
            return widths
    return [min(width, NAME) if i < left else width for i, width in enumerate(widths)]
