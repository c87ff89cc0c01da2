"""Whether two processes that score at the same time get in each other's way."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from jina_rerank_lab.benchmark.contenders import AUTO
from jina_rerank_lab.benchmark.summary import varied
from jina_rerank_lab.benchmark.tables import times
from jina_rerank_lab.benchmark.worker import Worker
from jina_rerank_lab.benchmark.workloads import Workload

from ..report import Section, table
from ..run import Run

ALTERNATELY = "one after the other, all cores each"
TOGETHER = "at the same time, all cores each"
APART = "at the same time, half of the cores each"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two processes, and whether they are asked at the same time."""

    name: str
    workers: tuple[Worker, ...]
    at_once: bool


def measure(run: Run) -> Section:
    """Let two processes score the workload, each a whole one, in every arrangement, in turns."""
    workload = run.workload(run.model)
    seconds: dict[str, list[float]] = {}
    with ExitStack() as stack:
        arranged = pairs(run, stack)
        for number in range(run.rounds + 1):
            run.say(f"threads, {workload.name}: round {number} of {run.rounds}")
            for pair in arranged:
                seconds.setdefault(pair.name, []).append(ask(pair, workload))
    # The first round warms up.
    return section(run.model, workload, {name: every[1:] for name, every in seconds.items()})


def pairs(run: Run, stack: ExitStack) -> list[Pair]:
    """Start the processes, which end with the stack."""
    directory = run.checkpoint(run.model)
    free = tuple(stack.enter_context(Worker(AUTO, directory)) for _ in range(2))
    found = [
        Pair(name=ALTERNATELY, workers=free, at_once=False),
        Pair(name=TOGETHER, workers=free, at_once=True),
    ]
    if parts := halves():
        apart = []
        for cores in parts:
            with confined(cores):
                apart.append(stack.enter_context(Worker(AUTO, directory)))
        found.append(Pair(name=APART, workers=tuple(apart), at_once=True))
    return found


def halves() -> tuple[Sequence[int], ...]:
    """Return the two halves of the cores; none where there is one, or processes cannot be confined."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    cores = sorted(os.sched_getaffinity(0))
    middle = len(cores) // 2
    return (cores[:middle], cores[middle:]) if middle else ()


@contextmanager
def confined(cores: Sequence[int]) -> Iterator[None]:
    """Give these cores alone to processes that are started meanwhile, which inherit them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def ask(pair: Pair, workload: Workload) -> float:
    """Return the seconds until both have scored."""
    began = time.perf_counter()
    with ThreadPoolExecutor(len(pair.workers) if pair.at_once else 1) as pool:
        list(pool.map(lambda worker: worker.score(workload), pair.workers))
    return time.perf_counter() - began


def section(model: str, workload: Workload, seconds: Mapping[str, Sequence[float]]) -> Section:
    """Report each arrangement beside the processes that wait for each other."""
    title = f"Two processes, {workload.name} each, {model} shape, dtype auto"
    medians = {name: statistics.median(every) for name, every in seconds.items()}
    lines = table(left=("arrangement",), right=("median\nseconds", "documents/s", "speed"))
    for name, taken in medians.items():
        rate = 2 * workload.documents / taken
        lines.add_row(name, f"{taken:.3f}", f"{rate:.1f}", times(medians[ALTERNATELY] / taken))
    notes = [
        "seconds until both have scored; speed: relative to one after the other; 1 is no loss",
        (
            "on half of the cores a process computes with half of the threads, as "
            "torch.set_num_threads or taskset would have it"
        ),
    ]
    if APART not in seconds:
        notes.append(f"{APART}: skipped: there is one core, or this system confines no process")
    for name, every in seconds.items():
        notes += varied(f"{name}:", every)
    return Section(
        tables={title: lines},
        notes=tuple(notes),
        values={
            "lengths": workload.lengths,
            "medians": medians,
            "rounds": {name: list(every) for name, every in seconds.items()},
        },
    )
