"""What the command line prints: tables for people, plain lines and JSON for programs.

Documents, file names and messages may hold anything; nothing that steers a terminal gets through.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from .hub import Hub, locate
from .lines import Failure, Passage
from .models import EVERYWHERE, MODELS
from .reranker import Reranker
from .types import RankedDocument, Ranking

PROGRAM = "jina-rerank"

MOST_LINES = 30
"""About a screenful: what the texts of a table share."""

LEAST_LINES = 3
"""What each of them has at least."""

GAP = 2
"""Between columns."""

LINE = "line"
"""The title of a column of line numbers, which stand to the right."""

MIN_WIDTH = 20
"""Of a text, on however narrow a terminal."""

FAILURES = 20
"""How many bad lines a terminal names; a file gets them all."""

INTERVAL = 0.1
"""Seconds between two looks of a progress bar."""

BAR = 24
"""Columns of a progress bar. The line must not fill the terminal: Ctrl-C is echoed behind it."""

MEMORY = 3600
"""Seconds that a progress bar looks back for the time left: a batch of long texts takes minutes."""

# ECMA-48: control sequences, control strings with their terminator, other escape sequences. The
# classes exclude what starts or ends a sequence, so that hostile text costs linear time.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"
    r"|(?:\x1b[PX^_\]]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x80-\x9f]*+(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*+[0-~]"
)
_SPACE = re.compile(r"\r\n|[\t-\r\x1c-\x1f\x85\u2028\u2029]")
# Other controls, explicit bidirectional embedding, override and isolation, halves of surrogates.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# json.dumps leaves these as they are; bidirectional marks included, for an escape loses nothing.
_UNESCAPED = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    r"""Make a text safe to print on one line of a terminal.

    Args:
        text: Anything.

    Returns:
        The text without escape sequences, with a space for each tab, line end or other control
        that is a space, and with U+FFFD for any other control character.

    >>> clean("\x1b[31mred\x1b[0m\tand\a blue")
    'red and� blue'
    """
    return _CONTROL.sub("\ufffd", _SPACE.sub(" ", _SEQUENCE.sub("", text)))


def dump(value: object) -> str:
    r"""Write JSON on one line, readable in any language, with escapes for control characters.

    >>> print(dump({"naïve": "\x1b[31m\x9b"}))
    {"naïve": "\u001b[31m\u009b"}
    """
    return escape(json.dumps(value, ensure_ascii=False))


def escape(written: str) -> str:
    r"""Replace what JSON allows and a terminal obeys by escapes: the same JSON, harmless to print.

    >>> print(escape('{"text": "\x9b31m"}'))
    {"text": "\u009b31m"}
    """
    return _UNESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", written)


def say(message: str) -> None:
    """Print a message on standard error, one line."""
    print(f"{PROGRAM}: {clean(message)}", file=sys.stderr)  # noqa: T201 - this is the terminal


class Complaints:
    """Names bad lines as they are found, but not a thousand of them to somebody who watches.

    Attributes:
        count: How many there were.
    """

    def __init__(self) -> None:
        self.count = 0

    def name(self, failure: Failure) -> None:
        """Name a line, unless a terminal shows enough of them."""
        self.count += 1
        if self.count <= FAILURES or not sys.stderr.isatty():
            say(f"{failure.file}:{failure.line}: {failure.error}")

    def end(self) -> None:
        """Say how many were not named."""
        if self.count > FAILURES and sys.stderr.isatty():
            say(f"... and {self.count - FAILURES:,} more bad lines; 2> FILE names them all")


def say_usage(message: str, command: str | None) -> None:
    """Print what is wrong with the usage, and where the right one is explained."""
    if message:  # else it is the help itself
        say(message if command is None else f"{message.rstrip('.')}; see '{command} --help'")


def show(text: str) -> None:
    """Print results on standard output."""
    print(text)  # noqa: T201 - this is the terminal


@contextmanager
def status(message: str) -> Iterator[None]:
    """Show that something is under way, if somebody watches standard error."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(Text(clean(message))):
        yield


@contextmanager
def loading(reranker: Reranker) -> Iterator[None]:
    """Show that a model loads; a download shows bars of its own."""
    settings = reranker.settings
    downloads = settings.backend_name == "local" and isinstance(locate(settings), Hub)
    with nullcontext() if downloads else status(f"Loading {reranker.model}"):
        yield


@contextmanager
def progress(
    action: str, total: int | None, *, done: tuple[int, int] = (0, 0), shown: bool = True
) -> Iterator[Callable[[int, int], None]]:
    """Show how far a file is read: a bar, lines, their rate and the time left, while it lasts.

    Args:
        action: What is under way.
        total: The bytes of the file; None if that is not known.
        done: Bytes and lines that were done before.
        shown: False to show nothing.

    Yields:
        What is to be called with the bytes and the lines that are done. A call costs next to
        nothing; nothing is shown unless somebody watches standard error.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda _bytes, _lines: None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(BAR),
        TaskProgressColumn(),
        TextColumn("{task.fields[lines]:,} lines", markup=False),
        TextColumn("{task.fields[rate]:,.0f}/s", markup=False),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, speed_estimate_period=MEMORY) as bar:
        position, before = done
        task = bar.add_task(clean(action), total=total, completed=position, lines=before, rate=0)
        start = last = time.monotonic()

        def show(position: int, lines: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= INTERVAL:
                last = now
                rate = (lines - before) / (now - start)
                bar.update(task, completed=position, lines=lines, rate=rate)

        yield show


def write_ranking(
    ranking: Ranking[str], passages: Sequence[Passage], *, as_json: bool = False
) -> None:
    """Print a ranking for programs.

    Args:
        ranking: The ranking.
        passages: The documents that were ranked.
        as_json: Print one JSON object, its documents unchanged, instead of a line per document
            with score, file and line, and text between tabs.
    """
    if as_json:
        results = [_result(item, passages[item.index]) for item in ranking]
        usage = {"total_tokens": ranking.usage.total_tokens}
        show(dump({"model": ranking.model, "usage": usage, "results": results}))
        return
    for item in ranking:
        passage = passages[item.index]
        place = f"{clean(passage.file)}:{passage.line}"
        show(f"{_number(item.score, 6)}\t{place}\t{clean(passage.text)}")


def _result(item: RankedDocument[str], passage: Passage) -> dict[str, object]:
    return {
        "index": item.index,
        "score": item.score,
        "file": passage.file,
        "line": passage.line,
        "document": item.document,
    }


def show_ranking(
    ranking: Ranking[str], passages: Sequence[Passage], *, rows: int | None, seconds: float
) -> None:
    """Print a ranking as a table, and below it what it took.

    Args:
        ranking: The ranking.
        passages: The documents that were ranked.
        rows: How many of the ranking to print; None is all.
        seconds: What the ranking took.
    """
    console = _console()
    shown = ranking[:rows]
    files = {passage.file for passage in passages}
    facts = [
        clean(ranking.model),
        count(len(passages), "document"),
        count(ranking.usage.total_tokens, "token"),
        f"{seconds:.1f} s",
    ]
    if len(files) == 1:
        facts.insert(1, clean(passages[0].file))
    if shown:
        console.print(_ranking_table(console, shown, passages), Text())
    console.print(Text(" · ".join(facts), style="dim"))
    if len(shown) < len(ranking):
        more = f"{len(shown)} of {len(ranking)} shown; --top-n {len(ranking)} shows all"
        console.print(Text(more, style="dim"))
    elif not shown:
        console.print(Text("no document reaches the threshold", style="dim"))


def _ranking_table(
    console: Console, shown: Sequence[RankedDocument[str]], passages: Sequence[Passage]
) -> Table:
    title, places = _places(shown, passages)
    scores = [_number(item.score, 4) for item in shown]
    widths = [
        max(len("rank"), len(str(len(shown)))),
        max(len("score"), *map(len, scores)),
        min(max(len(title), *map(cell_len, places)), console.width // 3),
    ]
    rest = max(console.width - sum(widths) - 3 * GAP, MIN_WIDTH)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    table.add_column("rank", justify="right", width=widths[0], style="dim")
    table.add_column("score", justify="right", width=widths[1], style="bold green")
    justify: JustifyMethod = "right" if title == LINE else "left"
    table.add_column(title, justify=justify, width=widths[2], style="cyan", overflow="fold")
    table.add_column("text", width=rest)
    lines = max(LEAST_LINES, MOST_LINES // len(shown))
    for rank, (item, score, place) in enumerate(zip(shown, scores, places, strict=True), 1):
        text = _excerpt(item.document, console, width=rest, lines=lines)
        table.add_row(str(rank), score, Text(place), text)
    return table


def _places(
    shown: Sequence[RankedDocument[str]], passages: Sequence[Passage]
) -> tuple[str, list[str]]:
    """Say where the documents stand as briefly as possible, and give the column its title."""
    found = [passages[item.index] for item in shown]
    files = {passage.file for passage in passages}
    if len(files) == 1:
        return LINE, [str(passage.line) for passage in found]
    unique = len({Path(file).name for file in files}) == len(files)
    names = [Path(passage.file).name if unique else passage.file for passage in found]
    places = zip(names, found, strict=True)
    return "file", [f"{clean(name)}:{passage.line}" for name, passage in places]


def _excerpt(text: str, console: Console, *, width: int, lines: int) -> Text:
    """Wrap a text, and end it with an ellipsis if it needs more than so many lines."""
    longest = 4 * width * lines  # characters, so that a text of megabytes is not wrapped
    words = " ".join(clean(text[:longest]).split())
    wrapped = Text(words).wrap(console, width)
    kept = list(wrapped[:lines])
    if len(wrapped) > lines or len(text) > longest:
        kept[-1].truncate(width - 1)
        kept[-1].rstrip()
        kept[-1].append("…")
    return Text("\n").join(kept)


def write_models(*, as_json: bool = False) -> None:
    """Print the model table for programs: a JSON array, or a line per model.

    A line holds alias, name, parameters, context, licence, backends and note between tabs.
    """
    if as_json:
        show(dump([asdict(info) for info in MODELS]))
        return
    for info in MODELS:
        backends = ",".join(info.backends)
        values = (info.alias, info.name, info.parameters, info.context, info.licence, backends)
        show("\t".join("-" if value is None else str(value) for value in (*values, info.note)))


def show_models() -> None:
    """Print the model table."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 1, 0), header_style="dim")
    table.add_column("alias", style="bold cyan", no_wrap=True)
    table.add_column("name and note", ratio=1)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("context", justify="right", no_wrap=True)
    table.add_column("licence", no_wrap=True)
    table.add_column("backends", width=max(map(len, EVERYWHERE)))
    for info in MODELS:
        name = Text.assemble((info.name, "bold"), "\n", (info.note, "dim"))
        size, context = _size(info.parameters), f"{info.context:,}"
        backends = " ".join(info.backends)
        table.add_row(info.alias, name, size, context, info.licence, backends)
    _console().print(table)


def _console() -> Console:
    return Console(markup=False, emoji=False, highlight=False)


def _number(score: float | None, digits: int) -> str:
    return "-" if score is None else f"{score:.{digits}f}"


def count(number: int, unit: str) -> str:
    """Write how many there are, for people.

    >>> count(1, "line"), count(1000, "line")
    ('1 line', '1,000 lines')
    """
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def _size(parameters: int | None) -> str:
    if parameters is None:
        return "-"
    million, billion = 1e6, 1e9
    if parameters < billion:
        return f"{parameters / million:.0f}M"
    return f"{parameters / billion:.1f}B"
