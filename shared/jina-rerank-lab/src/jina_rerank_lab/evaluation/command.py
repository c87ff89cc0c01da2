"""The command `evaluate`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from jina_rerank import Reranker
from jina_rerank.errors import JinaRerankError

from .. import beir, collections, rerankers, results, store, terminal
from ..runs import Run
from ..store import Store
from ..terminal import UsageError
from . import measure, metrics, page, summary, tables
from .first_stage import BM25_NAME, FirstStage
from .measure import DEPTH, LONG_DEPTH, LONG_QUERIES, QUERIES, Measured, Sample
from .options import Cache, Device, DType, Renew
from .plan import Plan

RESULT = "evaluation.json"
"""The file of the result in the folder that the user names."""


def read(data: Sequence[str], *, split: str = collections.SPLIT) -> list[collections.Collection]:
    """Read collections by folder or name, each of which may have its name only once."""
    folder = store.folder() / "beir"
    paths = [path for spec in data for path in beir.locate(spec, folder)]
    found = [collections.read(path, split=split) for path in paths]
    names = [collection.name for collection in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        msg = f"--data has two folders named {twice!r}: give each once, under a name of its own"
        raise UsageError(msg)
    return found


def evaluate(  # noqa: PLR0913 - what users can say, each by its name
    *,
    data: Annotated[
        list[str],
        typer.Option(
            metavar="DIR...",
            help="Collections in BEIR's layout: folders, or the name of a BEIR collection, which "
            "is downloaded.",
            show_default=False,
        ),
    ],
    reranker: Annotated[
        list[str],
        typer.Option(
            metavar="SPEC...",
            help="What is measured: nano, turbo, a directory, a hub id, api:MODEL, bi:EMBEDDER for "
            "its cosine, or none. The first stage is always measured, too.",
        ),
    ] = ["nano"],  # noqa: B006 - typer copies it
    retriever: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Where candidates come from: bm25, an embedding model, or the file of a TREC run, "
            "in whose name {collection} stands for that of each collection.",
        ),
    ] = BM25_NAME,
    top_k: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help=f"Candidates per query; else {DEPTH}, and {LONG_DEPTH} of long documents.",
        ),
    ] = None,
    metric: Annotated[
        list[str],
        typer.Option(metavar="NAME...", help="Metrics of ir-measures; the first one decides."),
    ] = list(metrics.DEFAULT),  # noqa: B006
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC...",
            help="Systems that all are compared with; else the first stage.",
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help=f"Ask the first N queries by the SHA-1 of their ids; else {QUERIES}, and "
            f"{LONG_QUERIES} of long documents.",
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Ask every query.")] = False,
    fuse: Annotated[
        bool, typer.Option("--fuse", help="Measure blends with the first stage, too.")
    ] = False,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="Whose judgements, such as test or dev.")
    ] = collections.SPLIT,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help=f"Write {RESULT}, the runs, and the values of every query.",
            show_default=False,
        ),
    ] = None,
    renew: Renew = None,
    cache: Cache = None,
    max_length: Annotated[
        int | None, typer.Option(metavar="N", help="The longest input in tokens.")
    ] = None,
    overlength: Annotated[
        str, typer.Option(metavar="HOW", help="Longer input: truncate, or window.")
    ] = "truncate",
    device: Device = None,
    dtype: DType = "auto",
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The service of api:MODEL; else Jina's.", show_default=False
        ),
    ] = None,
) -> None:
    """Measure rerankers on collections in BEIR's layout.

    Every score is kept, so a command that was interrupted goes on where it was, and one that is
    repeated takes seconds.
    """
    if full and sample is not None:
        msg = "--full asks every query, --sample some: give one of them"
        raise UsageError(msg)
    if renew is not None:
        page.check(renew)
    plan = Plan.of(retriever, metric, reranker, baseline)
    options = {
        "max_length": max_length,
        "overlength": overlength,
        "device": device,
        "dtype": dtype,
        "base_url": base_url,
    }
    with ExitStack() as stack:
        kept = stack.enter_context(Store(cache if cache is not None else store.file()))
        samples = [
            measure.sample(collection, queries=sample, depth=top_k, full=full)
            for collection in read(data, split=split)
        ]
        models = {s: stack.enter_context(_reranker(s, kept, options)) for s in plan.rerankers}
        stack.enter_context(_going_on())
        # All candidates come first: a run that cannot be used is known before hours of work.
        first = FirstStage(retriever, store=kept, device=device)
        found = [first.candidates(each.collection, each.depth) for each in samples]
        measured = [
            _measure(each, run, plan, models, fuse=fuse, out=out)
            for each, run in zip(samples, found, strict=True)
        ]
    _finish(plan, measured, out=out, renew=renew)


@contextmanager
def _going_on() -> Iterator[None]:
    """Say after a failure, or Ctrl-C, that not everything was in vain."""
    try:
        yield
    except (JinaRerankError, KeyboardInterrupt):
        terminal.say("what was computed is kept: run the same command again to go on")
        raise


def _reranker(spec: str, kept: Store, options: Mapping[str, Any]) -> Reranker:
    """Make a reranker and load its model, so that a wrong name costs no work."""
    try:
        reranker = rerankers.find(spec, store=kept, options=options)
    except (TypeError, ValueError) as error:
        msg = f"--reranker {spec}: {error}"
        raise UsageError(msg) from error
    with terminal.status(f"Loading {spec}"):
        reranker.load()
    return reranker


def _measure(  # noqa: PLR0913 - its parts
    chosen: Sample,
    found: Run,
    plan: Plan,
    models: Mapping[str, Reranker],
    *,
    fuse: bool,
    out: Path | None,
) -> Measured:
    each = measure.measure(chosen, (plan.first, found), models, plan.measures, fuse=fuse)
    if each.missing:
        asked = len(chosen.collection.queries)
        said = f"{plan.first} found nothing for {each.missing} of {asked} queries"
        terminal.say(f"{each.name}: {said}; they count 0")
    if out is not None:
        measure.write(out, each)
    return each


def _finish(plan: Plan, measured: list[Measured], *, out: Path | None, renew: Path | None) -> None:
    if measured[0].blends:
        measured = measure.fused(measured, plan.measures)
        if out is not None:
            for each in measured:
                measure.write(out, each)
    setting = {
        "made": results.made(),
        "retriever": plan.retriever,
        "metrics": list(plan.measures),
        "baselines": list(plan.baselines),
    }
    with terminal.status("Comparing"):
        result = summary.whole(measured, summary.rows(measured, plan.baselines), setting)
    if out is not None:
        results.write(out / RESULT, "evaluation", result)
    if renew is not None:
        page.renew(renew, result)
    _show(result)


def _show(result: Mapping[str, Any]) -> None:
    main = result["metrics"][0]
    terminal.table(*tables.quality(result, main), left=2)
    terminal.show("")
    terminal.table(*tables.means(result))
    header, rows = tables.differences(result)
    if rows:
        terminal.show("")
        terminal.table(header, rows, left=2)
    if result["fusion"]:
        terminal.show("")
        terminal.table(*tables.blends(result))
