"""The command `rag`."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from jina_rerank import Reranker
from jina_rerank.cli import UNAVAILABLE
from jina_rerank.errors import JinaRerankError, MissingDependencyError

from .. import collections, embedders, rerankers, results, store, terminal
from ..collections import Collection
from ..embedders import MINILM, Embedder
from ..evaluation import page
from ..evaluation.options import Cache, Device, DType, Renew
from ..rerankers import NONE
from ..store import Store
from ..terminal import UsageError
from . import datasets, presets, summary, tables

T = TypeVar("T")

TOP_K, TOP_N = 10, 5
"""Candidates per question, and how many of them stay and count: LlamaIndex's own comparison of
embedding models and rerankers, which the announcement repeated, has these."""


@dataclass(slots=True)
class Found:
    """Models that could be had, and why others could not.

    Attributes:
        embedders: By the name that the user gave.
        rerankers: By spec.
        unavailable: What is missing, as JSON tells it: which kind, its name and the reason.
    """

    embedders: dict[str, Embedder] = field(default_factory=dict)
    rerankers: dict[str, Reranker] = field(default_factory=dict)
    unavailable: list[dict[str, str]] = field(default_factory=list)


def rag(  # noqa: PLR0913 - what users can say, each by its name
    *,
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="PATH...",
            help="A rag_dataset.json or an embedding dataset of LlamaIndex, or a folder in BEIR's "
            "layout.",
            show_default=False,
        ),
    ],
    embedder: Annotated[
        list[str],
        typer.Option(
            metavar="SPEC...",
            help=f"What finds candidates: {MINILM}, any embedding model, api:MODEL; or "
            f"{presets.ANNOUNCEMENT}, the three models of Jina AI's announcement.",
        ),
    ] = [MINILM],  # noqa: B006 - typer copies it
    reranker: Annotated[
        list[str],
        typer.Option(
            metavar="SPEC...",
            help="What sorts them: nano, turbo, a directory, a hub id, api:MODEL, bi:EMBEDDER. "
            "None at all is always measured, too.",
        ),
    ] = ["nano"],  # noqa: B006
    top_k: Annotated[
        int, typer.Option(metavar="N", min=1, help="Candidates per question.")
    ] = TOP_K,
    top_n: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many of them stay, and count.")
    ] = TOP_N,
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Ask the first N questions by the SHA-1 of their ids; else all.",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="Whose judgements, of a folder in BEIR's layout.")
    ] = collections.SPLIT,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the result as JSON.", show_default=False),
    ] = None,
    renew: Renew = None,
    cache: Cache = None,
    device: Device = None,
    dtype: DType = "auto",
) -> None:
    """Measure embedding models times rerankers, as a RAG pipeline uses them.

    LlamaIndex retrieves, reranks and counts: hit rate and MRR of the passages that stay, averaged
    over the embedding models as in Jina AI's announcement. Scores and vectors are kept: repeated
    or interrupted commands go on where they were.
    """
    if top_n > top_k:
        msg = f"--top-n {top_n} is more than the --top-k {top_k} candidates that there are"
        raise UsageError(msg)
    if renew is not None:
        page.check(renew)
    pipeline = _pipeline()
    read = [_asked(datasets.read(path, split=split), sample) for path in data]
    names = [each.name for each, _ in read]
    if len({*names}) < len(names):
        msg = "--data has two datasets of one name: give each once, under a name of its own"
        raise UsageError(msg)
    with ExitStack() as stack:
        kept = stack.enter_context(Store(cache if cache is not None else store.file()))
        found = _find(embedder, reranker, kept, {"device": device, "dtype": dtype})
        for one in found.rerankers.values():
            stack.enter_context(one)
        measured = _measure(pipeline, [each for each, _ in read], found, top_k=top_k, top_n=top_n)
    setting = {
        "made": results.made(),
        "top_k": top_k,
        "top_n": top_n,
        "unavailable": found.unavailable,
    }
    result = summary.whole(measured, read, setting)
    if out is not None:
        results.write(out, "rag", result)
    if renew is not None:
        page.put(renew, tables.text(result))
    terminal.table(*tables.pairs(result), left=3)
    terminal.show("")
    terminal.table(*tables.means(result))
    if found.unavailable:
        raise typer.Exit(UNAVAILABLE)


def _pipeline() -> Any:
    """Load the module that needs LlamaIndex."""
    try:
        return importlib.import_module(f"{__package__}.pipeline")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "llama_index":
            raise
        msg = "the RAG benchmark needs LlamaIndex: pip install 'jina-rerank-lab[rag]'"
        raise MissingDependencyError(msg, name=error.name) from error


def _asked(collection: Collection, size: int | None) -> tuple[Collection, int]:
    """Keep the questions that something answers, as many as are asked; and say how many there are."""
    answered = [name for name, grades in collection.qrels.items() if max(grades.values()) > 0]
    whole = replace(
        collection,
        queries={name: collection.queries[name] for name in answered},
        qrels={name: collection.qrels[name] for name in answered},
    )
    return (whole if size is None else whole.sample(size)), len(answered)


def _find(
    models: Sequence[str], specs: Sequence[str], kept: Store, options: Mapping[str, Any]
) -> Found:
    """Load every model before any work; what cannot be had does not keep the others from it.

    Raises:
        JinaRerankError: No embedding model can be had.
        UsageError: An option does not suit a reranker.
    """
    found = Found()

    def load(kind: str, name: str, make: Callable[[], T]) -> T | None:
        try:
            with terminal.status(f"Loading {name}"):
                return make()
        except (TypeError, ValueError) as error:
            msg = f"--{kind} {name}: {error}"
            raise UsageError(msg) from error
        except JinaRerankError as error:
            terminal.say(f"{kind} {name} is left out: {error}")
            found.unavailable.append({"kind": kind, "name": name, "reason": str(error)})
            return None

    device = options["device"]
    for name in presets.names(models):
        make = partial(embedders.find, presets.spec(name), store=kept, device=device)
        embedder = load("embedder", name, make)
        if embedder is not None:
            found.embedders[name] = embedder
    for spec in dict.fromkeys([NONE, *specs]):
        reranker = load("reranker", spec, partial(_loaded, spec, kept, options))
        if reranker is not None:
            found.rerankers[spec] = reranker
    if not found.embedders:
        msg = "there is no embedding model left to find candidates with"
        raise JinaRerankError(msg)
    return found


def _loaded(spec: str, kept: Store, options: Mapping[str, Any]) -> Reranker:
    reranker = rerankers.find(spec, store=kept, options=options)
    reranker.load()
    return reranker


def _measure(
    pipeline: Any, read: Sequence[Collection], found: Found, *, top_k: int, top_n: int
) -> dict[tuple[str, str, str], summary.PerQuery]:
    measured: dict[tuple[str, str, str], summary.PerQuery] = {}
    for collection in read:
        for name, embedder in found.embedders.items():
            with terminal.status(f"{collection.name}: vectors of {name}"):
                finds = pipeline.retriever(collection, embedder, top_k=top_k)
            for spec, reranker in found.rerankers.items():
                what = f"{collection.name}: {name}, {spec}"
                with terminal.progress(what, len(collection.queries)) as done:
                    measured[collection.name, name, spec] = pipeline.evaluate(
                        collection, finds, reranker, top_n=top_n, done=done
                    )
    return measured
