"""``jina-rerank-lab benchmark``: speed, latency, memory and cost, ours and the peers' side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from tokenizers import Tokenizer

from jina_rerank.errors import CheckpointError
from jina_rerank.hardware import choose_device
from jina_rerank.jina_bert.tokenizer import read_tokenizer

from .. import results, terminal
from ..terminal import UsageError
from . import claims, contenders, models, workloads
from .claims import CLAIMS, Footprint
from .contenders import Contender
from .figures import baseline, figures
from .measure import Entrant, Result, compare
from .models import Model, Models
from .tables import show_claims, show_comparison
from .workloads import Shape, Workload, forward_only

MOST = 8
"""Processes that are alive side by side: each holds a model."""

FIRST_LENGTH = 32
"""The shortest document that `--length` takes: a query and special tokens are in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A contender on the weights of a model, and why it cannot run on a workload, if so."""

    model: Model
    contender: Contender
    workload: Workload
    obstacle: str


def benchmark(  # noqa: PLR0913 - the options, each by its name
    *,
    model: Annotated[
        list[str],
        typer.Option(
            metavar="SPEC...",
            help="A shape with random weights: "
            f"{', '.join(models.SHAPES)}; or a model as it is: nano, a directory, a hub id.",
        ),
    ] = ["turbo"],  # noqa: B006 - typer reads it, nobody changes it
    contender: Annotated[
        list[str],
        typer.Option(
            metavar="NAME...",
            help=f"Who runs: {', '.join(contenders.slug(one.name) for one in contenders.CONTENDERS)}; "
            "or engine, or all. Else ours, the reference, and the peers in float32 and below.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    workload: Annotated[
        list[str],
        typer.Option(
            metavar="NAME...",
            help=f"What is scored: {', '.join(workloads.SHAPES)}; else passages.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    length: Annotated[
        list[int],
        typer.Option(
            metavar="N...",
            help="One document of so many tokens, as a workload.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    forward: Annotated[
        bool,
        typer.Option(
            "--forward",
            help="Also run each workload without tokenization: from token ids to scores.",
        ),
    ] = False,
    rounds: Annotated[
        int, typer.Option(metavar="N", min=1, help="Timed rounds; the median counts.")
    ] = 5,
    device: Annotated[str, typer.Option(metavar="NAME", help="Where: cpu or cuda.")] = "cpu",
    cost: Annotated[
        float | None,
        typer.Option(
            metavar="PRICE",
            min=0,
            help="The price of this machine per hour, for the cost of documents.",
        ),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The tokenizer.json of turbo and tiny; else one of made-up words."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where results go, as JSON.")] = Path(
        "benchmark.json"
    ),
) -> None:
    """Measure documents and tokens per second, latency, memory and cost.

    Every contender runs the same weights on the same texts, from strings to scores, in a process of
    its own; they take turns. What is not installed, or does not fit this machine, is a line that
    says so. Nothing is asserted: numbers depend on the machine.

    Give --model several times for a comparison of sizes, with base for the announcement's claims.
    """
    who = chosen(contender)
    shapes = [*asked(workload), *map(one_document, length)] or [workloads.PASSAGES]
    read = None if tokenizer is None else tokenizer_of(tokenizer)
    try:
        choose_device(device)
    except ValueError as error:
        raise UsageError(str(error)) from error
    found: dict[str, Any] = {
        "made": results.made(),
        "device": device,
        "rounds": rounds,
        "cost_per_hour": cost,
        "models": [],
        "results": [],
        "claims": [],
    }
    with TemporaryDirectory() as folder:
        made = Models(Path(folder), tokenizer=read, say=terminal.say)
        several = [made.get(name) for name in dict.fromkeys(model)]
        found["models"] = [described(one) for one in several]
        for group in groups(several, who, shapes, forward=forward):
            measured = run(group, device=device, rounds=rounds)
            found["results"] += show(group, measured, device=device, cost=cost)
            found["claims"] = published_beside(found)
            results.write(out, "benchmark", found)
    show_claims(found["claims"])
    terminal.say(f"every round is in {out}")


def chosen(names: Sequence[str]) -> list[Contender]:
    """Find contenders; none named are the default ones.

    Raises:
        UsageError: There is none of that name.
    """
    if not names:
        return [contenders.find(name) for name in contenders.DEFAULTS]
    wanted = dict.fromkeys(name for one in names for name in contenders.GROUPS.get(one, (one,)))
    try:
        return [contenders.find(name) for name in wanted]
    except KeyError as error:
        known = ", ".join(contenders.slug(one.name) for one in contenders.CONTENDERS)
        msg = f"there is no contender {error.args[0]!r}; there are {known}, engine, all"
        raise UsageError(msg) from error


def asked(names: Sequence[str]) -> list[Shape]:
    """Find workloads.

    Raises:
        UsageError: There is none of that name.
    """
    unknown = [name for name in names if name not in workloads.SHAPES]
    if unknown:
        msg = f"there is no workload {unknown[0]!r}; there are {', '.join(workloads.SHAPES)}"
        raise UsageError(msg)
    return [workloads.SHAPES[name] for name in dict.fromkeys(names)]


def one_document(length: int) -> Shape:
    """Ask for one document of so many tokens.

    Raises:
        UsageError: A query leaves no room for it.
    """
    if length < FIRST_LENGTH:
        msg = f"--length must be at least {FIRST_LENGTH}, got {length}"
        raise UsageError(msg)
    return workloads.one(length)


def tokenizer_of(path: Path) -> Tokenizer:
    """Read a tokenizer.

    Raises:
        UsageError: It is none.
    """
    try:
        return read_tokenizer(path)
    except CheckpointError as error:
        raise UsageError(str(error)) from error


def groups(
    several: Sequence[Model],
    who: Sequence[Contender],
    shapes: Sequence[Shape],
    *,
    forward: bool = False,
) -> Iterator[list[Line]]:
    """Yield what is measured side by side: a workload on all models, or on one after another.

    With `forward` each is followed by the same without tokenization.
    """
    for shape in shapes:
        per_model = [[line(model, contender, shape) for contender in who] for model in several]
        if len(several) * len(who) <= MOST:
            per_model = [[one for lines in per_model for one in lines]]
        for lines in per_model:
            yield lines
            if forward:
                yield [replace(one, workload=forward_only(one.workload)) for one in lines]


def line(model: Model, contender: Contender, shape: Shape) -> Line:
    """Put a contender, a model and a workload together, and say why they do not go together."""
    obstacle = ""
    if max(shape.lengths) > model.context:
        obstacle = f"{model.name} reads at most {model.context} tokens"
        shape = replace(shape, lengths=(model.context,))
    elif not model.jina_bert and not contender.family:
        obstacle = "runs JinaBERT only"
    workload = workloads.build(shape, model.tokenizer, words=model.words)
    return Line(model=model, contender=contender, workload=workload, obstacle=obstacle)


def run(group: Sequence[Line], *, device: str, rounds: int) -> list[Result]:
    """Measure those who can run; the others are skipped for the reason that is known."""
    entrants = {
        at: Entrant(
            name=f"{one.model.name}, {one.contender.name}",
            contender=one.contender,
            directory=one.model.directory,
            workload=one.workload,
            device=device,
        )
        for at, one in enumerate(group)
        if not one.obstacle
    }
    found = compare(list(entrants.values()), rounds=rounds, say=terminal.say)
    measured = dict(zip(entrants, found, strict=True))
    return [
        measured[at]
        if at in measured
        else Result(name="", contender=one.contender.name, skipped=one.obstacle)
        for at, one in enumerate(group)
    ]


def show(
    group: Sequence[Line], measured: Sequence[Result], *, device: str, cost: float | None
) -> list[dict[str, Any]]:
    """Print a table for each model of a group, and return its lines for JSON."""
    every: list[dict[str, Any]] = []
    for name in dict.fromkeys(one.model.name for one in group):
        pairs = [
            (one, result)
            for one, result in zip(group, measured, strict=True)
            if one.model.name == name
        ]
        reference = baseline([result for _, result in pairs])
        found = [
            figures(
                result,
                model=one.model,
                workload=one.workload,
                device=device,
                reference=reference,
                price=cost,
            )
            for one, result in pairs
        ]
        show_comparison(found)
        every += found
    return every


def published_beside(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Put the announcement's claims beside what was measured of the engine on the first workload."""
    sizes = {one["name"]: one for one in found["models"]}
    measured: dict[str, dict[str, Footprint]] = {}
    first = next((one["workload"] for one in found["results"]), None)
    for one in found["results"]:
        if one["workload"] == first and one["contender"].startswith("engine") and "seconds" in one:
            measured.setdefault(one["contender"], {})[one["model"]] = Footprint(
                parameters=sizes[one["model"]]["parameters"],
                file=sizes[one["model"]]["file_bytes"],
                loaded=one["loaded"]["resident"],
                peak=one["peak_bytes"],
                seconds=one["percentiles"]["50"],
            )
    whole = [claim for claim in CLAIMS if any(claim.ratio(models) for models in measured.values())]
    return [claims.values(claim, measured) for claim in whole]


def described(model: Model) -> dict[str, Any]:
    """Describe a model for JSON."""
    return {
        "name": model.name,
        "parameters": model.parameters,
        "file_bytes": model.file,
        "context": model.context,
        "random_weights": model.random,
    }
