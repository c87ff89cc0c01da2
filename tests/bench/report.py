"""Shows the measurements: a table and notes for people, a dictionary for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .machine import Machine
from .measure import ImportTime, Result
from .workloads import Workload

GOAL = 0.1  # seconds for the import
NOISY = 1.5  # how much longer than the fastest round the slowest may take without a note
NEAREST = 1e-9  # how near to 0 and 1 a score may be, so that its logit is finite
HEADINGS = ("median\nseconds", "speed", "peak\nMB", "score\ndiff", "logit\ndiff")
LEGEND = (
    "speed: relative to the reference; peak: above the loaded model; diff: the largest, absolute"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """One result beside the reference's; `None` where the reference did not run.

    `speedup` is the reference's median over this one; the peak is in bytes above the model.
    """

    median: float
    speedup: float | None
    peak: int
    max_score_difference: float | None
    max_logit_difference: float | None

    def cells(self) -> Iterator[str]:
        """Write the values as the table shows them, in the order of `HEADINGS`."""
        yield f"{self.median:.3f}"
        yield "-" if self.speedup is None else f"{self.speedup:.2f}x"
        yield f"{self.peak / 1e6:,.0f}"
        for difference in (self.max_score_difference, self.max_logit_difference):
            yield "-" if difference is None else f"{difference:.1e}"


def summarise(result: Result, reference: Result) -> Summary | None:
    """Compare a result with the reference's on the same workload; `None` if it was skipped."""
    if not result.samples:
        return None
    speedup = score_difference = logit_difference = None
    scores = result.samples[0].scores
    if reference.samples:
        expected = reference.samples[0].scores
        speedup = reference.median / result.median
        score_difference = largest_difference(scores, expected)
        logit_difference = largest_difference(map(logit, scores), map(logit, expected))
    return Summary(
        median=result.median,
        speedup=speedup,
        peak=result.samples[0].peak,
        max_score_difference=score_difference,
        max_logit_difference=logit_difference,
    )


def largest_difference(values: Iterable[float], expected: Iterable[float]) -> float:
    """Return the largest absolute difference of two series of one length."""
    return max(abs(value - other) for value, other in zip(values, expected, strict=True))


def logit(score: float) -> float:
    """Invert the sigmoid."""
    inside = min(max(score, NEAREST), 1 - NEAREST)
    return math.log(inside / (1 - inside))


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that one run measured; the first result of each workload is the reference's."""

    model: str
    machine: Machine
    comparisons: list[tuple[Workload, list[Result]]]
    import_time: ImportTime

    def table(self) -> Table:
        """Lay out one line per workload and contender."""
        title = f"{self.model} shape, random weights"
        table = Table("workload", "contender", title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for heading in HEADINGS:
            table.add_column(heading, justify="right")
        for column in table.columns:
            column.no_wrap = True
        for workload, results in self.comparisons:
            for at, result in enumerate(results):
                summary = summarise(result, results[0])
                cells = summary.cells() if summary else ["skipped"]
                table.add_row(workload.name if at == 0 else "", result.contender, *cells)
            table.add_section()
        return table

    def notes(self) -> Iterator[str]:
        """Say what one needs to know to read the table."""
        yield LEGEND
        yield f"{self.machine}{self.chosen_types()}"
        for workload, results in self.comparisons:
            rounds = ", ".join(str(len(result.timed)) for result in results)
            tokens = f"{sum(workload.lengths):,} tokens read, query and special tokens included"
            yield f"{workload.name}: {tokens}; rounds per contender: {rounds}"
            for result in results:
                if result.skipped:
                    yield f"{workload.name}: {result.contender} skipped, {result.skipped}"
                elif max(result.timed) > NOISY * min(result.timed):
                    span = f"{min(result.timed):.2f} to {max(result.timed):.2f} s"
                    yield f"{workload.name}: {result.contender} varied, {span}: a busy machine?"
                if not all(sample.exact for sample in result.samples):
                    yield f"{workload.name}: the peak of {result.contender} is a lower bound"
        milliseconds = f"{1e3 * self.import_time.median:.0f} ms above the bare interpreter"
        yield f"import {self.import_time.module}: {milliseconds} (goal: below {1e3 * GOAL:.0f})"

    def chosen_types(self) -> str:
        """Name the type of each contender that chose it itself."""
        results = [result for _, results in self.comparisons for result in results]
        chosen = {r.contender: r.dtype for r in results if r.dtype and r.dtype not in r.contender}
        return "".join(f", {contender} = {dtype}" for contender, dtype in chosen.items())

    def values(self) -> dict[str, Any]:
        """Return every round and what follows from it; texts are left out."""
        return {
            "model": self.model,
            "machine": asdict(self.machine),
            "workloads": [
                {
                    "name": workload.name,
                    "lengths": workload.lengths,
                    "results": [result_values(result, results[0]) for result in results],
                }
                for workload, results in self.comparisons
            ],
            "import": {**asdict(self.import_time), "median": self.import_time.median},
        }


def result_values(result: Result, reference: Result) -> dict[str, Any]:
    """Return the samples of a result and its summary."""
    summary = summarise(result, reference)
    return {**asdict(result), "summary": asdict(summary) if summary else None}
