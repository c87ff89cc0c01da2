"""Shows the measurements: a table for people, a dictionary for JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from .machine import Machine
    from .measure import ImportTime, Result
    from .workloads import Workload

MEGABYTE = 1e6
GOAL = 0.1  # seconds for the import
NEAREST_TO_CERTAIN = 1e-9  # a score of exactly 0 or 1 has no finite logit


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One result beside the reference's; `None` where the reference did not run."""

    seconds: float
    speedup: float | None
    peak: int
    score_difference: float | None
    logit_difference: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that one run measured."""

    model: str
    machine: Machine
    comparisons: list[tuple[Workload, list[Result]]]
    import_time: ImportTime

    def table(self) -> Table:
        """Lay out one line per workload and contender."""
        table = Table(title=f"{self.model} shape, random weights")
        for heading in ("workload", "contender"):
            table.add_column(heading)
        for heading in HEADINGS:
            table.add_column(heading, justify="right")
        for workload, results in self.comparisons:
            for at, result in enumerate(results):
                name = workload.name if at == 0 else ""
                table.add_row(name, result.contender, *cells(result, results[0]))
            table.add_section()
        return table

    def notes(self) -> list[str]:
        """Say what the table needs to be understood."""
        lines = [f"Machine: {self.machine}{self.chosen_types()}."]
        for workload, results in self.comparisons:
            tokens = f"{sum(workload.lengths):,} tokens with query and special tokens"
            rounds = ", ".join(f"{len(r.timed)}" for r in results if not r.skipped)
            lines.append(f"{workload.name}: {tokens}; median of {rounds} rounds.")
            lines += [f"{workload.name}, {r.contender}: {r.skipped}." for r in results if r.skipped]
            if any(not sample.exact for r in results for sample in r.samples):
                lines.append(f"{workload.name}: memory is a lower bound on this kernel.")
        imported = f"import {self.import_time.module}: {1e3 * self.import_time.median:.0f} ms"
        return [*lines, f"{imported} above the bare interpreter (goal: below {1e3 * GOAL:.0f})."]

    def chosen_types(self) -> str:
        """Name the type of each contender that chose it itself."""
        results = [result for _, results in self.comparisons for result in results]
        chosen = {r.contender: r.dtype for r in results if r.dtype and r.dtype not in r.contender}
        return "".join(f", {contender} = {dtype}" for contender, dtype in chosen.items())

    def values(self) -> dict[str, Any]:
        """Return every round and what follows from it, ready for JSON."""
        return {
            "model": self.model,
            "machine": asdict(self.machine),
            "workloads": [
                {**asdict(workload), "documents": len(workload.documents), "results": [
                    {**asdict(result), **summary(result, results[0])} for result in results
                ]}
                for workload, results in self.comparisons
            ],
            "import": {**asdict(self.import_time), "median": self.import_time.median},
        }
