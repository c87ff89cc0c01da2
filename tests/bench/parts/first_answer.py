"""How long a fresh process takes to import the package, and to its first answer."""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files

from jina_rerank_lab.benchmark import workloads
from jina_rerank_lab.benchmark.summary import varied
from jina_rerank_lab.benchmark.tables import milliseconds
from tokenizers import Tokenizer

from .. import startup
from ..report import Section, table
from ..run import Run
from ..startup import ANSWERED, STEPS, FirstAnswer, ImportTime

MODULE = "jina_rerank"
GOAL = 0.1  # seconds for the import
GOAL_ANSWER = 2.0  # seconds to the first answer of the built-in model
IMPORTS = 10  # fresh interpreters with the import, and as many without
BUILT_IN, BUILT_IN_PACKAGE = "nano", "jina_rerank_nano"
DOCUMENTS = workloads.Shape(name="10 documents", lengths=tuple(range(104, 124, 2)))


def measure(run: Run) -> Section:
    """Time the import, then processes that rank with the built-in model and with a shape."""
    run.say(f"import {MODULE} in fresh processes")
    imported = startup.import_time(MODULE, rounds=IMPORTS)
    built_in = files(BUILT_IN_PACKAGE).joinpath("tokenizer.json").read_text(encoding="utf-8")
    models = [
        (BUILT_IN, BUILT_IN, workloads.build(DOCUMENTS, Tokenizer.from_str(built_in))),
        (
            f"{run.model} shape",
            str(run.checkpoint(run.model)),
            workloads.build(DOCUMENTS, run.tokenizer(run.model)),
        ),
    ]
    run.say("first answers of fresh processes")
    return section(imported, startup.first_answers(models, rounds=run.rounds))


def section(imported: ImportTime, answers: list[FirstAnswer]) -> Section:
    """Report the import and the answers, a column for each model."""
    title = "From the start of a process to its first answer, milliseconds"
    lines = table(left=("step",), right=[answer.model for answer in answers])
    for at, step in enumerate(STEPS):
        lines.add_row(step, *(milliseconds(answer.steps[at]) for answer in answers))
        if at + 1 == ANSWERED:
            totals = (milliseconds(answer.total) for answer in answers)
            lines.add_row("= first answer", *totals, style="bold", end_section=True)
    mean = sum(DOCUMENTS.lengths) / len(DOCUMENTS.lengths)
    notes = [
        (
            f"import {MODULE}: {milliseconds(imported.median)} ms above the bare interpreter; the goal "
            f"is below {milliseconds(GOAL)}"
        ),
        (
            f"medians of {len(answers[0].rounds)} fresh processes, of each step and of the sum; files "
            f"in the system's memory, bytecode compiled"
        ),
        (
            f"{DOCUMENTS.name}, {mean:.0f} tokens a pair on average; dtype auto; the goal for the first "
            f"answer of {BUILT_IN} is below {milliseconds(GOAL_ANSWER)} ms"
        ),
    ]
    for answer in answers:
        seen = [sum(steps[:ANSWERED]) for steps in answer.rounds]
        notes += varied(f"{answer.model}: the first answer", seen)
    return Section(
        tables={title: lines},
        notes=tuple(notes),
        values={
            "import": {**asdict(imported), "median": imported.median},
            "steps": STEPS,
            "lengths": DOCUMENTS.lengths,
            "models": [
                {**asdict(answer), "medians": answer.steps, "first_answer": answer.total}
                for answer in answers
            ],
        },
    )
