"""How fast each weight learns: by the step, the kind of weight and its layer."""

import math
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import AdamW

from jina_rerank.lines import InputError

from .recipe import StagePart
from .student import Student

BETAS = (0.9, 0.98)
"""AdamW's; the second is lower than usual, for runs of few steps."""


def rate(part: StagePart, step: int, share: float) -> float:
    """Return the learning rate of a step.

    Args:
        part: The stage.
        step: The step's number, from 0.
        share: How much of the stage is over, from 0 to 1.
    """
    falling = {
        "linear": 1 - share,
        "cosine": (1 + math.cos(math.pi * share)) / 2,
        "none": 1.0,
    }[part.decay]
    rising = min(1.0, (step + 1) / part.warmup) if part.warmup else 1.0
    return part.learning_rate * rising * (part.floor + (1 - part.floor) * falling)


def optimizer(part: StagePart, student: Student, reached: Iterable[str]) -> AdamW:
    """Make the optimizer of a stage, and stop the gradients of all that does not learn.

    Args:
        part: The stage.
        student: The student.
        reached: The names of the parameters that the stage's losses depend on.

    Raises:
        InputError: The stage freezes what is not there, or everything.
    """
    names = set(reached)
    modules = {name for name, _ in student.named_modules() if name}
    for frozen in part.freeze:
        if frozen not in modules:
            msg = f"freeze names {frozen!r}, which the student does not have; it has words, types, norm, layers, layers.0, pooler, classifier and more"
            raise InputError(msg)
        names = {name for name in names if not f"{name}.".startswith(f"{frozen}.")}
    if not names:
        msg = "freeze leaves nothing to learn"
        raise InputError(msg)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in student.named_parameters():
        parameter.requires_grad_(name in names)
        if name in names:
            decay = part.weight_decay if parameter.dim() > 1 else 0.0
            factor = part.layer_factor ** _below(name, len(student.layers))
            groups.setdefault((factor, decay), []).append(parameter)
    described: list[dict[str, Any]] = [
        {"params": parameters, "factor": factor, "weight_decay": decay}
        for (factor, decay), parameters in groups.items()
    ]
    return AdamW(described, lr=part.learning_rate, betas=BETAS, fused=True)


def set_rate(made: AdamW, value: float) -> None:
    """Set the learning rate of every group."""
    for group in made.param_groups:
        group["lr"] = value * group["factor"]


def _below(name: str, layers: int) -> int:
    """Return how many layers are between a parameter and the head."""
    top, _, rest = name.partition(".")
    if top == "layers":
        return layers - 1 - int(rest.partition(".")[0])
    return 0 if top in {"pooler", "classifier"} else layers
