"""The commands of `jina-rerank`. This module needs typer and rich; `jina_rerank.cli` does not."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Annotated

import typer
from typer.main import get_command

from . import __version__, terminal
from .files import Failure, Passage, read
from .hub import Hub, locate
from .jobs import Job
from .plugins import Commands
from .reranker import Reranker
from .types import Ranking

FAILURES = 20
"""How many bad lines a terminal names; a file gets them all."""

ROWS = 10
"""How many documents a table shows unless the user says how many."""

MANY_DOCUMENTS = 200
"""More than these take long enough for a progress bar."""


class UsageError(typer.TyperException):
    """An argument that typer accepts and we do not."""

    exit_code = 2


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        terminal.show(f"{terminal.PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Sort documents by their relevance to a query."""


def run(arguments: Sequence[str] | None) -> int:
    """Run the command that the arguments name.

    Args:
        arguments: What stands after the program's name; None is what this process was given.

    Returns:
        The exit code.

    Raises:
        typer.TyperException: The usage is wrong; it knows the exit code.
        Exception: Whatever the command raises.
    """
    code = get_command(app).main(arguments, terminal.PROGRAM, standalone_mode=False)
    return code if code is not None else 0


Query = Annotated[
    str, typer.Argument(metavar="QUERY", help="What is searched for.", show_default=False)
]
Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help="Text, a document a line; or JSON Lines, if the name ends in .jsonl or .ndjson. "
        "'-' is standard input.",
        show_default=False,
    ),
]
TopN = Annotated[
    int | None,
    typer.Option(metavar="N", help=f"Keep the N best; else all, of which a terminal shows {ROWS}."),
]
Threshold = Annotated[
    float | None, typer.Option(metavar="SCORE", help="Keep scores of at least this.")
]
Model = Annotated[
    str,
    typer.Option(
        metavar="MODEL", help="A name of 'jina-rerank models', a directory, or a Hugging Face id."
    ),
]
BackendName = Annotated[
    str | None,
    typer.Option("--backend", metavar="NAME", help="local, api or sagemaker; else what fits."),
]
Paragraphs = Annotated[
    bool,
    typer.Option(
        "--paragraphs", help="In text, a document is a paragraph: lines up to a blank one."
    ),
]
TextField = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD", help="The text in JSON Lines, else 'text'; makes '-' JSON Lines."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Strict = Annotated[bool, typer.Option("--strict", help="Rank nothing if any line is bad.")]


@app.command()
def rank(  # noqa: PLR0913 - the options, each by its name
    query: Query,
    files: Files,
    *,
    top_n: TopN = None,
    threshold: Threshold = None,
    model: Model = "nano",
    backend: BackendName = None,
    paragraphs: Paragraphs = False,
    text_field: TextField = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Rank the documents of files, all of them together, best first.

    Exit codes:
    0 fine
    1 some lines were bad, the others are ranked
    2 wrong usage
    3 the model or the backend is not available
    """
    new = partial(Reranker, model, backend=backend, top_n=top_n, score_threshold=threshold)
    with _usage():  # every argument is checked before anything is loaded
        new()
        Job.of(query, ())
        passages, failures = read(
            files, sys.stdin.buffer, paragraphs=paragraphs, text_field=text_field
        )
    _name(failures)
    if passages and not (strict and failures):
        bar = len(passages) > MANY_DOCUMENTS and sys.stderr.isatty()
        with new(show_progress=bar) as reranker:
            ranking, seconds = _rank(reranker, query, passages)
        if sys.stdout.isatty() and not as_json:
            rows = ROWS if top_n is None else None
            terminal.show_ranking(ranking, passages, rows=rows, seconds=seconds)
        else:
            terminal.write_ranking(ranking, passages, as_json=as_json)
    if failures:
        raise typer.Exit(1)


@app.command()
def models(*, as_json: AsJson = False) -> None:
    """List the models known by name; any other reranker works by its directory or id."""
    if sys.stdout.isatty() and not as_json:
        terminal.show_models()
    else:
        terminal.write_models(as_json=as_json)


@contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def _name(failures: list[Failure]) -> None:
    """Name the bad lines, but not a thousand of them to somebody who watches."""
    shown = failures[:FAILURES] if sys.stderr.isatty() else failures
    for failure in shown:
        terminal.say(f"{failure.file}:{failure.line}: {failure.error}")
    if len(shown) < len(failures):
        rest = len(failures) - len(shown)
        terminal.say(f"... and {rest} more bad lines; 2> FILE names them all")


def _rank(reranker: Reranker, query: str, passages: list[Passage]) -> tuple[Ranking[str], float]:
    """Load, rank, and take the seconds of the ranking alone."""
    settings = reranker.settings
    # A download shows bars of its own.
    downloads = settings.backend_name == "local" and isinstance(locate(settings), Hub)
    with nullcontext() if downloads else terminal.status(f"Loading {reranker.model}"):
        reranker.load()
    waiting = terminal.status(f"Ranking {len(passages):,} documents with {reranker.model}")
    start = time.perf_counter()
    with nullcontext() if settings.show_progress else waiting:
        ranking = reranker.rank(query, [passage.text for passage in passages])
    return ranking, time.perf_counter() - start
