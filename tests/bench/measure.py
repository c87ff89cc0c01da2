"""Runs entrants in turns, each in a process of its own.

The processes stay alive side by side and take turns, so that a slow minute of the machine hits all
of them; while one works the others wait.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .contenders import Contender
from .machine import available_memory
from .worker import Loaded, Sample, Worker
from .workloads import Workload

GIGABYTE = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrant:
    """A contender with the checkpoint it loads and the workload it runs; the name is its line's."""

    name: str
    contender: Contender
    directory: Path
    workload: Workload

    @property
    def patient(self) -> bool:
        """Whether it runs in every round."""
        return max(self.workload.lengths) <= self.contender.patience


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one entrant did.

    The first sample is the first call of a fresh process: it gives the memory and the scores, and
    the time only if no round followed. `skipped` says why there is no sample at all.
    """

    name: str
    contender: str
    loaded: Loaded | None = None
    samples: tuple[Sample, ...] = ()
    skipped: str = ""

    @property
    def timed(self) -> list[float]:
        """The seconds of each round; the first call's if it stayed the only one."""
        return [sample.seconds for sample in self.samples[1:] or self.samples]

    @property
    def median(self) -> float:
        """The median of the rounds in seconds."""
        return statistics.median(self.timed)


def compare(
    entrants: Sequence[Entrant], *, rounds: int, say: Callable[[str], None]
) -> list[Result]:
    """Measure entrants beside each other.

    Args:
        entrants: Who runs what.
        rounds: Timed rounds after the first call of each, unless the workload is beyond its
            contender's patience.
        say: Told what happens; a comparison takes minutes.

    Returns:
        One result per entrant, in their order.
    """
    results: dict[int, Result] = {}
    running: dict[int, Worker] = {}
    samples: dict[int, list[Sample]] = {}
    with ExitStack() as stack:
        for at, entrant in enumerate(entrants):
            if reason := obstacle(entrant):
                results[at] = Result(
                    name=entrant.name, contender=entrant.contender.name, skipped=reason
                )
                continue
            say(f"{entrant.workload.name}: {entrant.name}, first call")
            running[at] = stack.enter_context(Worker(entrant.contender, entrant.directory))
            samples[at] = [running[at].score(entrant.workload)]
        patient = [at for at in running if entrants[at].patient]
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for at in rotated(patient, number):
                samples[at].append(running[at].score(entrants[at].workload))
        for at, worker in running.items():
            results[at] = Result(
                name=entrants[at].name,
                contender=worker.contender.name,
                loaded=worker.loaded,
                samples=tuple(samples[at]),
            )
    return [results[at] for at in range(len(entrants))]


def rotated(items: Sequence[int], number: int) -> list[int]:
    """Start each round with another one, so that none is always first."""
    first = number % max(len(items), 1)
    return [*items[first:], *items[:first]]


def obstacle(entrant: Entrant) -> str:
    """Say why the entrant cannot run here, or nothing."""
    library = entrant.contender.library
    if library is not None and find_spec(library) is None:
        return f"pip install {library.replace('_', '-')}"
    needed, available = entrant.contender.memory(entrant.workload), available_memory()
    if needed <= available:
        return ""
    return f"needs {needed / GIGABYTE:.1f} GB of memory, {available / GIGABYTE:.1f} GB available"
