"""The engine against other ways to run the same weights, with tokenization and without."""

from __future__ import annotations

from jina_rerank_lab.benchmark import workloads
from jina_rerank_lab.benchmark.contenders import DEFAULTS, REFERENCE, find
from jina_rerank_lab.benchmark.measure import Entrant, compare

from ..report import Section
from ..run import Run
from .engine import section

CONTENDERS = (
    REFERENCE,
    find("reference bfloat16"),
    *(find(name) for name in DEFAULTS if name != REFERENCE.name),
)
"""The first is the one that the others are compared with."""

COMPILED = find("reference compiled")
"""Left out of a quick run: it compiles for minutes, again for each batch size that is tried."""


def measure(run: Run) -> Section:
    """Compare from strings to scores, then from token ids to scores."""
    whole = run.workload(run.model)
    comparisons = []
    for workload in (whole, workloads.forward_only(whole)):
        entrants = [
            Entrant(
                name=who.name,
                contender=who,
                directory=run.checkpoint(run.model),
                workload=workload,
            )
            for who in (CONTENDERS if run.quick else (*CONTENDERS, COMPILED))
        ]
        comparisons.append((workload, compare(entrants, rounds=run.rounds, say=run.say)))
    batches = [
        f"{result.name}: {result.batch}" for result in comparisons[0][1] if result.batch is not None
    ]
    notes = [f"fastest batches of those who pad and sort: {', '.join(batches)}"] if batches else []
    title = f"Other runtimes, {run.model} shape, random weights"
    return section(title, comparisons, notes=notes)
