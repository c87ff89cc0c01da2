"""Runs the contenders on a workload in turns, and times the import.

The processes of one workload stay alive side by side and take turns, so that a slow minute of the
machine hits all of them; while one works the others wait.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .contenders import CONTENDERS, Contender
from .machine import available_memory
from .worker import Sample, Worker
from .workloads import Workload

GIGABYTE = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one contender did on one workload.

    The first sample is the first call of a fresh process: it gives the memory and the scores, and
    the time only if no round followed. `skipped` says why there is no sample at all.
    """

    contender: str
    dtype: str = ""
    load_seconds: float = 0.0
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportTime:
    """Seconds that a fresh interpreter takes with the import and without, pairwise."""

    module: str
    with_import: tuple[float, ...]
    bare: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median with the import less the median without."""
        return statistics.median(self.with_import) - statistics.median(self.bare)


def compare(
    workload: Workload, directory: Path, *, rounds: int, say: Callable[[str], None]
) -> list[Result]:
    """Measure every contender on one workload.

    Args:
        workload: The texts.
        directory: The checkpoint.
        rounds: Timed rounds after the first call of each, unless the workload is beyond a
            contender's patience.
        say: Told what happens; a comparison takes minutes.

    Returns:
        One result per contender, in their order.
    """
    results = {}
    with ExitStack() as stack:
        workers = []
        for contender in CONTENDERS:
            if reason := obstacle(contender, workload):
                results[contender.name] = Result(contender=contender.name, skipped=reason)
                continue
            say(f"{workload.name}: {contender.name}, first call")
            worker = stack.enter_context(Worker(contender, directory))
            worker.score(workload)
            workers.append(worker)
        take_turns(workers, workload, rounds=rounds, say=say)
        results |= {worker.contender.name: result(worker) for worker in workers}
    return [results[contender.name] for contender in CONTENDERS]


def obstacle(contender: Contender, workload: Workload) -> str:
    """Say why the contender cannot run the workload here, or nothing."""
    needed, available = contender.memory(workload), available_memory()
    if needed <= available:
        return ""
    return f"needs {needed / GIGABYTE:.1f} GB of memory, {available / GIGABYTE:.1f} GB available"


def take_turns(
    workers: list[Worker], workload: Workload, *, rounds: int, say: Callable[[str], None]
) -> None:
    """Run the rounds; each starts with another contender, so that none is always first."""
    longest = max(workload.lengths)
    willing = [worker for worker in workers if longest <= worker.contender.patience]
    for at in range(rounds):
        say(f"{workload.name}: round {at + 1} of {rounds}")
        first = at % max(len(willing), 1)
        for worker in willing[first:] + willing[:first]:
            worker.score(workload)


def result(worker: Worker) -> Result:
    """Return what the worker measured."""
    return Result(
        contender=worker.contender.name,
        dtype=worker.dtype,
        load_seconds=worker.load_seconds,
        samples=tuple(worker.samples),
    )


def import_time(module: str, *, rounds: int) -> ImportTime:
    """Time fresh interpreters with and without the import, in turns.

    As in an installed package the bytecode is there already: one unmeasured pair compiles it.
    """
    with tempfile.TemporaryDirectory() as cache:
        codes = (f"import {module}", "pass")
        pairs = [[start(code, cache=cache) for code in codes] for _ in range(rounds + 1)][1:]
    with_import, bare = zip(*pairs, strict=True)
    return ImportTime(module=module, with_import=with_import, bare=bare)


def start(code: str, *, cache: str) -> float:
    """Return the seconds from the start of an interpreter to its end; bytecode is in `cache`."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", code]
    began = time.perf_counter()
    subprocess.run(command, check=True, env=environment)
    return time.perf_counter() - began
