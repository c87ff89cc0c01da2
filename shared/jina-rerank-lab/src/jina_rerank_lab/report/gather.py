"""What files of results say that charts and tables need."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from jina_rerank.lines import InputError

from .. import published, results
from ..benchmark.contenders import AUTO
from ..benchmark.workloads import PASSAGES
from ..evaluation import tables
from ..published import Published
from ..rag import summary
from ..rerankers import COSINE, NONE
from .charts import Bar, Point

Result: TypeAlias = Mapping[str, Any]
"""A file of results."""

KINDS = ("evaluation", "rag", "benchmark")
"""What the page shows."""

FEW = 2
"""Contenders that are worth a chart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """Files of results by their kind; each keeps the order in which it was named."""

    evaluations: Sequence[Result]
    rags: Sequence[Result]
    benchmarks: Sequence[Result]


def read(paths: Iterable[Path]) -> Results:
    """Read files of results.

    Raises:
        InputError: One of them is none, or of a kind that the page does not show.
    """
    every = []
    for path in paths:
        result = results.read(path)
        if result["kind"] not in KINDS:
            msg = f"{str(path)!r} is of kind {result['kind']!r}; a report shows {', '.join(KINDS)}"
            raise InputError(msg)
        every.append(result)
    evaluations, rags, benchmarks = (
        [one for one in every if one["kind"] == kind] for kind in KINDS
    )
    return Results(evaluations=evaluations, rags=rags, benchmarks=benchmarks)


def system_means(result: Result) -> dict[str, Mapping[str, Any]]:
    """Return the row of the first metric for each system of an evaluation, over all collections."""
    main = result["metrics"][0]
    return {system: row for (system, metric), row in tables.whole(result).items() if metric == main}


def quality_bars(result: Result) -> list[Bar]:
    """Return the systems of an evaluation from the best, in hundredths."""
    found = system_means(result)
    first = result["systems"][0]
    bars = [
        Bar(
            name=name,
            value=100 * row["value"],
            low=100 * row["low"],
            high=100 * row["high"],
            ours=name != first and not name.startswith(COSINE),
        )
        for name, row in found.items()
    ]
    return sorted(bars, key=lambda bar: -bar.value)


def rag_bars(result: Result, metric: str) -> list[Bar]:
    """Return the rerankers of a RAG benchmark from the best."""
    bars = [
        Bar(
            name=name,
            value=row[metric]["value"],
            low=row[metric]["low"],
            high=row[metric]["high"],
            ours=name != NONE and not name.startswith(COSINE),
        )
        for name, row in summary.means(result).items()
    ]
    return sorted(bars, key=lambda bar: -bar.value)


def ran(benchmarks: Sequence[Result]) -> list[Mapping[str, Any]]:
    """Return the lines of benchmarks that have figures."""
    return [line for one in benchmarks for line in one["results"] if "skipped" not in line]


def throughput(benchmarks: Sequence[Result]) -> dict[str, float]:
    """Return by model the documents per second of the engine, in its own choice of type."""
    return {
        line["model"]: line["documents_per_second"]
        for line in ran(benchmarks)
        if line["contender"] == AUTO.name and line["workload"] == PASSAGES.name
    }


def published_points(rates: Mapping[str, float]) -> list[Point]:
    """Place the announcement's models: their published hit rate, and how fast their shape is here."""
    return [
        Point(name=row.model, x=rates[row.shape], y=row.hit_rate, published=True)
        for row in published.TABLE
        if row.shape in rates
    ]


def measured_points(result: Result, rates: Mapping[str, float]) -> list[Point]:
    """Place the rerankers of an evaluation whose speed was measured, too; one says nothing."""
    points = [
        Point(name=name, x=rates[name], y=100 * row["value"], published=False)
        for name, row in system_means(result).items()
        if name in rates
    ]
    return points if len(points) >= FEW else []


def groups(benchmarks: Sequence[Result]) -> dict[str, list[Mapping[str, Any]]]:
    """Group the lines of benchmarks by their workload, those that did not run included.

    Workloads of one document are left out: how they grow with its length is shown elsewhere.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in benchmarks:
        for line in one["results"]:
            if line["documents"] > 1:
                found.setdefault(line["workload"], []).append(line)
    return found


def rate_bars(lines: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """Return the contenders on one workload from the fastest, in tokens per second."""
    bars = [
        Bar(
            name=line["contender"],
            value=line["tokens_per_second"],
            low=line["tokens_per_second"],
            high=line["tokens_per_second"],
            ours=line["contender"].startswith("engine"),
        )
        for line in lines
        if "skipped" not in line
    ]
    return sorted(bars, key=lambda bar: -bar.value)


def length_lines(
    benchmarks: Sequence[Result], key: str
) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Return by model and contender how a figure grows with the length of one document.

    Args:
        benchmarks: The files.
        key: ``"seconds"`` or ``"peak_bytes"``; the latter in millions.
    """
    found: dict[str, dict[str, dict[int, float]]] = {}
    for line in ran(benchmarks):
        if line["documents"] == 1:
            value = line["percentiles"]["50"] if key == "seconds" else line[key] / 1e6
            contenders = found.setdefault(line["model"], {})
            contenders.setdefault(line["contender"], {})[line["longest"]] = value
    return {
        model: {
            name: sorted(points.items())
            for name, points in contenders.items()
            if len(points) >= FEW
        }
        for model, contenders in found.items()
        if any(len(points) >= FEW for points in contenders.values())
    }


def why_not(row: Published) -> str:
    """Say why a published model is not among the measured ones."""
    if row.load.startswith("api:"):
        return "Jina's API runs it, for who has a key"
    return "its weights are on the Hugging Face hub"
