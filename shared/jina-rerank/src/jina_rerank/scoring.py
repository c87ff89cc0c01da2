"""The command `score`: from lines to scores, some at a time, and on from where it was left off."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from . import terminal
from .lines import STDIN, Failure, InputError, size, title
from .output import STDOUT, Output, opened_output
from .reranker import Reranker
from .tasks import Item, Origin, Task

CHARACTERS = 1 << 17
"""About how much is held of the lines that are scored together: some batches, seconds of work."""


def _nothing() -> Iterator[Failure]:
    return iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is to be scored.

    Attributes:
        names: The files it is in, the one with the lines first.
        read: Gives tasks and failures, from the start with each call.
        fetch: Is called once before `read`, and gives the failures in other files.
        twice: True if the lines are read more than once, so that they cannot come from a pipe.
    """

    names: tuple[str, ...]
    read: Callable[[], Iterator[Item]]
    fetch: Callable[[], Iterator[Failure]] = _nothing
    twice: bool = False


def check_names(source: Source, output: str, *, strict: bool) -> None:
    """Raise if the files cannot be what they are given for.

    Raises:
        InputError: The output is one of the inputs, or what is read twice is a pipe.
    """
    first = source.names[0]
    if source.names.count(STDIN) > 1:
        msg = "standard input ('-') can be read only once: name it once"
        raise InputError(msg)
    if output != STDOUT and any(_is_same(name, output) for name in source.names):
        msg = f"--output {output!r} is an input too; choose another"
        raise InputError(msg)
    if (strict or source.twice) and _is_pipe(first):
        why = "--strict reads the input" if strict else "a TREC run is read"
        msg = f"{why} twice, so {title(first)} has to be a file, not a pipe"
        raise InputError(msg)


def score_all(
    source: Source, output: str, reranker: Reranker, *, strict: bool = False, restart: bool = False
) -> bool:
    """Score every line that can be, name the others, and say what was done.

    Args:
        source: What is to be scored.
        output: The file that gets the lines; ``"-"`` is standard output.
        reranker: What scores; it is loaded when it is clear that there is something to do.
        strict: Write nothing if any line is bad.
        restart: Start over instead of going on with what is in the file.

    Returns:
        True if there were bad lines.

    Raises:
        InputError: A file cannot be used, there is nothing to score, or the output is of another
            input or another model.
        JinaRerankError: The model or the disk is not available. What was written is whole.
    """
    complaints = terminal.Complaints()
    for failure in source.fetch():
        complaints.name(failure)
    if not strict or _all_good(source, complaints):
        with opened_output(output, sys.stdout.buffer, Origin.of(reranker.settings)) as out:
            _go_on(source, out, reranker, complaints, restart=restart)
    complaints.end()
    return complaints.count > 0


def _all_good(source: Source, complaints: terminal.Complaints) -> bool:
    name = source.names[0]
    with terminal.progress(f"Checking {name}", size(name)) as show:
        for number, task in enumerate(_good(source.read(), complaints), 1):
            show(task.end, number)
    return complaints.count == 0


def _good(items: Iterable[Item], complaints: terminal.Complaints) -> Iterator[Task]:
    """Name the failures and keep the rest."""
    for item in items:
        if isinstance(item, Failure):
            complaints.name(item)
        else:
            yield item


def _go_on(
    source: Source,
    out: Output,
    reranker: Reranker,
    complaints: terminal.Complaints,
    *,
    restart: bool,
) -> None:
    """Pass over what is done, and do the rest."""
    name = source.names[0]
    tasks = _good(source.read(), complaints)
    if not restart:
        tasks = out.resume(tasks)
    first = next(tasks, None)
    if first is None and not out.lines and not complaints.count:
        msg = f"there is nothing to score in {title(name)}: every line is blank"
        raise InputError(msg)
    if first is None and out.lines:
        done = f"{out.name!r} is complete, {terminal.count(out.lines, 'line')}"
        terminal.say(f"{done}; --restart scores them again")
    elif out.lines:
        terminal.say(f"going on after {terminal.count(out.lines, 'line')} of {out.name!r}")
    if first is not None:
        _load(reranker)
    out.begin()
    if first is not None:
        _score(chain([first], tasks), reranker, out, size(name))


def _load(reranker: Reranker) -> None:
    with terminal.loading(reranker):
        try:
            reranker.load()
        except ValueError as error:  # such as a --max-length above the context
            raise InputError(str(error)) from error


def _score(tasks: Iterator[Task], reranker: Reranker, out: Output, total: int | None) -> None:
    start, lines = time.monotonic(), out.lines
    done = out.position, out.lines
    # Lines on a terminal show themselves how far they are.
    shown = not out.is_terminal
    with terminal.progress("Scoring", total, done=done, shown=shown) as show:
        for chunk in _chunks(tasks):
            answers = _ask(reranker, chunk)
            for task, scores in zip(chunk, answers, strict=True):
                out.write(task, scores)
            lines += len(chunk)
            show(chunk[-1].end, lines)
    if sys.stderr.isatty():
        seconds = time.monotonic() - start
        written = terminal.count(lines - out.lines, "line")
        terminal.say(f"{written} scored with {reranker.model} in {seconds:.1f} s")


def _ask(reranker: Reranker, chunk: list[Task]) -> list[list[float]]:
    try:
        return reranker.score_many([(task.query, task.texts) for task in chunk])
    except ValueError as error:  # such as a list that a listwise model cannot take in one request
        raise InputError(str(error)) from error


def _chunks(tasks: Iterator[Task]) -> Iterator[list[Task]]:
    """Take tasks together until they hold about `CHARACTERS` characters."""
    chunk: list[Task] = []
    held = 0
    for task in tasks:
        chunk.append(task)
        held += task.characters
        if held >= CHARACTERS:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def _is_same(name: str, output: str) -> bool:
    paths = Path(name), Path(output)
    return all(path.exists() for path in paths) and paths[0].samefile(paths[1])


def _is_pipe(name: str) -> bool:
    path = Path(name)
    return name == STDIN or path.is_fifo() or path.is_char_device()
