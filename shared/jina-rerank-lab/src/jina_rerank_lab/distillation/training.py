"""Run the stages of a recipe, from wherever the last run was stopped."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from jina_rerank.errors import JinaRerankError
from jina_rerank.hardware import choose_device
from jina_rerank.jina_bert.config import JinaBertConfig

from . import card, dev, pace, saved
from .blocks import Blocks, digest
from .checkpoints import Checkpoints, Progress
from .features import Features
from .inputs import Inputs
from .log import Log
from .prepare import Prepared, layouts, prepare, sources
from .ranking import Ranking
from .recipe import Recipe, StagePart, described
from .sampling import Sampler, Source
from .start import start, write_tokenizer
from .student import Student
from .targets import Targets
from .vectors import Models

BEST, LAST, TOKENIZER = "best", "last", "tokenizer"
"""Folders of a run: the best student, the last one, and the tokenizer of both."""

RESULT = "result.json"
"""The file of a run that says what it did, when it is over."""

PASSAGES = 6000
"""By which rare words are told."""

STAGE = 7919
"""Keeps the chance of stages apart."""


class Task(Protocol):
    """What is learnt in a stage."""

    def parameters(self, student: Student) -> list[str]:
        """Name the parameters that it reaches."""

    def step(self, student: Student, number: int) -> tuple[dict[str, float], int]:
        """Add the gradients of a step; return its losses and how many tokens it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run reads and writes.

    Attributes:
        data: What paths of the recipe are relative to.
        output: The folder of the run.
        cache: Where what other runs can use is kept.
        say: Is told how it goes.
        clock: Seconds that go by.
    """

    data: Path
    output: Path
    cache: Path
    say: Callable[[str], object]
    clock: Callable[[], float] = field(default=time.monotonic)


class Run:
    """A distillation that is under way.

    Args:
        recipe: The recipe.
        place: Where it reads and writes.
        restart: Forget an earlier run in the same place.

    Raises:
        InputError: The data cannot be used, or the place holds a run of another recipe.
        JinaRerankError: A model is missing or unsuitable, or the disk is full.
    """

    def __init__(self, recipe: Recipe, place: Place, *, restart: bool = False) -> None:
        if recipe.threads is not None:
            torch.set_num_threads(recipe.threads)
        self.recipe = recipe
        self.device = choose_device(recipe.device)
        self._place = place
        place.output.mkdir(parents=True, exist_ok=True)
        for name in (BEST, LAST):
            saved.recover(place.output / name)
        self.prepared: Prepared = prepare(recipe, place.data, place.say)
        texts = [repr(examples) for examples in self.prepared.examples]
        key = digest(described(recipe), *texts)
        self._checkpoints = Checkpoints(place.output / "checkpoints", key, recipe.output.keep)
        self.log = Log(place.output / "log.jsonl", place.say)
        self._blocks = Blocks(place.cache)
        self._models = Models(self._blocks, self.device)
        self._sources: dict[int | None, list[Source]] = {}
        self.progress = Progress()
        self._optimizer: dict[str, Any] | None = None
        if restart:
            self._checkpoints.clear()
        self.student, self.average = self._begin()
        self._inputs = Inputs(self._tokenizer)

    @property
    def _tokenizer(self) -> Path:
        return self._place.output / TOKENIZER / "tokenizer.json"

    def _begin(self) -> tuple[Student, Student | None]:
        """Make the student, or take it from the last checkpoint."""
        loaded = self._checkpoints.load()
        averaged = self.recipe.dev.average is not None
        if loaded is None:
            self.log.keep(-1)
            student, tokenizer = start(
                self.recipe.student, self.recipe.seed, self.prepared.pools, self._models
            )
            write_tokenizer(
                tokenizer, self._tokenizer.parent, student.config.max_position_embeddings
            )
            student.to(self.device)
            return student, copy.deepcopy(student) if averaged else None
        self.progress, tensors = loaded
        self.log.keep(self.progress.total)
        self._place.say(f"going on after step {self.progress.total:,}")
        student = Student(JinaBertConfig(**tensors["config"])).to(self.device)
        student.load_state_dict(tensors["student"])
        self._optimizer = tensors["optimizer"]
        if not averaged:
            return student, None
        average = copy.deepcopy(student)
        average.load_state_dict(tensors["average"])
        return student, average

    def run(self) -> None:
        """Train, measure and keep; when it returns, `BEST` and `LAST` are there."""
        if self.progress.best is None:
            self.log.write("bm25", {"total": 0, "ndcg": dev.as_found(self.prepared.questions)})
            self._measure()
        for number in range(self.progress.stage, len(self.recipe.stages)):
            self._stage(number)
        saved.save(self._measured(), self._tokenizer, self._place.output / LAST)

    def described(self, recipe_text: str) -> dict[str, Any]:
        """Say what the run did, for its file of results and its model card."""
        at = self.progress
        run = {
            "queries": [len(examples) for examples in self.prepared.examples],
            "dropped": self.prepared.dropped,
            "parameters": sum(
                parameter.numel()
                for name, parameter in self.student.named_parameters()
                if not name.startswith("probe")
            ),
            "steps": at.total,
            "tokens": at.tokens,
            "seconds": at.seconds,
            "best": at.best,
            "best_step": at.best_step,
        }
        return card.summary(self.recipe, recipe_text, run, self.log)

    def _stage(self, number: int) -> None:
        """Run a stage to its end."""
        part = self.recipe.stages[number]
        task = self._task(number, part)
        optimizer = pace.optimizer(part, self.student, task.parameters(self.student))
        if self._optimizer is not None:
            optimizer.load_state_dict(self._optimizer)
            self._optimizer = None
        at, clock = self.progress, self._place.clock
        saved_at = measured_at = clock()
        spent, tokens = 0.0, 0
        while _share(part, at) < 1:
            began = clock()
            rate = pace.rate(part, at.step, _share(part, at))
            pace.set_rate(optimizer, rate)
            losses, read = task.step(self.student, at.step)
            length = nn.utils.clip_grad_norm_(self.student.parameters(), part.clip)
            self._check(losses["loss"], float(length))
            optimizer.step()
            optimizer.zero_grad()
            self._blend()
            seconds = clock() - began
            at.step, at.total = at.step + 1, at.total + 1
            at.stage_seconds, at.seconds = at.stage_seconds + seconds, at.seconds + seconds
            at.tokens, spent, tokens = at.tokens + read, spent + seconds, tokens + read
            if at.step % self.recipe.output.log_steps == 0 or at.step == 1:
                speed = tokens / max(spent, 1e-9)
                self._report(number, losses, rate, speed)
                spent, tokens = 0.0, 0
            if clock() - measured_at >= 60 * self.recipe.dev.minutes:
                self._measure()
                measured_at = clock()
            if clock() - saved_at >= 60 * self.recipe.output.minutes:
                self._save(optimizer.state_dict())
                saved_at = clock()
        self._measure()
        at.stage, at.step, at.stage_seconds = number + 1, 0, 0.0
        self._save(None)

    def _task(self, number: int, part: StagePart) -> Task:
        if part.max_words not in self._sources:
            pools = self.prepared.pools
            if part.max_words is not None:
                pools = layouts(self.recipe, self.prepared.examples, part.max_words)
            found = sources(self.recipe, self.prepared, pools, self._models, self._blocks)
            self._sources[part.max_words] = found
        seed = self.recipe.seed + STAGE * number
        sampler = Sampler(self._sources[part.max_words], seed)
        targets = None
        if part.teacher:
            live = [teacher for teacher in self.recipe.teachers if teacher.live]
            targets = Targets(self._inputs, self._models.find(part.teacher).load(), live)
            targets.weigh(self._passages())
        if part.kind == "features" and targets is not None:
            return Features(part, sampler, self._inputs, targets, self.device)
        return Ranking(part, sampler, self._inputs, targets, self.device)

    def _passages(self) -> list[str]:
        """Return passages of every file, enough to tell rare words."""
        shared = -(-PASSAGES // len(self.prepared.examples))
        some = [example for examples in self.prepared.examples for example in examples[:shared]]
        return [example.positive for example in some if example.positive is not None]

    def _check(self, loss: float, gradient: float) -> None:
        """Stop before the weights are lost."""
        values = {"loss": loss, "length of the gradient": gradient}
        for name, value in values.items():
            if not math.isfinite(value):
                msg = (
                    f"the {name} is {value} at step {self.progress.total + 1}: lower the "
                    f"learning_rate in the recipe or raise its warmup, and start over with "
                    f"--restart"
                )
                raise JinaRerankError(msg)

    @torch.no_grad()
    def _blend(self) -> None:
        """Move the average of the weights a little towards them, faster at first."""
        factor = self.recipe.dev.average
        if self.average is None or factor is None:
            return
        steps = self.progress.total
        factor = min(factor, (1 + steps) / (10 + steps))
        for mean, own in zip(self.average.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(own, 1 - factor)

    def _measured(self) -> Student:
        return self.student if self.average is None else self.average

    def _measure(self) -> None:
        """Measure, and keep the student if it is the best so far."""
        at, part = self.progress, self.recipe.dev
        found = dev.measure(
            self._measured(), self.prepared.questions, self._inputs, part.max_tokens
        )
        better = at.best is None or found["all"] > at.best
        if better:
            at.best, at.best_step = found["all"], at.total
            saved.save(self._measured(), self._tokenizer, self._place.output / BEST)
        self.log.write("dev", {"total": at.total, "ndcg": found, "best": at.best})

    def _report(self, stage: int, losses: dict[str, float], rate: float, speed: float) -> None:
        at, part = self.progress, self.recipe.stages[stage]
        values = {
            "stage": f"{stage + 1}/{len(self.recipe.stages)}",
            "total": at.total,
            "done": round(_share(part, at), 4),
            **{name: round(value, 5) for name, value in losses.items()},
            "learning_rate": rate,
            "tokens_per_second": speed,
        }
        self.log.write(part.kind, values)

    def _save(self, optimizer: dict[str, Any] | None) -> None:
        tensors = {
            "config": asdict(self.student.config),
            "student": self.student.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": optimizer,
        }
        self._checkpoints.save(self.progress, tensors)


def _share(part: StagePart, progress: Progress) -> float:
    """Return how much of a stage is over, from 0 to 1."""
    if part.steps is not None:
        return min(1.0, progress.step / part.steps)
    return min(1.0, progress.stage_seconds / (60 * (part.minutes or 0) + 1e-9))
