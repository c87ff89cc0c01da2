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
from .files import read
from .jobs import Job
from .lines import InputError, Passage
from .plugins import Commands
from .reranker import Reranker
from .scoring import Source, check_names, score_all
from .tasks import Fields, read_json_lines
from .trec import SUFFIXES, Run
from .types import Ranking

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
    str | None,
    typer.Option(
        metavar="MODEL",
        help="A name of 'jina-rerank models', a directory, or a Hugging Face id; else nano, or "
        "turbo where a service runs it.",
    ),
]
BackendName = Annotated[
    str | None,
    typer.Option("--backend", metavar="NAME", help="local, api or sagemaker; else what fits."),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="A server of your own; chooses the backend api."),
]
Dialect = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="What it speaks: jina, cohere or tei; else found out."),
]
Endpoint = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A SageMaker endpoint; chooses the backend sagemaker."),
]
Region = Annotated[
    str | None, typer.Option(metavar="REGION", help="Its AWS region; else the configured one.")
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
Strict = Annotated[bool, typer.Option("--strict", help="Do nothing if any line is bad.")]
MaxLength = Annotated[
    int | None,
    typer.Option(metavar="TOKENS", help="Cut query and document to this; else what fits."),
]
Dtype = Annotated[
    str,
    typer.Option(
        metavar="DTYPE",
        help="float32 for reproducible scores; else bfloat16 where the hardware has it.",
    ),
]
Device = Annotated[
    str | None, typer.Option(metavar="DEVICE", help="Such as cpu or cuda:1; else a GPU if any.")
]
Input = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help='JSON Lines of {"query": ..., "documents": [...]} or {"query": ..., "document": ...}; '
        "with --corpus and --queries a TREC run. '-' is standard input.",
        show_default=False,
    ),
]
OutputName = Annotated[
    str,
    typer.Option("--output", "-o", metavar="OUTPUT", help="JSON Lines. '-' is standard output."),
]
QueryField = Annotated[str, typer.Option(metavar="FIELD", help="The query in a line.")]
DocumentsField = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD",
        help="An array of documents, or one, in a line; else 'documents' or 'document'.",
    ),
]
DocumentText = Annotated[
    str,
    typer.Option("--text-field", metavar="FIELD", help="The text in a document that is an object."),
]
Corpus = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The documents of a run, JSON Lines of _id, title, text."),
]
Queries = Annotated[
    str | None, typer.Option(metavar="FILE", help="The queries of a run, JSON Lines of _id, text.")
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Start over instead of going on with OUTPUT.")
]


@app.command()
def rank(  # noqa: PLR0913 - the options, each by its name
    query: Query,
    files: Files,
    *,
    top_n: TopN = None,
    threshold: Threshold = None,
    model: Model = None,
    backend: BackendName = None,
    base_url: BaseUrl = None,
    dialect: Dialect = None,
    endpoint: Endpoint = None,
    region: Region = None,
    max_length: MaxLength = None,
    dtype: Dtype = "auto",
    device: Device = None,
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
    new = partial(
        Reranker,
        _model(model, backend, base_url, endpoint),
        backend=backend,
        base_url=base_url,
        endpoint_name=endpoint,
        dialect=dialect,
        region=region,
        top_n=top_n,
        score_threshold=threshold,
        max_length=max_length,
        dtype=dtype,
        device=device,
    )
    with _usage():  # every argument is checked before anything is loaded
        new()
        Job.of(query, ())
        passages, failures = read(
            files, sys.stdin.buffer, paragraphs=paragraphs, text_field=text_field
        )
    complaints = terminal.Complaints()
    for failure in failures:
        complaints.name(failure)
    complaints.end()
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
def score(  # noqa: PLR0913 - the options, each by its name
    source: Input,
    *,
    output: OutputName,
    model: Model = None,
    backend: BackendName = None,
    base_url: BaseUrl = None,
    dialect: Dialect = None,
    endpoint: Endpoint = None,
    region: Region = None,
    max_length: MaxLength = None,
    dtype: Dtype = "auto",
    device: Device = None,
    query_field: QueryField = "query",
    documents_field: DocumentsField = None,
    text_field: DocumentText = "text",
    corpus: Corpus = None,
    queries: Queries = None,
    strict: Strict = False,
    restart: Restart = False,
) -> None:
    """Score many queries with their documents, line by line, in any amount.

    Each line of INPUT is written to OUTPUT with its scores. After any interruption, the same
    command goes on after the last line that was written.

    Exit codes:
    0 fine
    1 some lines were bad, the others are scored
    2 wrong usage
    3 the model, the backend or the disk is not available
    """
    new = partial(
        Reranker,
        _model(model, backend, base_url, endpoint),
        backend=backend,
        base_url=base_url,
        endpoint_name=endpoint,
        dialect=dialect,
        region=region,
        max_length=max_length,
        dtype=dtype,
        device=device,
    )
    with _usage():
        new()
        fields = Fields(query=query_field, documents=documents_field, text=text_field)
        what = _source(source, fields, corpus, queries)
        check_names(what, output, strict=strict)
    with _usage(InputError), new() as reranker:
        bad = score_all(what, output, reranker, strict=strict, restart=restart)
    if bad:
        raise typer.Exit(1)


@app.command()
def models(*, as_json: AsJson = False) -> None:
    """List the models known by name; any other reranker works by its directory or id."""
    if sys.stdout.isatty() and not as_json:
        terminal.show_models()
    else:
        terminal.write_models(as_json=as_json)


def _model(model: str | None, *service: str | None) -> str:
    """Choose what works at once: the built-in model here, a published one where a service runs."""
    if model is not None:
        return model
    return "nano" if {*service} <= {None, "local"} else "turbo"


@contextmanager
def _usage(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of these kinds into one of usage; without any, those of bad arguments."""
    try:
        yield
    except kinds or (TypeError, ValueError) as error:  # noqa: PLW0711, B030 - a tuple
        raise UsageError(str(error)) from error


def _source(name: str, fields: Fields, corpus: str | None, queries: str | None) -> Source:
    """Tell a run from JSON Lines.

    Raises:
        ValueError: The options contradict each other, or the name.
    """
    stdin = sys.stdin.buffer
    if corpus is not None and queries is not None:
        if fields != Fields():
            msg = "--query-field, --documents-field and --text-field are for JSON Lines, not for a run"
            raise ValueError(msg)
        run = Run(name=name, corpus=corpus, queries=queries, stdin=stdin)
        return Source(names=(name, corpus, queries), fetch=run.fetch, read=run.read, twice=True)
    if corpus is not None or queries is not None:
        msg = "a TREC run needs both --corpus and --queries"
        raise ValueError(msg)
    if name.endswith(SUFFIXES):
        msg = f"{name!r} reads like a TREC run: name its texts with --corpus and --queries"
        raise ValueError(msg)
    return Source(names=(name,), read=partial(read_json_lines, name, stdin, fields))


def _rank(reranker: Reranker, query: str, passages: list[Passage]) -> tuple[Ranking[str], float]:
    """Load, rank, and take the seconds of the ranking alone."""
    with _usage(), terminal.loading(reranker):
        reranker.load()
    waiting = terminal.status(f"Ranking {len(passages):,} documents with {reranker.model}")
    start = time.perf_counter()
    # A listwise model refuses a list that does not fit one request.
    with _usage(), nullcontext() if reranker.settings.show_progress else waiting:
        ranking = reranker.rank(query, [passage.text for passage in passages])
    return ranking, time.perf_counter() - start
