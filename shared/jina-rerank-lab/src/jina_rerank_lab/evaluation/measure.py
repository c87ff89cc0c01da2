"""One collection through several systems: candidates, scores, values of the metrics."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jina_rerank import Reranker

from .. import runs, terminal
from ..atomic import written
from ..collections import Collection
from ..rerankers import NONE
from ..runs import Run
from . import fusion, metrics
from .metrics import PerQuery

LONG = 2000
"""Words of the mean document from which a collection is one of long documents."""

QUERIES, LONG_QUERIES = 100, 20
"""How many queries are asked unless the user says otherwise, the second of long documents."""

DEPTH, LONG_DEPTH = 100, 20
"""How many candidates each of them has, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A collection, as much of it as is asked.

    Attributes:
        collection: The collection, with the queries that are asked.
        queries: How many it has in all.
        words: Of its mean document.
        depth: How many candidates a query has at most.
    """

    collection: Collection
    queries: int
    words: int
    depth: int


def sample(
    collection: Collection, *, queries: int | None, depth: int | None, full: bool = False
) -> Sample:
    """Choose what is asked of a collection.

    Args:
        collection: The collection.
        queries: How many queries; None is `QUERIES`, or `LONG_QUERIES` of long documents.
        depth: How many candidates; None is `DEPTH`, or `LONG_DEPTH` of long documents.
        full: Ask all of it: every query, and `DEPTH` candidates unless `depth` says otherwise.
    """
    texts = [passage.full for passage in collection.corpus.values()]
    words = round(sum(len(text.split()) for text in texts) / len(texts))
    few = words >= LONG and not full
    size = queries if queries is not None else LONG_QUERIES if few else QUERIES
    return Sample(
        collection=collection if full else collection.sample(size),
        queries=len(collection.queries),
        words=words,
        depth=depth if depth is not None else LONG_DEPTH if few else DEPTH,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured on one collection.

    Attributes:
        sample: What was asked.
        runs: By system, its scores; the first stage comes first.
        values: By system, the values of the metrics.
        blends: By reranker, for each weight of `fusion.WEIGHTS` the mean of the first metric.
        missing: Queries for which the first stage found nothing.
    """

    sample: Sample
    runs: dict[str, Run]
    values: dict[str, PerQuery]
    blends: dict[str, list[float]]
    missing: int

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.sample.collection.name


def measure(
    chosen: Sample,
    first: tuple[str, Run],
    rerankers: Mapping[str, Reranker],
    measures: Mapping[str, Any],
    *,
    fuse: bool = False,
) -> Measured:
    """Measure rerankers on the candidates of a first stage.

    Args:
        chosen: What is asked.
        first: The first stage: its name, and what it found.
        rerankers: By name.
        measures: See `metrics.parse`.
        fuse: Measure blends of each reranker with the first stage, too.

    Raises:
        JinaRerankError: A reranker failed; what it scored before is in its cache, if it has one.
    """
    collection, (name, found) = chosen.collection, first
    made: dict[str, Run] = {name: found}
    for spec, reranker in rerankers.items():
        action = f"{collection.name}: {spec}"
        with terminal.progress(action, len(collection.queries)) as advance:
            made[spec] = _rerank(collection, found, reranker, advance)
    values = {
        system: metrics.measure(measures, collection.qrels, run) for system, run in made.items()
    }
    main = dict(list(measures.items())[:1])
    return Measured(
        sample=chosen,
        runs=made,
        values=values,
        blends={spec: _blends(collection, made[spec], found, main) for spec in rerankers if fuse},
        missing=sum(not found.get(query) for query in collection.queries),
    )


def _rerank(
    collection: Collection, found: Run, reranker: Reranker, advance: Callable[[int], None]
) -> Run:
    made = {}
    for query, scores in found.items():
        names = runs.ranked(scores)
        texts = [collection.corpus[name].full for name in names]
        values = reranker.score(collection.queries[query], texts)
        # No model reads a blank text, which comes last, also where scores are below 0.
        least = min(values, default=0.0) - 1
        kept = [v if text.strip() else least for v, text in zip(values, texts, strict=True)]
        made[query] = dict(zip(names, kept, strict=True))
        advance(1)
    return made


def _blends(
    collection: Collection, reranked: Run, found: Run, measures: Mapping[str, Any]
) -> list[float]:
    means = []
    for weight in fusion.WEIGHTS:
        run = fusion.blend(reranked, found, weight)
        (values,) = metrics.measure(measures, collection.qrels, run).values()
        means.append(sum(values.values()) / len(values))
    return means


def fused(measured: list[Measured], measures: Mapping[str, Any]) -> list[Measured]:
    """Add the blends as systems of their own, each collection's weight chosen by the others."""
    chosen = {
        spec: fusion.choose({each.name: each.blends[spec] for each in measured})
        for spec in measured[0].blends
    }
    return [
        _fused(each, {spec: c[each.name] for spec, c in chosen.items()}, measures)
        for each in measured
    ]


def _fused(each: Measured, chosen: Mapping[str, int], measures: Mapping[str, Any]) -> Measured:
    first, found = next(iter(each.runs.items()))
    blends = {
        f"{spec} + {first}": fusion.blend(each.runs[spec], found, fusion.WEIGHTS[place])
        for spec, place in chosen.items()
    }
    qrels = each.sample.collection.qrels
    values = {name: metrics.measure(measures, qrels, run) for name, run in blends.items()}
    return Measured(
        sample=each.sample,
        runs={**each.runs, **blends},
        values={**each.values, **values},
        blends=each.blends,
        missing=each.missing,
    )


def first_name(retriever: str) -> str:
    """Name the first stage: what it was asked for by, or the name of its file."""
    return Path(retriever).name or NONE


def write(folder: Path, measured: Measured) -> None:
    """Write the runs and the value of every query: `runs/NAME/SYSTEM.trec`, `queries/NAME.tsv`."""
    for system, run in measured.runs.items():
        runs.write(folder / "runs" / measured.name / f"{slug(system)}.trec", run, tag=system)
    names = list(next(iter(measured.values.values())))
    with written(folder / "queries" / f"{measured.name}.tsv") as file:
        file.write("\t".join(["query", "system", *names]) + "\n")
        for system, values in measured.values.items():
            for query in measured.sample.collection.queries:
                cells = [repr(values[name][query]) for name in names]
                file.write("\t".join([query, system, *cells]) + "\n")


def slug(name: str) -> str:
    """Turn a name into one of a file.

    >>> slug("bi:all-MiniLM-L6-v2"), slug("../my model/")
    ('bi-all-MiniLM-L6-v2', 'my-model')
    """
    return re.sub(r"[^\w.+]+", "-", name).strip("-.") or "system"
