"""The published models' shapes beside each other, and beside what was published of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from jina_rerank_lab.benchmark import checkpoints, claims, workloads
from jina_rerank_lab.benchmark.claims import CLAIMS, Footprint
from jina_rerank_lab.benchmark.contenders import AUTO, FLOAT32
from jina_rerank_lab.benchmark.measure import Entrant, Result, compare
from jina_rerank_lab.benchmark.summary import chosen_types, warnings
from jina_rerank_lab.benchmark.tables import NOTHING, megabytes, times
from jina_rerank_lab.benchmark.workloads import Workload, vocabulary_words
from rich.table import Table

from ..report import SKIPPED, Section, table
from ..run import Run

MODELS = ("base", "turbo", "tiny")  # the first is what the others are compared with
TYPES = (FLOAT32, AUTO)
HEADINGS = (
    "parameters",
    "file\nMB",
    "loaded\nMB",
    "peak\nMB",
    "median\nseconds",
    "tokens/s",
    "speed",
)
LEGEND = (
    "file: as published, 2 bytes a parameter; loaded: resident for model and tokenizer; peak: above "
    "it, scoring; speed: relative to base in the same type"
)

Measured = Mapping[str, Mapping[str, Footprint]]
"""By contender, then by model; without what was skipped."""


def measure(run: Run) -> Section:
    """Run every shape in every type on the same words, at equal token counts."""
    tokenizers = {model: run.tokenizer(model) for model in MODELS}
    words = vocabulary_words(tokenizers["base"])
    texts = {
        model: workloads.build(run.passages, tokenizer, words=words)
        for model, tokenizer in tokenizers.items()
    }
    keys = [(contender, model) for contender in TYPES for model in MODELS]
    entrants = [
        Entrant(
            name=f"{model}, {contender.name}",
            contender=contender,
            directory=run.checkpoint(model),
            workload=texts[model],
        )
        for contender, model in keys
    ]
    results = compare(entrants, rounds=run.rounds, say=run.say)
    measured: dict[str, dict[str, Footprint]] = {contender.name: {} for contender in TYPES}
    for (contender, model), result in zip(keys, results, strict=True):
        if result.loaded is not None:
            file = run.checkpoint(model) / checkpoints.WEIGHTS
            measured[contender.name][model] = footprint(model, file.stat().st_size, result)
    return section(texts["base"], measured, results)


def footprint(model: str, file: int, result: Result) -> Footprint:
    """Put together what a result says of a model whose weights are a file of that many bytes."""
    if result.loaded is None:
        msg = f"{result.name} was skipped"
        raise ValueError(msg)
    return Footprint(
        parameters=checkpoints.parameters(checkpoints.shapes(checkpoints.CONFIGS[model])),
        file=file,
        loaded=result.loaded.resident,
        peak=result.samples[0].peak,
        seconds=result.median,
    )


def section(workload: Workload, measured: Measured, results: Sequence[Result]) -> Section:
    """Report the shapes, then the claims."""
    equal = (
        f"{workload.name}, the same words for all, {sum(workload.lengths):,} tokens read by each: a "
        f"document of base is a word longer, since its tokenizer adds 3 special tokens, not 4"
    )
    rounds = f"rounds: {', '.join(str(len(result.timed)) for result in results)}"
    return Section(
        tables={
            "Shapes side by side through the engine, random weights": shapes_table(
                workload, measured
            ),
            "What was published, beside what is measured here": claims_table(measured),
        },
        notes=(
            LEGEND,
            equal,
            "; ".join([rounds, *chosen_types(results)]),
            (
                "published: by Jina AI, on hardware not stated; memory loaded is loaded, memory scoring "
                "is loaded and peak"
            ),
            *warnings(workload.name, results),
        ),
        values={
            "lengths": workload.lengths,
            "shapes": {
                name: {model: asdict(found) for model, found in models.items()}
                for name, models in measured.items()
            },
            "claims": [claims.values(claim, measured) for claim in CLAIMS],
            "results": [asdict(result) for result in results],
        },
    )


def shapes_table(workload: Workload, measured: Measured) -> Table:
    """Lay out one line per type and shape."""
    lines = table(left=("contender", "shape"), right=HEADINGS)
    tokens = sum(workload.lengths)
    for name, models in measured.items():
        first = models.get(MODELS[0])
        for at, model in enumerate(MODELS):
            found = models.get(model)
            cells = [SKIPPED]
            if found is not None:
                cells = [
                    f"{found.parameters:,}",
                    *map(megabytes, (found.file, found.loaded, found.peak)),
                    f"{found.seconds:.3f}",
                    f"{tokens / found.seconds:,.0f}",
                    times(first.seconds / found.seconds if first else None),
                ]
            lines.add_row(name if at == 0 else "", model, *cells)
        lines.add_section()
    return lines


def claims_table(measured: Measured) -> Table:
    """Lay out one line per claim: published, and measured here in each type."""
    here = [f"measured here\n{name}" for name in measured]
    lines = table(left=("claim",), right=("published", *here))
    for claim in CLAIMS:
        found = [claim.measured(models) for models in measured.values()]
        lines.add_row(
            claim.text, claim.published, *(NOTHING if text is None else text for text in found)
        )
    return lines
