"""What a part of the benchmark hands back, and how its tables look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jina_rerank_lab.benchmark.measure import Result
from jina_rerank_lab.benchmark.summary import summarise
from jina_rerank_lab.benchmark.tables import NOTHING, megabytes, times
from jina_rerank_lab.benchmark.workloads import Workload
from rich.box import SIMPLE_HEAD
from rich.table import Table

SKIPPED = "skipped"
COMPARED = ("median\nseconds", "speed", "peak\nMB", "score\ndiff", "logit\ndiff")
LEGEND = "peak: above the loaded model; diff: the largest, absolute"


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """The report of one part: tables by title and notes for people, every round for JSON."""

    tables: Mapping[str, Table]
    notes: tuple[str, ...]
    values: dict[str, Any]


def table(*, left: Sequence[str], right: Sequence[str]) -> Table:
    """Return an empty table; words stand to the left, numbers to the right."""
    empty = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in left:
        empty.add_column(heading, no_wrap=True)
    for heading in right:
        empty.add_column(heading, no_wrap=True, justify="right")
    return empty


def compared(comparisons: Sequence[tuple[Workload, Sequence[Result]]]) -> Table:
    """Lay out workloads, each with a line per result; the first is what others compare with."""
    lines = table(left=("workload", "contender"), right=COMPARED)
    for workload, results in comparisons:
        for at, result in enumerate(results):
            name = workload.name if at == 0 else ""
            lines.add_row(name, result.name, *cells(result, results[0]))
        lines.add_section()
    return lines


def cells(result: Result, reference: Result) -> list[str]:
    """Write a result in the order of `COMPARED`."""
    summary = summarise(result, reference)
    if summary is None:
        return [SKIPPED]
    differences = (summary.max_score_difference, summary.max_logit_difference)
    return [
        f"{summary.median:.3f}",
        times(summary.speedup),
        megabytes(summary.peak),
        *(NOTHING if number is None else f"{number:.1e}" for number in differences),
    ]
