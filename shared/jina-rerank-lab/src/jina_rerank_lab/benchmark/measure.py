"""Runs entrants in turns, each in a process of its own.

The processes stay alive side by side and take turns, so that a slow minute of the machine hits all
of them; while one works the others wait.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from . import memory
from .contenders import Contender
from .worker import Loaded, Sample, Worker
from .workloads import Workload

GIGABYTE = 1e9
DIED = "its process ended; standard error says why"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrant:
    """A contender with the checkpoint it loads and the workload it runs; the name is its line's."""

    name: str
    contender: Contender
    directory: Path
    workload: Workload
    device: str = "cpu"

    @property
    def patient(self) -> bool:
        """Whether it runs in every round."""
        return max(self.workload.lengths) <= self.contender.patience


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one entrant did.

    The first sample is the first call of a fresh process: it gives the memory and the scores, and
    the time only if no round followed. `batch` is how many sequences were padded together, if any
    are. `skipped` says why there is no sample at all.
    """

    name: str
    contender: str
    loaded: Loaded | None = None
    samples: tuple[Sample, ...] = ()
    batch: int | None = None
    skipped: str = ""

    @property
    def timed(self) -> list[float]:
        """The seconds of each round; the first call's if it stayed the only one."""
        return [sample.seconds for sample in self.samples[1:] or self.samples]

    @property
    def median(self) -> float:
        """The median of the rounds in seconds."""
        return statistics.median(self.timed)

    def percentile(self, percent: float) -> float:
        """Return the seconds within which that percentage of the calls ended, nearest rank."""
        ordered = sorted(self.timed)
        return ordered[max(math.ceil(percent / 100 * len(ordered)) - 1, 0)]


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
            try:
                worker = stack.enter_context(started(entrant, say=say))
                samples[at] = [worker.score(entrant.workload)]
            except EOFError:
                name = entrant.contender.name
                results[at] = Result(name=entrant.name, contender=name, skipped=DIED)
            else:
                running[at] = worker
        patient = [at for at in running if entrants[at].patient]
        for number in range(rounds if patient else 0):
            say(f"round {number + 1} of {rounds}")
            for at in rotated(patient, number):
                workload = entrants[at].workload
                samples[at].extend(running[at].score(workload) for _ in range(workload.calls))
        for at, worker in running.items():
            results[at] = Result(
                name=entrants[at].name,
                contender=worker.contender.name,
                loaded=worker.loaded,
                samples=tuple(samples[at]),
                batch=worker.batch if len(worker.contender.batch_sizes) > 1 else None,
            )
    return [results[at] for at in range(len(entrants))]


def started(entrant: Entrant, *, say: Callable[[str], None]) -> Worker:
    """Prepare a contender's files and start its process, with the batch that suits the workload."""
    contender = entrant.contender
    contender.prepare(entrant.directory)
    batch = best_batch(entrant, say=say)
    return Worker(contender, entrant.directory, device=entrant.device, batch=batch)


def best_batch(entrant: Entrant, *, say: Callable[[str], None]) -> int:
    """Find the batch size that is fastest, in processes that are then ended.

    Where the workload is one batch even of the smallest size there is nothing to find.
    """
    sizes = entrant.contender.batch_sizes
    if len(sizes) == 1 or entrant.workload.documents <= min(sizes):
        return sizes[0]
    seconds = {}
    for size in sizes:
        worker = Worker(entrant.contender, entrant.directory, device=entrant.device, batch=size)
        with worker:
            worker.score(entrant.workload)
            seconds[size] = worker.score(entrant.workload).seconds
    found = min(seconds, key=seconds.__getitem__)
    say(f"{entrant.workload.name}: {entrant.name} is fastest in batches of {found}")
    return found


def rotated(items: Sequence[int], number: int) -> list[int]:
    """Start each round with another one, so that none is always first."""
    first = number % max(len(items), 1)
    return [*items[first:], *items[:first]]


def obstacle(entrant: Entrant) -> str:
    """Say why the entrant cannot run here, or nothing."""
    contender = entrant.contender
    missing = [library for library in contender.libraries if find_spec(library) is None]
    if missing:
        return f"pip install {' '.join(missing).replace('_', '-')}"
    if entrant.device.split(":")[0] not in contender.devices:
        return f"does not run on {entrant.device}"
    needed, available = contender.memory(entrant.workload), memory.available()
    if needed <= available:
        return ""
    return f"needs {needed / GIGABYTE:.1f} GB of memory, {available / GIGABYTE:.1f} GB available"
