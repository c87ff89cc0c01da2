"""The engine against a plain forward pass of the same model."""

from __future__ import annotations

from collections.abc import Sequence

from jina_rerank_lab.benchmark import workloads
from jina_rerank_lab.benchmark.contenders import AUTO, FLOAT32, REFERENCE
from jina_rerank_lab.benchmark.measure import Entrant, Result, compare
from jina_rerank_lab.benchmark.summary import chosen_types, values, warnings
from jina_rerank_lab.benchmark.workloads import Workload

from ..report import LEGEND, Section, compared
from ..run import Run

Comparison = tuple[Workload, Sequence[Result]]


def measure(run: Run) -> Section:
    """Compare on passages and on one long document."""
    quick = (workloads.FEW_PASSAGES, workloads.LESS_LONG)
    full = (workloads.PASSAGES, workloads.LONG)
    directory, tokenizer = run.checkpoint(run.model), run.tokenizer(run.model)
    comparisons = []
    for shape in quick if run.quick else full:
        workload = workloads.build(shape, tokenizer)
        entrants = [
            Entrant(name=who.name, contender=who, directory=directory, workload=workload)
            for who in (REFERENCE, FLOAT32, AUTO)
        ]
        comparisons.append((workload, compare(entrants, rounds=run.rounds, say=run.say)))
    return section(f"The engine, {run.model} shape, random weights", comparisons)


def section(title: str, comparisons: Sequence[Comparison], *, notes: Sequence[str] = ()) -> Section:
    """Report comparisons whose first result is the one that the others are compared with."""
    types = dict.fromkeys(text for _, results in comparisons for text in chosen_types(results))
    legend = f"speed: relative to {comparisons[0][1][0].name}; {LEGEND}"
    lines = ["; ".join([legend, *types]), *notes]
    for workload, results in comparisons:
        rounds = ", ".join(str(len(result.timed)) for result in results)
        tokens = f"{sum(workload.lengths):,} tokens read, query and special tokens included"
        lines.append(f"{workload.name}: {tokens}; rounds per contender: {rounds}")
        lines.extend(warnings(workload.name, results))
    return Section(
        tables={title: compared(comparisons)},
        notes=tuple(lines),
        values={
            "workloads": [
                {
                    "name": workload.name,
                    "lengths": workload.lengths,
                    "results": [values(result, results[0]) for result in results],
                }
                for workload, results in comparisons
            ]
        },
    )
