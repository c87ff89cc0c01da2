"""How time and memory grow with the number of documents, and with the length of one."""

from __future__ import annotations

from collections.abc import Sequence

from jina_rerank_lab.benchmark import workloads
from jina_rerank_lab.benchmark.contenders import AUTO, Contender, find
from jina_rerank_lab.benchmark.measure import Entrant, Result, compare
from jina_rerank_lab.benchmark.summary import chosen_types, summarise, values, warnings
from jina_rerank_lab.benchmark.tables import NOTHING, megabytes, times
from jina_rerank_lab.benchmark.workloads import Shape, Workload
from rich.table import Table

from ..report import SKIPPED, Section, table
from ..run import Run

BFLOAT16 = find("engine bfloat16")
COUNTS, QUICK_COUNTS = (100, 250, 500, 1000), (10, 20)
LENGTHS, QUICK_LENGTHS = (1024, 2048, 4096, 8192), (512, 1024)
GOAL_DOCUMENTS, GOAL_LONG = 400e6, 150e6  # bytes above the model: 1,000 documents, 8,192 tokens
HEADINGS = ("tokens", "median\nseconds", "tokens/s", "time per token,\nfirst = 1", "peak\nMB")

Measured = Sequence[tuple[Workload, Result]]


def measure(run: Run) -> Section:
    """Score more and more documents, then one that is longer and longer, each size by itself."""
    counts, lengths = (QUICK_COUNTS, QUICK_LENGTHS) if run.quick else (COUNTS, LENGTHS)
    many = [
        Shape(name=f"{count:,} documents", lengths=workloads.log_normal(count)) for count in counts
    ]
    documents = compared(run, many, AUTO)
    long = compared(run, [workloads.one(length) for length in lengths], BFLOAT16)
    return section(run.model, documents, long)


def compared(run: Run, shapes: Sequence[Shape], contender: Contender) -> Measured:
    """Measure workloads in turns, each in a process of its own: its peak is then its own."""
    built = [workloads.build(shape, run.tokenizer(run.model)) for shape in shapes]
    entrants = [
        Entrant(
            name=one.name,
            contender=contender,
            directory=run.checkpoint(run.model),
            workload=one,
        )
        for one in built
    ]
    return list(zip(built, compare(entrants, rounds=run.rounds, say=run.say), strict=True))


def section(model: str, documents: Measured, long: Measured) -> Section:
    """Report both, a line for each size; the first is what the others are compared with."""
    types = chosen_types(result for _, result in documents)
    notes = [
        "; ".join(["peak: above the loaded model, of the first call of a fresh process", *types]),
        (
            "time per token: 1 where time is linear; a long document needs more, since every token "
            "reads all of them"
        ),
        (
            f"goals: 1,000 documents below {megabytes(GOAL_DOCUMENTS)} MB, 8,192 tokens in bfloat16 "
            f"below {megabytes(GOAL_LONG)} MB"
        ),
    ]
    for workload, result in (*documents, *long):
        notes.extend(warnings(workload.name, [result]))
    return Section(
        tables={
            f"Many documents, {model} shape, dtype auto": laid_out(documents),
            f"One long document, {model} shape, bfloat16": laid_out(long),
        },
        notes=tuple(notes),
        values={
            name: [
                {"name": workload.name, "lengths": workload.lengths, **values(result, result)}
                for workload, result in measured
            ]
            for name, measured in (("documents", documents), ("long", long))
        },
    )


def laid_out(measured: Measured) -> Table:
    """Lay out sizes, each with its time beside the first one's."""
    lines = table(left=("workload",), right=HEADINGS)
    base: float | None = None
    for workload, result in measured:
        summary = summarise(result, result)
        if summary is None:
            lines.add_row(workload.name, f"{workload.tokens:,}", SKIPPED, *[NOTHING] * 3)
            continue
        per_token = summary.median / workload.tokens
        base = per_token if base is None else base
        lines.add_row(
            workload.name,
            f"{workload.tokens:,}",
            f"{summary.median:.3f}",
            f"{1 / per_token:,.0f}",
            times(per_token / base),
            megabytes(summary.peak),
        )
    return lines
